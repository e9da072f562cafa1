"""The packer's answer to `missing`: resend.

It says on stderr what it did; stdout has the path of the supplement.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from bundler.commands.bundles import open_bundle
from bundler.commands.options import Bundles, Quiet  # noqa: TC001  # typer reads them from the annotations
from bundler.commands.output import emit, say
from bundler.commands.outputs import file_target
from bundler.commands.watch import watch


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(resend)


def resend(
    bundle: Bundles,
    *,
    ticket: Annotated[
        str,
        typer.Option(
            "--ticket",
            envvar="UV_BUNDLER_TICKET",
            help="The line that `missing` printed on the far side, or the file that it wrote.",
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            envvar="UV_BUNDLER_OUTPUT",
            help="A folder for NAME-SERIAL.resend.uvb, or the file to write.",
        ),
    ],
    quiet: Quiet = False,
) -> None:
    """Write a small supplement that has only the blocks that a far side still needs.

    There it is put beside the other files of the bundle, or is named together with them.

    \b
    Examples:
      uv-bundler resend q4.uvb --ticket "UVB1 7C2E904F1A 40+4 V7,19,31-33 B515-520 BE75" -o out/
      uv-bundler resend volumes/ --ticket plant-7.ticket -o q4.resend.uvb
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.connected.resend import (
        judge_by,
        read_ticket,
        supplement_path,
        wanted_blocks,
        write_supplement,
    )
    from bundler.core.text import counted, size
    from bundler.volumes.recutting import begin

    place = file_target(output)
    asked = read_ticket(ticket, path=Path(ticket) if _is_file(ticket) else None)
    with open_bundle(bundle, judge=judge_by(asked), quiet=quiet) as one, watch(quiet=quiet) as progress:
        given = begin(one.source, name=one.name)
        blocks = wanted_blocks(asked, given, name=one.name)
        path = supplement_path(place, given, asked)
        written = write_supplement(path, given, ticket=asked, blocks=blocks, progress=progress)
    if not quiet:
        say(f"{path}: {counted(len(blocks), 'block')} of {given.source.index.title}, {size(written)}")
        say("on the far side, put it beside the other files of the bundle")
    emit(f"{path}\n")


def _is_file(text: str) -> bool:
    with contextlib.suppress(OSError, ValueError):  # a line may be no path at all
        return Path(text).is_file()
    return False
