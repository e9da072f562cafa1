"""Commands for an unpacked machine: env, status, doctor, rollback."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.commands.options import Offline, PrefixOption, Quiet, Reason, Shell, command_line
from bundler.commands.output import emit, say
from bundler.commands.watch import watch
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from pathlib import Path

    from bundler.offline.generation import Generation
    from bundler.offline.prefix import Prefix


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command("env")(print_exports)
    app.command()(status)
    app.command()(doctor)
    app.command()(rollback)


def print_exports(*, prefix: PrefixOption = None, shell: Shell = None, offline: Offline = False) -> None:
    """Print the exports for uv again.

    Example: eval "$(uv-bundler env)"
    """
    from bundler.offline.exporting import exports
    from bundler.offline.shells import detect_shell

    where, generation = _active(prefix)
    emit(exports(generation, where, shell=shell or detect_shell(os.environ), offline=offline))


def status(*, prefix: PrefixOption = None) -> None:
    """Show what is active on this machine.

    Example: uv-bundler status
    """
    from bundler.core.text import printable

    where, generation = _active(prefix)
    index = generation.index()
    artifacts = generation.artifacts(index)
    lines = [
        f"{generation.name} {generation.release}, serial {generation.serial}, generation {generation.number}",
        f"prefix     {where.root}",
        f"uv         {', '.join(generation.uv)}",
        f"platforms  {', '.join(map(str, generation.platforms))}",
        f"index      sha256 {generation.index_sha256}",
        *([f"expires    {index.expires}"] if index.expires else []),
        *(f"archive    {one.key}" for one in artifacts if one.role == "archive"),
    ]
    emit("".join(printable(line) + "\n" for line in lines))


def doctor(
    *,
    prefix: PrefixOption = None,
    digests: Annotated[
        bool, typer.Option("--digests", envvar="UV_BUNDLER_DIGESTS", help="Hash every file as well.")
    ] = False,
) -> None:
    """Find what keeps uv from working with what was unpacked, and say how to fix each.

    Example: uv-bundler doctor
    """
    from bundler.core.text import counted
    from bundler.offline.doctor import diagnose
    from bundler.offline.prefix import default_prefix

    with watch(quiet=False) as progress:
        findings = diagnose(
            prefix or default_prefix(), env=os.environ, check_digests=digests, progress=progress
        )
    for finding in findings:
        say(f"{finding.level}: {finding.what}" + (f"; fix: {finding.fix}" if finding.fix else ""))
    problems = sum(finding.level == "problem" for finding in findings)
    if problems:
        raise UsageFault(
            f"{counted(problems, 'problem')} found", hint="begin at the top; after each fix run doctor again"
        )


def rollback(
    context: typer.Context,
    *,
    prefix: PrefixOption = None,
    to: Annotated[
        int | None,
        typer.Option(
            "--to",
            envvar="UV_BUNDLER_TO",
            min=1,
            help="The number of the generation. Default: the newest before the active one.",
        ),
    ] = None,
    reason: Reason = None,
    quiet: Quiet = False,
) -> None:
    """Activate an older generation again. Its files are hashed first; the exports stay as they are.

    What this host has seen is not forgotten: older bundles are refused as before.

    Example: uv-bundler rollback --reason "uv 0.13.8 breaks the build farm"
    """
    from bundler.offline.prefix import default_prefix
    from bundler.offline.rollback import roll_back

    with watch(quiet=quiet) as progress:
        done = roll_back(
            prefix or default_prefix(), to=to, reason=reason, command=command_line(context), progress=progress
        )
    if quiet:
        return
    now, before = done.now, done.before
    title = f"generation {now.number} ({now.name} {now.release}, serial {now.serial})"
    if now == before:
        say(f"{title} is active already, nothing to do")
    else:
        say(f"{title} is active in place of {before.number} (serial {before.serial})")


def _active(prefix: Path | None) -> tuple[Prefix, Generation]:
    from bundler.offline.generation import active_generation
    from bundler.offline.prefix import check_prefix, default_prefix, system_prefix

    where = check_prefix(prefix or default_prefix())
    generation = active_generation(where)
    if generation is None:
        shared = system_prefix()
        known = prefix is None and where.root != shared and (shared / "current").exists()
        raise UsageFault(
            f"{where.root}: nothing is unpacked here, expected an unpacked bundle",
            hint=f"this machine has one for all users: add --prefix {shared}"
            if known
            else "unpack a bundle first, or name its --prefix",
        )
    return where, generation
