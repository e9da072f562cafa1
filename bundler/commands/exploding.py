"""`split --exploded`: a bundle as a folder of plain files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bundler.commands.bundles import open_bundle
from bundler.commands.options import load_trust_option
from bundler.commands.output import emit, say
from bundler.commands.watch import watch
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from collections.abc import Sequence


def explode_to(
    output: str, *, bundle: Sequence[Path], trust: Path | None, verifier: str, quiet: bool
) -> None:
    """Write the folder, say what became of the bundle, and print the paths of folder and list."""
    from bundler.commands.either import say_signers
    from bundler.core.text import counted, size
    from bundler.offline.explode import check_new, explode
    from bundler.offline.folder import plain_artifacts

    if output == "-":
        raise UsageFault(
            "-: expected the name of a new folder for the files of the bundle", hint="name one with -o"
        )
    folder = Path(output)
    check_new(folder)
    rules = load_trust_option(trust)  # an unverified index decides no names on this machine
    with (
        open_bundle(bundle, trust=rules, verifier=verifier, quiet=quiet) as opened,
        watch(quiet=quiet) as progress,
    ):
        made = explode(
            opened.source, folder, name=opened.name, trust=rules, progress=progress, verifier=verifier
        )
    if not quiet:
        index = made.verified.index
        plain = plain_artifacts(index)
        stored = counted(len(index.members), "file")
        say_signers(made.verified.signers)
        say(
            f"{folder}: {index.title}: every byte is as signed; {stored} as stored, "
            f"{counted(len(plain), 'file')} of {size(sum(one.size for one in plain))} plain beside them"
        )
    emit(f"{made.folder}\n{made.listing}\n")
