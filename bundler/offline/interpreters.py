"""`--install-pythons`: let the bundle's own uv install every interpreter for all users of this host."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bundler.core import metadata
from bundler.core.durable import host_faults, make_folder, read_own, sync_folder, whole_file
from bundler.core.index import METADATA_NAME
from bundler.core.platforms import host_platform
from bundler.errors import DamagedFault, HostFault, PolicyFault
from bundler.offline.actor import whoami
from bundler.offline.audit import Log
from bundler.offline.exporting import export_facts
from bundler.offline.prefix import locked
from bundler.offline.settings import settings

if TYPE_CHECKING:
    from bundler.core.progress import Progress
    from bundler.offline.generation import Generation
    from bundler.offline.prefix import Prefix

_MINUTES = 30 * 60  # seconds one install may take, on a slow disk
_UNFINISHED = "installing"  # in PREFIX/state: keys that are being installed, one a line
_MAX_UNFINISHED = 1 << 20  # bytes
_UMASK = 0o022  # of uv, and of Python, which leaves `__pycache__`


def install_all(
    generation: Generation, prefix: Prefix, *, command: str, progress: Progress
) -> tuple[str, ...]:
    """Install each interpreter of this host's platform into PREFIX/python; return the installation keys.

    uv runs without a network (`UV_OFFLINE=1`) and without configuration files. Each interpreter is started
    once afterwards. What a run that was stopped left half installed is installed again. Raises `PolicyFault`
    where the bundle has no uv for this host, `HostFault` where an installed interpreter does not run,
    `DamagedFault` where uv refuses an archive.
    """
    uv = prefix.current / "bin" / ("uv.exe" if os.name == "nt" else "uv")
    if not uv.exists():
        raise PolicyFault(
            f"{uv}: this bundle has no uv for {host_platform()}",
            hint="unpack without --install-pythons, or have uv packed for this platform",
        )
    keys = native_keys(generation)
    rows = metadata.parse_rows((generation.folder / METADATA_NAME).read_bytes())
    builds = {row.key: row.build for row in rows if row.build is not None}
    with locked(prefix):
        log = Log(prefix.log, who=whoami(), command=command)
        with log.recording("install", generation_after=generation.number) as entry:
            make_folder(prefix.python)
            unfinished = unfinished_installs(prefix)
            before = {key: _installed_build(prefix.python / key) for key in keys}
            again = {
                key
                for key in keys
                if key in unfinished
                or (before[key] is not None and before[key] != builds.get(key, before[key]))
            }
            entry.begin()
            # uv syncs nothing, and takes a folder that is half there for an installed Python (FORMAT.md §10).
            _note_unfinished(
                prefix, {*unfinished, *again, *(k for k in keys if not (prefix.python / k).exists())}
            )
            with tempfile.TemporaryDirectory(prefix="uv-bundler-") as scratch:
                env = uv_environment(generation, prefix, scratch=Path(scratch), install_dir=prefix.python)
                for key in keys:
                    progress.stage(f"install {key}", None)
                    if key in again and key not in unfinished:
                        progress.note(f"{key}: build {before[key]} is replaced by {builds[key]}")
                    install_one(uv, key, env=env, again=key in again)
                    run_one(uv, key, env=env)
            progress.stage("sync to disk", None)
            if hasattr(os, "sync"):
                os.sync()
            _note_unfinished(prefix, unfinished - set(keys))
    return keys


def unfinished_installs(prefix: Prefix) -> set[str]:
    """Return the installation keys that a run began to install and never finished."""
    path = prefix.state / _UNFINISHED
    with host_faults(path):
        try:
            return set(read_own(path, limit=_MAX_UNFINISHED).decode("utf-8", "replace").split())
        except FileNotFoundError:
            return set()


def _note_unfinished(prefix: Prefix, keys: set[str]) -> None:
    path = prefix.state / _UNFINISHED
    if keys:
        with whole_file(path) as stream:
            stream.write("".join(f"{key}\n" for key in sorted(keys)).encode())
        return
    with host_faults(path):
        path.unlink(missing_ok=True)
        sync_folder(path.parent)


def native_keys(generation: Generation) -> tuple[str, ...]:
    """Return the installation keys of the archives that are for exactly this host's platform."""
    artifacts = generation.artifacts(generation.index())
    host = host_platform()
    return tuple(one.key for one in artifacts if one.role == "archive" and one.key and one.platform == host)


