"""Commands for machines without a network: unpack, env, status, doctor."""

from __future__ import annotations

import os
import time
from pathlib import Path  # noqa: TC003  # typer reads it from the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.commands.either import say_signers
from bundler.commands.options import (
    Bundles,
    PrefixOption,
    Quiet,
    TrustOption,
    Verifier,
    bundle_name,
    find_bundle,
    load_trust_option,
    one_of,
    open_bundle,
)
from bundler.commands.output import emit, say
from bundler.commands.watch import watch
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from bundler.offline.generation import Generation
    from bundler.offline.prefix import Prefix
    from bundler.offline.unpack import Decision

Shell = Annotated[
    str | None,
    typer.Option(
        "--shell",
        envvar="UV_BUNDLER_SHELL",
        help="Form of the exports: sh, fish, powershell, cmd, systemd, dotenv or uv-toml.",
    ),
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline",
        envvar="UV_BUNDLER_OFFLINE",
        help="Export UV_OFFLINE=1 too, although it stops uv from installing Pythons by itself.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command()(unpack)
    app.command("env")(print_exports)
    app.command()(status)
    app.command()(doctor)


def unpack(
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
    accept_name: Annotated[
        str | None,
        typer.Option(
            "--accept-name",
            envvar="UV_BUNDLER_ACCEPT_NAME",
            help="Let a bundle of this other name replace the active one.",
        ),
    ] = None,
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
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.core.platforms import host_platform
    from bundler.offline import unpack as core
    from bundler.offline.exporting import check_exportable, exports
    from bundler.offline.prefix import check_prefix, default_prefix
    from bundler.offline.shells import SHELLS, detect_shell
    from bundler.signing.trust import VERIFIERS

    path, begun = _one(bundle), time.monotonic()
    one_of("--verifier", verifier, known=VERIFIERS)
    form = one_of("--shell", shell or detect_shell(os.environ), known=SHELLS)
    request = core.Request(
        prefix=prefix or default_prefix(),
        trust=load_trust_option(trust),
        host=host_platform(),
        platforms=tuple(platform or ()),
        accept_name=accept_name,
        verifier=verifier,
    )
    if dry_run:
        with open_bundle(path) as stream:
            decision = core.dry_run(stream, request, name=bundle_name(path))
        emit(_planned(decision))
        if not quiet:
            say("dry run: only the index was read and verified, nothing was written")
        return
    check_exportable(check_prefix(request.prefix), shell=form)
    with open_bundle(path) as stream, watch(quiet=quiet) as progress:
        generation, decision = core.unpack(stream, request, name=bundle_name(path), progress=progress)
    where = check_prefix(request.prefix)
    if not quiet:
        say_signers(decision.verified.signers)
        _say_result(decision, where, time.monotonic() - begun)
    if install_pythons:
        from bundler.offline.interpreters import install_all

        with watch(quiet=quiet) as progress:
            for key in install_all(generation, where, progress=progress):
                if not quiet:
                    say(f"{where.python}: has {key}")
    emit(exports(generation, where, shell=form, offline=offline))


def _one(bundles: list[Path]) -> Path:
    if len(bundles) != 1:
        raise UsageFault(
            f"{bundles[1]}: expected one bundle, found {len(bundles)}",
            hint="this uv-bundler does not read volumes: join them, or name one bundle",
        )
    return find_bundle(bundles[0])


def _planned(decision: Decision) -> str:
    from bundler.core.text import printable, size

    plan, index = decision.plan, decision.verified.index
    if decision.already_active:
        return printable(f"nothing to do: {index.title} is active") + "\n"
    lines = [
        f"{index.title} for {', '.join(map(str, plan.platforms))}",
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
        f"{prefix.root}: {title} is active{place}: {size(decision.plan.needed)} written{kept}, "
        f"in {duration(elapsed)}"
    )


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
    artifacts = generation.artifacts(generation.index())
    lines = [
        f"{generation.name} {generation.release}, serial {generation.serial}, generation {generation.number}",
        f"prefix     {where.root}",
        f"uv         {', '.join(generation.uv)}",
        f"platforms  {', '.join(map(str, generation.platforms))}",
        f"index      sha256 {generation.index_sha256}",
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
