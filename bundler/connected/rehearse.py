"""`rehearse`: what the bundle will do on a host, tried in a scratch prefix with the bundle's own uv.

The native platform is tried for real, without a network: list, install, start, `uv venv`, `uv run`. For
foreign platforms the same uv lists the rows, and the names in the two trees are compared with uv's rules.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bundler.core import metadata
from bundler.core.fault import Fault
from bundler.core.index import METADATA_NAME
from bundler.core.platforms import Platform, host_platform
from bundler.core.text import counted
from bundler.core.uvnames import cache_name, mirror_path
from bundler.errors import DamagedFault, IncompleteFault
from bundler.offline.deciding import Request
from bundler.offline.interpreters import install_one, native_keys, run_one, run_uv, uv_environment
from bundler.offline.isolation import without_network
from bundler.offline.policy import Wish
from bundler.offline.prefix import check_prefix
from bundler.offline.unpack import unpack
from bundler.volumes.opening import opened
from bundler.volumes.shortage import SEND_AGAIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from bundler.core.progress import Progress
    from bundler.offline.generation import Generation
    from bundler.offline.prefix import Prefix
    from bundler.offline.reader import Reader
    from bundler.signing.trust import Trust

_PACK_AGAIN = "do not send this bundle: pack it again, with the uv version that it is for"
_KEY = re.compile(r"^(?:cpython|pypy|graalpy)-\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that was tried, and what came of it."""

    what: str
    result: str


def rehearse(
    stream: BinaryIO | Reader, *, name: str, trust: Trust, progress: Progress, since: Sequence[Path] = ()
) -> Iterator[Step]:
    """Unpack into a scratch prefix and try everything; yields each step as it is done.

    `since` are the bundles that a delta builds on: they are unpacked there before, the oldest first.

    Raises what `unpack` raises, and `DamagedFault` or `HostFault` at the first thing that does not work.
    """
    with tempfile.TemporaryDirectory(prefix="uv-bundler-rehearsal-") as scratch:
        # A folder name with a space: what breaks there breaks on somebody's host.
        prefix = check_prefix(Path(scratch) / "a prefix")
        request = Request(
            prefix=prefix.root,
            trust=replace(trust, store=None),  # nothing outside the scratch folder changes
            host=host_platform(),
            platforms=("all",),
            wish=Wish(rehearsal=True),
            command="rehearse",
        )
        for earlier in since:
            with opened([earlier]) as before:
                _, decision = unpack(before.source, request, name=before.name, progress=progress)
            yield Step(what="unpack", result=f"{decision.verified.index.title}, which it builds on")
        try:
            generation, decision = unpack(stream, request, name=name, progress=progress)
        except IncompleteFault as fault:
            if fault.hint and SEND_AGAIN in fault.hint:  # a volume, and not what it builds on
                raise
            raise IncompleteFault(
                fault.message, hint="name that bundle with --since: it is unpacked there before"
            ) from None
        progress.stage("rehearse", None)
        yield Step(what="unpack", result=f"{decision.verified.index.title} in a scratch prefix")
        yield from _foreign_names(generation)
        programs = _uv_programs(generation, decision.verified.index.uv)
        if not programs:
            yield Step(what="uv", result=f"none for {host_platform()} in the bundle: nothing can be run here")
        for version, uv in programs:
            yield from _try_uv(uv, version, generation, prefix, scratch=Path(scratch) / version)


def _uv_programs(generation: Generation, versions: tuple[str, ...]) -> list[tuple[str, Path]]:
    host, found = host_platform(), []
    for version in versions:
        for platform in (host, Platform(host.os, host.arch, "musl")):
            uv = generation.folder / "uv" / version / str(platform) / ("uv.exe" if os.name == "nt" else "uv")
            if uv.exists():
                found.append((version, uv))
                break
    return found


def _try_uv(
    program: Path, version: str, generation: Generation, prefix: Prefix, *, scratch: Path
) -> Iterator[Step]:
    scratch.mkdir()
    env = uv_environment(generation, prefix, scratch=scratch, install_dir=scratch / "python")
    isolated = without_network()
    uv = _wrapped(program, isolated, scratch) if isolated else program
    where = "without a network" if isolated else "with UV_OFFLINE=1 (no network namespace on this machine)"
    yield Step(what=f"uv {version}", result=f"runs {where}")
    listed = run_uv(uv, "python", "list", "--all-versions", "--all-platforms", "--only-downloads", env=env)
    shown = {found.group() for line in listed.stdout.splitlines() if (found := _KEY.match(line))}
    held = generation.artifacts(generation.index())
    expected = {one.key for one in held if one.role == "archive" and one.key}
    if expected - shown:
        raise DamagedFault(
            f"uv {version}: lists {len(shown & expected)} of {counted(len(expected), 'interpreter')}, "
            f"expected {', '.join(sorted(expected - shown))} too: {listed.stderr.strip()}",
            hint=_PACK_AGAIN,
        )
    yield Step(what=f"uv {version} python list", result=f"all of {counted(len(expected), 'interpreter')}")
    for key in native_keys(generation):
        try:
            install_one(uv, key, env=env)
        except DamagedFault as fault:
            raise DamagedFault(f"uv {version}: {fault.message}", hint=_PACK_AGAIN) from None
        version_found = run_one(uv, key, env=env)
        venv = scratch / "venv" / key
        for words in (
            ("venv", "--no-project", "-p", key, str(venv)),
            ("run", "--no-project", "-p", key, "python", "-V"),
        ):
            done = run_uv(uv, *words, env=env)
            if done.returncode:
                raise DamagedFault(f"uv {version} {words[0]} {key}: {done.stderr.strip()}", hint=_PACK_AGAIN)
        yield Step(
            what=f"uv {version} python install {key}",
            result=f"Python {version_found} runs, uv venv and uv run work",
        )
    shutil.rmtree(scratch)


def _wrapped(program: Path, isolated: tuple[str, ...], scratch: Path) -> Path:
    """Write a script that starts uv in an empty network namespace, so that everything it starts is in it."""
    from shlex import quote

    script = scratch / "uv"
    script.write_text(f'#!/bin/sh\nexec {" ".join(map(quote, isolated))} {quote(str(program))} "$@"\n')
    script.chmod(0o755)
    return script


def _foreign_names(generation: Generation) -> Iterator[Step]:
    """Check every row against the trees, by uv's naming: for platforms on which nothing can be run here."""
    try:
        rows = metadata.parse_rows((generation.folder / METADATA_NAME).read_bytes())
        for row in rows:
            _check_names(row, generation.folder)
    except Fault as fault:
        raise DamagedFault(f"{METADATA_NAME}: {fault}", hint=_PACK_AGAIN) from None
    foreign = [row for row in rows if row.platform != host_platform()]
    held = f"mirror and cache have the files of {counted(len(rows), 'row')}"
    yield Step(what="names", result=f"{held}, {len(foreign)} of them foreign")


def _check_names(row: metadata.Row, folder: Path) -> None:
    if row.sha256 is None:
        raise Fault(f"{row.key}: expected a sha256")
    for path in (mirror_path(row.url), f"python-cache/{cache_name(row.url, row.sha256)}"):
        if not (folder / path).is_file():
            raise Fault(f"{row.key}: expected {path}, which is not in the tree")
