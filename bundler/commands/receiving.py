"""The command behind a data diode: receive.

stdout has the command for each bundle that can be unpacked, or with --json what the status file has.
"""

from __future__ import annotations

import os
import shlex
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.commands.options import (
    Quiet,
    TrustOption,
    Verifier,
    check_verifier,
    load_trust_option,
    some_path,
)
from bundler.commands.output import emit, say
from bundler.commands.watch import watch
from bundler.errors import HostFault, UsageFault

if TYPE_CHECKING:
    from bundler.arriving.receivestatus import Report
    from bundler.offline.signedindex import SignedIndex, VerifiedIndex

_Watched = Annotated[
    Path,
    typer.Option(
        "--watch",
        envvar="UV_BUNDLER_WATCH",
        parser=some_path,
        metavar="<path>",
        help="The folder where files arrive.",
    ),
]
_Into = Annotated[
    Path,
    typer.Option(
        "--into",
        envvar="UV_BUNDLER_INTO",
        parser=some_path,
        metavar="<path>",
        help="The spool: a folder of this command's own, with one folder for each bundle.",
    ),
]
_Status = Annotated[
    Path | None,
    typer.Option(
        "--status",
        envvar="UV_BUNDLER_STATUS",
        readable=False,
        help="A JSON file to write after each look, for monitoring.",
    ),
]


def receive(
    *,
    watched: _Watched,
    into: _Into,
    trust: TrustOption = None,
    once: Annotated[
        bool,
        typer.Option(
            "--once", envvar="UV_BUNDLER_ONCE", help="Take what is there, and tell by the exit code."
        ),
    ] = False,
    poll: Annotated[
        float,
        typer.Option("--poll", envvar="UV_BUNDLER_POLL", min=0.1, help="Seconds between two looks."),
    ] = 10,
    settle: Annotated[
        int,
        typer.Option(
            "--settle",
            envvar="UV_BUNDLER_SETTLE",
            min=0,
            max=1000,
            help="How many looks a file must stay the same before it is opened.",
        ),
    ] = 2,
    stalled: Annotated[
        float,
        typer.Option(
            "--stalled",
            envvar="UV_BUNDLER_STALLED",
            min=0,
            help="Seconds after which a file that is too short is taken as cut off.",
        ),
    ] = 900,
    expire: Annotated[
        float,
        typer.Option(
            "--expire",
            envvar="UV_BUNDLER_EXPIRE",
            min=0,
            help="Days after which an incomplete bundle is removed, if nothing came for it. 0: never.",
        ),
    ] = 14,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep", envvar="UV_BUNDLER_KEEP", help="Copy files, and leave them where they arrived."
        ),
    ] = False,
    status: _Status = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", envvar="UV_BUNDLER_JSON", help="With --once: print that JSON on stdout."),
    ] = False,
    verifier: Verifier = "builtin",
    quiet: Quiet = False,
) -> None:
    """Gather bundles from the folder behind a data diode; print the command to unpack each that is whole.

    Files may come in any order, repeated, cut off, and of several bundles at once. What nobody trusted has
    signed stays where it is. With --once the exit code is 0 where nothing is left open, 4 where something is
    incomplete, 5 where it is damaged beyond its parity, and 3 where only untrusted files are left.

    \b
    Examples:
      uv-bundler receive --watch /srv/diode/in --into /var/spool/uv-bundler --trust packer.pub
      uv-bundler receive --watch /srv/diode/in --into /var/spool/uv-bundler --once --status /run/uvb.json
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.arriving.receiverun import look_on, look_once
    from bundler.arriving.receivespool import Spool, check_apart
    from bundler.arriving.receivestatus import describe, write_status
    from bundler.arriving.receiving import Receiver, Receiving

    check_verifier(verifier)
    if as_json and not once:
        raise UsageFault(
            "--json: expected --once with it", hint="add --once, or have a file written: --status FILE"
        )
    load_trust_option(trust)  # a trust file that cannot be read is told before anything is waited for
    check_apart(watched, into)
    spool = Spool(into.absolute())
    typed = trust and os.environ.get("UV_BUNDLER_TRUST") != str(trust)
    words = ["--trust", str(trust.absolute())] if trust and typed else []

    def judge(signed: SignedIndex, name: str) -> VerifiedIndex:
        from bundler.offline.signedindex import verify_index

        # Read anew for each bundle: a receiver runs for months, and keys are revoked meanwhile.
        return verify_index(signed, trust=load_trust_option(trust), name=name, verifier=verifier)

    def document(report: Report) -> str:
        now = datetime.now(timezone.utc)
        return report.to_json(watch=watched.absolute(), spool=spool.root, moment=now)

    def tell(report: Report) -> None:
        if status:
            write_status(status, document(report))

    with spool.locked(), watch(quiet=quiet) as progress:
        receiver = Receiver(
            spool,
            Receiving(watch=watched, settle=settle, stalled=stalled, expire=expire, keep=keep),
            judge=judge,
            announce=lambda command: None if as_json else emit(command + "\n"),
            command=lambda folder: shlex.join(["uv-bundler", "unpack", str(folder), *words]),
            progress=progress,
        )
        if not once:
            look_on(receiver, poll=poll, sleep=time.sleep, tell=tell, complain=_complain)
        report = look_once(receiver, settle=settle, poll=poll, sleep=time.sleep, note=progress.note)
        tell(report)
    if as_json:
        emit(document(report))
    for line in describe(report):
        say(line)
    raise typer.Exit(report.exit_code)


def _complain(fault: HostFault) -> None:
    say(f"error: {fault.message}")
    say(f"next: {fault.hint or 'see to that'}; it is tried again")
