"""`collect`: one bundle from several drives, one after the other."""

from __future__ import annotations

import shlex
from pathlib import Path  # noqa: TC003  # typer reads it from the annotations
from typing import Annotated

import typer

from bundler.commands.either import say_signers
from bundler.commands.options import (
    Quiet,
    TrustOption,
    Verifier,
    check_verifier,
    load_trust_option,
    some_path,
    typed_trust,
)
from bundler.commands.output import emit, say
from bundler.commands.watch import watch
from bundler.core.text import size
from bundler.errors import IncompleteFault


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(collect)


def collect(
    drives: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FROM]...",
            parser=some_path,
            help="The folders of drives, or files of the bundle. Without: only say what is still needed.",
        ),
    ] = None,
    *,
    into: Annotated[
        Path,
        typer.Option(
            "--into",
            envvar="UV_BUNDLER_INTO",
            parser=some_path,
            metavar="<path>",
            help="Where the bundle's files are put together.",
        ),
    ],
    trust: TrustOption = None,
    recheck: Annotated[
        bool,
        typer.Option(
            "--recheck",
            envvar="UV_BUNDLER_RECHECK",
            help="Read all of FOLDER again, also what an earlier run found good.",
        ),
    ] = False,
    verifier: Verifier = "builtin",
    quiet: Quiet = False,
) -> None:
    """Bring a bundle from several drives to a folder: in any order, only what is missing or bad.

    Run it once for each drive, until it says that nothing is needed any more (code 0; with 4 something is).
    What was stopped is continued. Two damaged copies of a volume make a good one. Prints FOLDER.

    \b
    Examples:
      uv-bundler collect /media/usb --into /var/spool/plant-7
      uv-bundler collect --into /var/spool/plant-7
      uv-bundler unpack "$(uv-bundler collect /media/drive-a /media/drive-b --into spool)"
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.arriving import collecting

    check_verifier(verifier)
    rules = load_trust_option(trust)
    with watch(quiet=quiet) as progress:
        done = collecting.collect(
            drives or [], into, trust=rules, progress=progress, verifier=verifier, recheck=recheck
        )
    for line in done.notes:
        say(f"warning: {line}")
    if not quiet:
        say_signers(done.verified.signers)
        say(f"{into}: {size(done.written)} written; has {done.stock.has()} of {done.verified.index.title}")
    words = shlex.join([str(into), *typed_trust(trust)])
    if done.stock.shortage():
        raise IncompleteFault(
            f"{into}: {done.stock.needs()}",
            hint=f"plug in the next drive and run: uv-bundler collect DRIVE --into {words}",
        )
    emit(f"{into}\n")
    if not quiet:
        enough = "complete" if done.stock.complete else f"enough: {done.stock.losses()}, parity recovers that"
        say(f"{into}: {enough}: uv-bundler unpack {words}")
