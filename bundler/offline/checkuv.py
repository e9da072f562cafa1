"""`doctor` on programs: does the bundle's uv run, which uv comes first on PATH, what stands in their way."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bundler.offline.findings import command, export_line, ok, problem, warn
from bundler.offline.settings import RULES, parse_version, show_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bundler.offline.findings import Finding
    from bundler.offline.settings import Setting

MOUNTINFO = Path("/proc/self/mountinfo")
_TIMEOUT = 30  # seconds that `uv --version` may take; a cold disk needs one or two


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of running `uv --version`: a version, or the reason why there is none."""

    version: str | None
    reason: str = ""


def try_uv(program: Path, *, env: Mapping[str, str]) -> Tried:
    """Run `program --version`."""
    try:
        run = subprocess.run(
            [program, "--version"],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Tried(version=None, reason=f"did not end within {_TIMEOUT} s")
    except OSError as error:
        return Tried(version=None, reason=error.strerror or str(error))
    found = re.match(rb"uv (\d\S*)", run.stdout)
    if run.returncode or not found:
        said = (run.stderr or run.stdout).decode("utf-8", "replace").strip().splitlines()
        return Tried(version=None, reason=f"exit code {run.returncode}" + (f": {said[-1]}" if said else ""))
    return Tried(version=found[1].decode("ascii", "replace"))


def check_noexec(folder: Path, *, mountinfo: Path = MOUNTINFO) -> list[Finding]:
    """Tell where programs below `folder` cannot be started because of how its file system is mounted."""
    point, options = _mount_of(folder, mountinfo)
    if "noexec" not in options:
        return []
    return [
        problem(
            f"{folder}: {point} is mounted noexec, no program below it can be started",
            fix=f"{command('mount', '-o', 'remount,exec', point)}, or choose a folder on another file system",
        )
    ]


def _mount_of(folder: Path, mountinfo: Path) -> tuple[str, list[str]]:
    """Return mount point and options of the file system of `folder` (proc(5); only Linux has the file)."""
    best, options = "", list[str]()
    try:
        text = mountinfo.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return best, options
    real = os.path.realpath(folder)
    for line in text.splitlines():
        fields = line.split(" ")
        if len(fields) < 6:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), fields[4])
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # of equal ones the later is mounted on top
            best, options = point, fields[5].split(",")
    return best, options


def check_bundled_uv(
    current: Path, *, expected: str, env: Mapping[str, str], mountinfo: Path = MOUNTINFO
) -> list[Finding]:
    """Run the uv of the bundle, and say why where it does not."""
    if blocked := check_noexec(current, mountinfo=mountinfo):
        return blocked
    program = current / "bin" / ("uv.exe" if os.name == "nt" else "uv")
    if not os.path.exists(program):  # noqa: PTH110  # Path's raises in closed folders
        return []  # said by the files already, or the bundle has none for this host
    tried = try_uv(program, env=env)
    if tried.version is None:
        return [
            problem(
                f"{program}: does not run: {tried.reason}",
                fix="unpack a bundle for this platform, and allow its programs where a policy forbids them",
            )
        ]
    if tried.version != expected:
        return [
            problem(
                f"{program}: is uv {tried.version}, expected {expected}",
                fix=f"remove the link {current}, then unpack the bundle again",
            )
        ]
    return [ok(f"{program}: runs, uv {expected}")]


def check_path(
    current: Path, settings: tuple[Setting, ...], *, env: Mapping[str, str]
) -> tuple[list[Finding], str | None]:
    """Look at the uv that the person's PATH finds; return its version too, where it is another one."""
    if not any(one.name == "PATH" for one in settings):
        return [], None
    export = export_line(current.parent)
    found = shutil.which("uv", path=env.get("PATH", ""))
    if found is None:
        return [warn("PATH: finds no uv, expected the one of the bundle", fix=export)], None
    program = Path(found)
    if not program.is_absolute():  # it may be the medium's, and nobody vouches for that: it is not run
        fix = "take `.` and empty entries out of PATH"
        return [
            problem(f"PATH: finds {program.name} in the current folder, whatever folder that is", fix=fix)
        ], None
    own = current / "bin" / program.name
    if os.path.exists(own) and program.samefile(own):  # noqa: PTH110  # Path's raises in closed folders
        return [ok(f"PATH: finds the uv of the bundle, {program}")], None
    tried = try_uv(program, env=env)
    if tried.version is None:
        return [
            problem(f"{program}: comes first on PATH, and does not run: {tried.reason}", fix=export)
        ], None
    told = {one.name for one in settings}
    ignored = [rule for rule in RULES if rule.name in told and rule.since > parse_version(tried.version)]
    if ignored:
        listed = ", ".join(f"{one.name} (since {show_version(one.since)})" for one in ignored)
        finding = problem(
            f"{program}: comes first on PATH, and uv {tried.version} is too old for {listed}",
            fix=f"{export}, which puts {current / 'bin'} in front",
        )
    else:
        finding = warn(
            f"{program}: comes first on PATH and is uv {tried.version}, not the one of the bundle",
            fix=f"{export}, which puts {current / 'bin'} in front",
        )
    return [finding], tried.version