def uv_environment(
    generation: Generation, prefix: Prefix, *, scratch: Path, install_dir: Path
) -> dict[str, str]:
    """Return an environment in which uv sees the exports, no network, and no one's configuration.

    `scratch` takes uv's cache and home, so that nothing of the person who runs this is touched.
    """
    facts = export_facts(generation, prefix, generation.index(), offline=True)
    exported = {one.name: one.value for one in settings(facts) if one.name != "PATH"}
    kept = {
        name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ
    }
    return {
        **kept,
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "UV_CACHE_DIR": str(scratch / "cache"),
        **exported,
        "UV_OFFLINE": "1",
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_INSTALL_DIR": str(install_dir),
        "UV_PYTHON_INSTALL_BIN": "0",
    }


def _installed_build(folder: Path) -> str | None:
    """Return the build that uv noted beside an installed interpreter (0.8.14 and newer), or None."""
    try:
        return (folder / "BUILD").read_text().strip()[:100]
    except (OSError, UnicodeDecodeError):
        return None


def install_one(uv: Path, key: str, *, env: dict[str, str], again: bool = False) -> None:
    """Run `uv python install KEY`; raises `DamagedFault` with uv's own words where it fails.

    `again` replaces what is installed: uv by itself keeps an interpreter of the same version, although its
    build, with a patched OpenSSL for instance, may be newer (seen with 0.13.8).
    """
    done = run_uv(uv, "python", "install", *(["--reinstall"] if again else []), key, env=env)
    if done.returncode:
        raise DamagedFault(
            f"{key}: uv python install ended with {done.returncode}: {_last_words(done)}",
            hint="run `uv-bundler doctor --digests`; the unpacked generation stays active",
        )


def run_one(uv: Path, key: str, *, env: dict[str, str]) -> str:
    """Start the installed interpreter; return its version. Raises `HostFault` where it does not run."""
    found = run_uv(uv, "python", "find", "--no-project", key, env=env)
    python = found.stdout.strip() or "no interpreter found"
    try:
        done = subprocess.run(
            [python, "-I", "-c", "import platform; print(platform.python_version())"],
            env=env, umask=_UMASK, capture_output=True, text=True, timeout=_MINUTES, check=False,
        )  # fmt: skip
        words = _last_words(done)
    except OSError as error:
        raise HostFault(
            f"{python}: {error.strerror}, expected {key} to start",
            hint="is that file system mounted noexec? `uv-bundler doctor` tells; choose another --prefix",
        ) from None
    if done.returncode:
        raise HostFault(
            f"{python}: ended with {done.returncode}: {words}", hint="this host lacks something that it needs"
        )
    return done.stdout.strip()


def run_uv(uv: Path, *words: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run uv to its end and return what it said; raises `HostFault` where it cannot be started.

    What uv writes can be read by all and written by its owner, whatever the umask: of the modes in an archive
    uv keeps the x bits only (seen with 0.13.8).
    """
    try:
        return subprocess.run(
            [str(uv), *words], env=env, umask=_UMASK, capture_output=True, text=True, timeout=_MINUTES,
            check=False,
        )  # fmt: skip
    except OSError as error:
        raise HostFault(
            f"{uv}: {error.strerror}, expected uv to start",
            hint="is that file system mounted noexec? `uv-bundler doctor` tells; choose another --prefix",
        ) from None


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return " ".join(lines[-3:]) or "it said nothing"
