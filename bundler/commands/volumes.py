"""Commands for a bundle in several files: split and join.

They say on stderr what they did; stdout has the paths of the files that were written, one a line.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.commands.bundles import is_stdin, open_bundle
from bundler.commands.either import say_signers
from bundler.commands.exploding import explode_to
from bundler.commands.options import Bundles, Quiet, Verifier, check_verifier, load_trust_option
from bundler.commands.output import say
from bundler.commands.outputs import ParityOption, VolumeSize, emit_paths, target, warn_others, wishes
from bundler.commands.watch import watch
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from bundler.signing.trust import Trust
    from bundler.volumes.recutting import Given

_Trust = Annotated[
    Path | None,
    typer.Option(
        "--trust",
        envvar="UV_BUNDLER_TRUST",
        readable=False,
        help="Who must have signed it: a public key file, an allowed_signers file, or a trust store. "
        "Default: nobody is asked, and every byte is compared with the index alone.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    for command in (split, join):
        app.command()(command)


def split(
    bundle: Bundles,
    *,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            envvar="UV_BUNDLER_OUTPUT",
            help="A folder for the files, or FOLDER/q4.uvb to call them q4.0001-of-0040.uvb and so on.",
        ),
    ],
    volume_size: VolumeSize = None,
    parity: ParityOption = None,
    exploded: Annotated[
        bool,
        typer.Option(
            "--exploded",
            envvar="UV_BUNDLER_EXPLODED",
            help="Instead of volumes write a new folder, in which every archive is a plain file: for gates "
            "that must open all of them. Signatures are judged: by --trust, or this machine's own store.",
        ),
    ] = False,
    trust: _Trust = None,
    verifier: Verifier = "builtin",
    quiet: Quiet = False,
) -> None:
    """Cut a bundle into volumes, add parity, or both. Index and signatures stay as they are.

    \b
    Examples:
      uv-bundler split q4.uvb -o out/ --volume-size fat32 --parity 10%
      uv-bundler split q4.uvb -o q4.uvb --parity 5%
      uv-bundler split /media/drive-a /media/drive-b -o out/ --volume-size 512M
      uv-bundler split q4.uvb --exploded -o for-the-gate --trust packer.pub
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.volumes.placing import check_output, describe
    from bundler.volumes.recutting import begin
    from bundler.volumes.recutting import split as cut_anew

    check_verifier(verifier)
    if exploded:
        if volume_size or parity:
            raise UsageFault(
                "--exploded: expected without --volume-size and --parity, which are for volumes",
                hint="split the bundle itself for a medium, and explode what arrived",
            )
        explode_to(output, bundle=bundle, trust=trust, verifier=verifier, quiet=quiet)
        return
    wished = wishes(volume_size, parity)
    if not wished:
        raise UsageFault(
            "split: nothing to do, expected --volume-size, --parity or both",
            hint="for sticks: --volume-size fat32 --parity 10%",
        )
    place = target(output, several=True)
    check_output(place)
    rules = _rules(trust)
    inputs = _inputs(bundle)
    with (
        open_bundle(bundle, trust=rules, verifier=verifier, quiet=quiet) as opened,
        watch(quiet=quiet) as progress,
    ):
        given = begin(opened.source, name=opened.name, trust=rules, verifier=verifier)
        written, cut = cut_anew(given, place, wished=wished, inputs=inputs, progress=progress)
    if not quiet:
        _tell(given, name=opened.name)
        say(f"{written[0].path.parent}: {describe(cut, written)}")
    warn_others(written)
    emit_paths(written)


def join(
    bundle: Bundles,
    *,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            envvar="UV_BUNDLER_OUTPUT",
            help="The bundle to write, a folder for it, or - for stdout.",
        ),
    ],
    trust: _Trust = None,
    verifier: Verifier = "builtin",
    quiet: Quiet = False,
) -> None:
    """Make one file of volumes, for people who want one: every command reads volumes as they are.

    \b
    Examples:
      uv-bundler join /media/usb -o q4.uvb --trust packer.pub
      uv-bundler join /media/drive-a /media/drive-b -o - > q4.uvb
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.core.durable import host_faults
    from bundler.core.text import size
    from bundler.volumes.placing import Target, check_output, write_files, write_joined
    from bundler.volumes.recutting import begin, refuse_inputs

    place = target(output)
    check_output(place)
    check_verifier(verifier)
    rules = _rules(trust)
    with (
        open_bundle(bundle, trust=rules, verifier=verifier, quiet=quiet) as opened,
        watch(quiet=quiet) as progress,
    ):
        given = begin(opened.source, name=opened.name, trust=rules, verifier=verifier)
        source = given.source
        if output == "-":
            with host_faults(Path("stdout")):
                out = sys.stdout.buffer
                count = write_joined(out.write, source=source, blocks=given.blocks(), progress=progress)
                out.flush()
            written = []
        else:
            into = Target.of(place, source.index)
            refuse_inputs([into.file], _inputs(bundle))
            blocks = given.blocks()
            written = list(write_files(into, source=source, cut=None, blocks=blocks, progress=progress))
            count = written[0].size
    if not quiet:
        _tell(given, name=opened.name)
        say(f"{written[0].path if written else 'stdout'}: one file of {size(count)}")
    emit_paths(written)


def _inputs(bundle: list[Path]) -> list[Path]:
    """Return the files that are read."""
    from bundler.volumes.survey import list_files

    return [] if is_stdin(bundle) else list(list_files(bundle))


def _rules(trust: Path | None) -> Trust | None:
    return load_trust_option(trust) if trust else None


def _tell(given: Given, *, name: str) -> None:
    """Say what is known of the bundle now."""
    title = given.source.index.title
    if given.verified:
        say_signers(given.verified.signers)
        say(f"{name}: {title}: every byte is as signed")
    else:
        say(f"{name}: {title}: every byte is as its index says; nobody was asked who signed that (--trust)")
