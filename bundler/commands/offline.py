"""`unpack`: the command that an administrator runs once a quarter."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.commands.bundles import open_bundle
from bundler.commands.either import say_signers
from bundler.commands.options import (
    Bundles,
    Offline,
    PrefixOption,
    Quiet,
    Reason,
    Shell,
    TrustOption,
    Verifier,
    check_verifier,
    command_line,
    load_trust_option,
    one_of,
)
from bundler.commands.output import emit, say
from bundler.commands.watch import watch
from bundler.commands.wishes import (
    AcceptName,
    AllowDowngrade,
    AllowExpired,
    ExpectIndex,
    ExpectSerial,
    check_index_digest,
)

if TYPE_CHECKING:
    from bundler.offline.deciding import Decision
    from bundler.offline.prefix import Prefix
    from bundler.offline.scan import ScanCommand


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command()(unpack)


def unpack(
    context: typer.Context,
    bundle: Bundles,
    *,
    prefix: PrefixOption = None,
    trust: TrustOption = None,
    platform: Annotated[
        list[str] | None,
        typer.Option(
            "--platform",
            envvar="UV_BUNDLER_PLATFORM",
            help="Unpack for this platform of the bundle (may be repeated), or `all`. Default: this host's.",
        ),
    ] = None,
    shell: Shell = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", envvar="UV_BUNDLER_DRY_RUN", help="Say what would change; write nothing."),
    ] = False,
    install_pythons: Annotated[
        bool,
        typer.Option(
            "--install-pythons",
            envvar="UV_BUNDLER_INSTALL_PYTHONS",
            help="Install every interpreter into PREFIX/python, for all users.",
        ),
    ] = False,
    scan_cmd: Annotated[
        str | None,
        typer.Option(
            "--scan-cmd",
            envvar="UV_BUNDLER_SCAN_CMD",
            help="Run this over what will be installed, `{}` being its folder; unless it ends with 0 and "
            "changes nothing, nothing is installed.",
        ),
    ] = None,
    accept_name: AcceptName = None,
    expect_serial: ExpectSerial = None,
    expect_index: ExpectIndex = None,
    allow_downgrade: AllowDowngrade = False,
    allow_expired: AllowExpired = False,
    reason: Reason = None,
    offline: Offline = False,
    verifier: Verifier = "builtin",
    quiet: Quiet = False,
) -> None:
    """Verify a bundle, install it, print the exports for uv.

    \b
    Examples:
      exports=$(uv-bundler unpack /media/usb/plant-7-2026112001.uvb) && eval "$exports"
      uv-bundler unpack q4.uvb --dry-run
      sudo uv-bundler unpack q4.uvb --trust packer.pub --install-pythons
      uv-bundler unpack q4.uvb --expect-serial 2026112001
      uv-bundler unpack q4.uvb --scan-cmd 'clamscan -r --no-summary {}'
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.core.platforms import host_platform
    from bundler.offline import deciding
    from bundler.offline import unpack as core
    from bundler.offline.exporting import check_exportable, exports
    from bundler.offline.policy import Wish
    from bundler.offline.prefix import check_prefix, default_prefix
    from bundler.offline.shells import SHELLS, detect_shell

    begun = time.monotonic()
    check_verifier(verifier)
    form = one_of("--shell", shell or detect_shell(os.environ), known=SHELLS)
    check_index_digest(expect_index)
    request = deciding.Request(
        prefix=prefix or default_prefix(),
        trust=load_trust_option(trust),
        host=host_platform(),
        platforms=tuple(platform or ()),
        wish=Wish(
            accept_name=accept_name,
            expect_serial=expect_serial,
            expect_index=expect_index,
            allow_downgrade=allow_downgrade,
            allow_expired=allow_expired,
            reason=reason,
        ),
        verifier=verifier,
        command=command_line(context),
        scan=_scan_command(scan_cmd),
    )
    if dry_run:
        from bundler.offline.payload import slow_note

        with open_bundle(
            bundle, trust=request.trust, verifier=verifier, quiet=quiet, wanted=request.wish.is_for
        ) as opened:
            decision = deciding.dry_run(opened.source, request, name=opened.name)
        _warn(decision)
        emit(_planned(decision))
        if not quiet:
            if not decision.already_active and (note := slow_note(decision.plan.write)):
                say(note)
            not_run = ", --scan-cmd was not run" if request.scan else ""
            say(f"dry run: only the index was read and verified, nothing was written{not_run}")
        return
    check_exportable(check_prefix(request.prefix), shell=form)
    with (
        open_bundle(
            bundle, trust=request.trust, verifier=verifier, quiet=quiet, wanted=request.wish.is_for
        ) as opened,
        watch(quiet=quiet) as progress,
    ):
        generation, decision = core.unpack(opened.source, request, name=opened.name, progress=progress)
    where = check_prefix(request.prefix)
    _warn(decision)
    if not quiet:
        say_signers(decision.verified.signers)
        _say_result(decision, where, time.monotonic() - begun)
    if install_pythons:
        from bundler.offline.interpreters import install_all

        with watch(quiet=quiet) as progress:
            for key in install_all(generation, where, command=command_line(context), progress=progress):
                if not quiet:
                    say(f"{where.python}: has {key}")
    emit(exports(generation, where, shell=form, offline=offline))


def _scan_command(text: str | None) -> ScanCommand | None:
    """Split the command before anything is read: a wrong one is told at once."""
    if text is None:
        return None
    from bundler.offline.scan import ScanCommand

    return ScanCommand.parse(text)


def _warn(decision: Decision) -> None:
    for line in decision.warnings:
        say(f"warning: {line}")


def _planned(decision: Decision) -> str:
    from bundler.core.text import printable, size

    plan, index = decision.plan, decision.verified.index
    if decision.already_active:
        return printable(f"nothing to do: {index.title} is active") + "\n"
    lines = [
        f"{index.title} for {', '.join(map(str, plan.platforms))}",
        *(f"builds on {one.title}" for one in index.base),
        *(f"write   {size(one.size):>11}  {one.path}" for one in plan.write),
        *(f"keep    {size(one.size):>11}  {one.path}" for one, _ in plan.keep),
        *(
            f"remove  {size(one.size):>11}  {one.path} (stays in the generation before)"
            for one in plan.remove
        ),
        f"needs {size(plan.needed)} of space",
    ]
    return "".join(printable(line) + "\n" for line in lines)


def _say_result(decision: Decision, prefix: Prefix, elapsed: float) -> None:
    from bundler.core.text import counted, duration, size

    title = decision.verified.index.title
    if decision.already_active:
        say(f"{prefix.root}: {title} is active already, nothing to do")
        return
    before = decision.active
    place = f" in place of serial {before.serial}" if before else ""
    kept = f", {counted(len(decision.plan.keep), 'artifact')} kept" if decision.plan.keep else ""
    say(
        f"{prefix.root}: {title} is active{place}: {size(decision.plan.written)} written{kept}, "
        f"in {duration(elapsed)}"
    )
