"""The command line: one typer app, its commands in modules by side; imports little, start-up counts."""

from __future__ import annotations

from typing import Annotated

import typer

from bundler import __version__
from bundler.commands import (
    collecting,
    connected,
    diode,
    either,
    history,
    host,
    media,
    offline,
    repairing,
    resending,
    trusting,
    volumes,
)
from bundler.commands.output import Boundary, emit

app = typer.Typer(
    cls=Boundary,
    name="uv-bundler",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:  # noqa: FBT001  # typer calls it with the flag's value
    if wanted:
        emit(f"uv-bundler {__version__}\n")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Carry uv and Python to machines that never see a network.

    With a network: init, keygen, lock, pack, rehearse, write-media, send, resend.
    On the way: inspect, verify, sign, split, join, missing, repair.
    Without a network: trust, collect, receive, unpack, env, status, doctor, rollback, log.

    Try it: uv-bundler demo
    """
    del version  # its callback has answered


connected.register(app)
media.register(app)
either.register(app)
volumes.register(app)
repairing.register(app)
resending.register(app)
offline.register(app)
collecting.register(app)
diode.register(app)
host.register(app)
history.register(app)
app.add_typer(trusting.app, name="trust")
