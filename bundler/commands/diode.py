"""Commands for data diodes: send into a drop folder, receive from the folder behind it.

The proxies of the diode carry the files; nothing here opens a socket.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from bundler.commands.options import Quiet, some_path
from bundler.commands.output import say
from bundler.commands.receiving import receive
from bundler.commands.watch import watch
from bundler.errors import UsageFault

_Sent = Annotated[
    list[Path],
    typer.Argument(
        metavar="BUNDLE", parser=some_path, help="A .uvb file, its volumes, or folders that hold them."
    ),
]
_Drop = Annotated[
    Path,
    typer.Option(
        "--out",
        envvar="UV_BUNDLER_OUT",
        parser=some_path,
        metavar="<path>",
        help="The drop folder, which the diode's proxy empties.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command()(send)
    app.command()(receive)


def send(
    bundle: _Sent,
    *,
    out: _Drop,
    repeat: Annotated[
        int,
        typer.Option(
            "--repeat", envvar="UV_BUNDLER_REPEAT", min=1, max=1000, help="Send all of it so many times."
        ),
    ] = 1,
    interleave: Annotated[
        bool,
        typer.Option(
            "--interleave",
            envvar="UV_BUNDLER_INTERLEAVE",
            help="Spread parity between the volumes, and begin each round at another one.",
        ),
    ] = False,
    interval: Annotated[
        float,
        typer.Option(
            "--interval", envvar="UV_BUNDLER_INTERVAL", min=0, help="Seconds to pause between two files."
        ),
    ] = 0,
    max_inflight: Annotated[
        str | None,
        typer.Option(
            "--max-inflight",
            envvar="UV_BUNDLER_MAX_INFLIGHT",
            help="Wait while the drop folder would hold more than this, such as 2G.",
        ),
    ] = None,
    give_up: Annotated[
        float,
        typer.Option(
            "--give-up",
            envvar="UV_BUNDLER_GIVE_UP",
            min=0,
            help="Seconds to wait for a folder from which nothing is taken. 0: for ever.",
        ),
    ] = 3600,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            envvar="UV_BUNDLER_ONLY",
            help="Send these volumes alone, as the far side reads them out: 7,19,p2,31-33.",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Put the files of a bundle into the drop folder of a data diode.

    \b
    Examples:
      uv-bundler send out/ --out /srv/diode/drop
      uv-bundler send out/ --out /srv/diode/drop --repeat 2 --interleave --max-inflight 2G
      uv-bundler send out/ --out /srv/diode/drop --only 7,19,p2
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.connected.parcels import gather, parse_only
    from bundler.connected.sending import Sending
    from bundler.connected.sending import send as run
    from bundler.core.text import counted, duration, size

    begun = time.monotonic()
    how = Sending(
        drop=out,
        repeat=repeat,
        interleave=interleave,
        interval=interval,
        max_inflight=_size(max_inflight),
        give_up=give_up,
    )
    wanted = parse_only(only) if only is not None else None
    with watch(quiet=quiet) as progress:
        sent = run(gather(bundle, only=wanted, note=progress.note), how, progress=progress)
    if not quiet:
        rounds = f" in {counted(repeat, 'round')}" if repeat > 1 else ""
        say(
            f"{out}: {counted(sent.files, 'file')}{rounds}, {size(sent.size)} in "
            f"{duration(time.monotonic() - begun)}"
        )


def _size(text: str | None) -> int | None:
    if text is None:
        return None
    from bundler.volumes.choosecut import parse_size

    try:
        return parse_size(text)
    except UsageFault:
        raise UsageFault(
            f"--max-inflight: expected a size such as 700M, found {text!r}",
            hint="units are K, M, G (1024) and KB, MB, GB (1000)",
        ) from None
