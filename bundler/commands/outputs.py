"""Where a bundle is written, in how many files, and what is said of them: for pack, split and join."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.commands.output import emit, say
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bundler.volumes.choosecut import Wished
    from bundler.volumes.splitting import Written

VolumeSize = Annotated[
    str | None,
    typer.Option(
        "--volume-size",
        metavar="SIZE",
        envvar="UV_BUNDLER_VOLUME_SIZE",
        help="Cut the bundle into files of at most this size: fat32 (4095 MiB), dvd (4.3 GB), bd (24.5 GB), "
        "diode (512 MiB), or a size such as 700M. What fits stays one file.",
    ),
]
ParityOption = Annotated[
    str | None,
    typer.Option(
        "--parity",
        metavar="N|P%",
        envvar="UV_BUNDLER_PARITY",
        help="Add parity, from which as much is recovered when it is lost or damaged: a number of volumes, "
        "or a share such as 10%. One file takes a share.",
    ),
]


def wishes(volume_size: str | None, parity: str | None) -> Wished:
    """Return what the two options say; raises `UsageFault`."""
    from bundler.volumes.choosecut import NO_PARITY, Parity, Wished, parse_size

    return Wished(
        size=parse_size(volume_size) if volume_size else None,
        parity=Parity.parse(parity) if parity else NO_PARITY,
    )


def target(output: str, *, several: bool = False, streams: bool = True) -> Path:
    """Return where the bundle goes; `several` files cannot go to stdout, and `streams` says whether any does.

    Raises `UsageFault` for a folder or a stream that is not there, and for a name that volumes cannot have.
    """
    if output.endswith((os.sep, os.altsep or os.sep)) and not Path(output).is_dir():
        raise UsageFault(
            f"{output}: no such folder, expected one for the bundle",
            hint=f"name a file without {os.sep} at its end, or: mkdir -p {shlex.quote(output)}",
        )
    if output == "-" and several:
        raise UsageFault(
            "stdout: takes one file, expected a folder for volumes and parity",
            hint="name a folder with -o, or leave out --volume-size and --parity",
        )
    if several and not Path(output).is_dir():
        from bundler.core.volumehead import stem_in_name
        from bundler.volumes.splitting import check_stem

        check_stem(stem_in_name(Path(output).name))
    if output == "-" and streams and (sys.stdout is None or sys.stdout.isatty()):
        raise UsageFault(
            "stdout: expected a pipe or a file for the bundle, found a terminal or nothing",
            hint="name a file or a folder with -o, or add: > q4.uvb",
        )
    return Path(output)


def file_target(output: str) -> Path:
    """Return the file or folder that `output` names, for what never goes to stdout; raises `UsageFault`.

    A place that takes no file is refused here, before a bundle is read for it; raises `HostFault` too.
    """
    from bundler.volumes.placing import check_output

    if output == "-":
        raise UsageFault("--output: expected a file or a folder, found -", hint="name one: -o FOLDER")
    place = target(output)
    check_output(place)
    return place


def warn_others(written: Sequence[Written]) -> None:
    """Say which files beside those that were written look as if they belonged to them, and do not."""
    from bundler.volumes.placing import others_beside

    others = others_beside(written)
    if others:
        names = ", ".join(one.name for one in others[:3]) + (", …" if len(others) > 3 else "")
        say(f"warning: {others[0].parent}: holds older files of that name, too: {names}; carry only new ones")


def emit_paths(written: Sequence[Written]) -> None:
    """Print the path of each file that was written, one a line: the bundle's, then that of its sums."""
    emit("".join(f"{one.path}\n" for one in written))
