"""Commands for both sides: look at a bundle, and verify it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.commands.bundles import open_bundle
from bundler.commands.options import Bundles, Quiet, TrustOption, Verifier, check_verifier, load_trust_option
from bundler.commands.output import emit, say
from bundler.commands.watch import watch

if TYPE_CHECKING:
    from bundler.signing.trust import Signer


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command()(inspect)
    app.command()(verify)


def inspect(
    bundle: Bundles,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", envvar="UV_BUNDLER_JSON", help="Print JSON, for programs.")
    ] = False,
) -> None:
    """Show what a bundle says of itself. Trusts nothing and checks nothing: for that there is `verify`.

    Example: uv-bundler inspect /media/usb/plant-7-2026112001.uvb
    """
    from bundler.offline.inspect import describe, show

    with open_bundle(bundle) as opened:
        described = describe(opened.source, name=opened.name)
    emit(show(described, as_json=as_json))
    say(f"{opened.name}: nothing of this was verified: neither the signatures nor the payload")


def verify(
    bundle: Bundles,
    *,
    trust: TrustOption = None,
    verifier: Verifier = "builtin",
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            envvar="UV_BUNDLER_STRICT",
            help="Fail where a volume is missing or damaged, even if parity recovers it, or where parity "
            "would recover nothing. Reads all of it twice.",
        ),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Check the signatures, then every byte. Writes nothing.

    \b
    Examples:
      uv-bundler verify /media/usb/plant-7-2026112001.uvb --trust packer.pub
      uv-bundler verify /media/usb --strict
      uv-bundler verify /media/drive-a /media/drive-b
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.core.text import counted, duration, size
    from bundler.offline.clock import system_clock
    from bundler.offline.members import stored_total
    from bundler.offline.policy import past_its_time
    from bundler.offline.verify import verify_bundle
    from bundler.volumes.setreader import SetReader

    check_verifier(verifier)
    begun, rules = time.monotonic(), load_trust_option(trust)
    with (
        open_bundle(bundle, trust=rules, verifier=verifier, quiet=quiet) as opened,
        watch(quiet=quiet) as progress,
    ):
        verified = verify_bundle(
            opened.source, name=opened.name, trust=rules, progress=progress, verifier=verifier
        )
        if strict and isinstance(opened.source, SetReader):
            opened.source.check_strictly(progress)
    document = verified.trust.document
    clock = system_clock().not_before_making(verified.index, document)
    for line in past_its_time(verified.index, document, clock):
        say(f"warning: {opened.name}: {line}")
    if not quiet:
        index = verified.index
        for step in verified.steps:
            signers = dict.fromkeys(map(str, (*step.old_signers, *step.new_signers)))
            say(f"trust document version {step.version} comes with it, signed by {', '.join(signers)}")
        say_signers(verified.signers)
        say(
            f"{opened.name}: {index.title}: every byte is as signed, "
            f"{counted(len(index.artifacts), 'artifact')}, "
            f"{size(stored_total(index))} in {duration(time.monotonic() - begun)}"
        )


def say_signers(signers: tuple[Signer, ...]) -> None:
    """Tell who signed, by name and fingerprint."""
    for signer in signers:
        say(f"signed by {signer}")
