"""`demo`: the whole journey on one machine, each step a command that a person could type.

The commands are run as they are shown. Where upstream's archives cannot be reached, the interpreter that
runs uv-bundler is carried instead, and the demo says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults
from bundler.core.text import duration, size
from bundler.errors import BundlerError, UsageFault
from bundler.offline.isolation import without_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MANIFEST = """\
# The newest uv and the newest Python 3.13, for this machine.
version: 1
name: demo
release: demo
uv: latest
pythons: ["3.13"]
platforms: [host]
"""
_OWN_BUILD = """\
# The newest uv, and the Python that runs uv-bundler.
version: 1
name: demo
release: demo
uv: latest
pythons: []
platforms: [host]
builds:
  - {{path: {prefix}, platform: host}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where the demo plays: a folder, the options for every command, and who is told."""

    folder: Path
    sources: tuple[str, ...]
    tell: Callable[[str], None]

    def run(self, *words: str, env: dict[str, str] | None = None, shown: str | None = None) -> str:
        """Show a command, run it in the folder, say how long it took; return its stdout.

        Raises `BundlerError` with the command's own last words and exit code.
        """
        self.tell(f"$ {shown or shlex.join(words)}")
        command = [sys.executable, "-m", "bundler", *words[1:]] if words[0] == "uv-bundler" else list(words)
        begun = time.monotonic()
        done = subprocess.run(
            command, cwd=self.folder, env=env or _child_env(), capture_output=True, text=True, check=False
        )
        for line in done.stderr.splitlines():
            self.tell(f"  {line.removeprefix('uv-bundler: ')}")
        if done.returncode:
            failed = BundlerError(
                f"demo: {words[0]} {words[1]} ended with {done.returncode}", hint="the reason stands above"
            )
            failed.exit_code = done.returncode
            raise failed
        self.tell(f"  ({duration(time.monotonic() - begun)})")
        return done.stdout


def run_demo(
    folder: Path | None,
    *,
    index: str | None,
    python_mirror: str | None,
    cache_dir: Path | None,
    tell: Callable[[str], None],
) -> None:
    """Play the journey in `folder`, or in one that is removed; raises what its commands end with."""
    options = (("--index", index), ("--python-mirror", python_mirror), ("--cache-dir", cache_dir))
    sources = tuple(word for name, value in options if value for word in (name, str(value)))
    with _folder(folder) as place:
        stage = Stage(folder=place, sources=sources, tell=tell)
        tell(f"working in {place}")
        tell("1. on a machine with a network: a manifest says what is wished, a lock what that means exactly")
        key = _lock(stage)
        tell("2. pack it into one signed file")
        stage.run("uv-bundler", "keygen", "throw-away-key", "--comment", "uv-bundler-demo-THROW-AWAY")
        bundle = stage.run(
            "uv-bundler", "pack", "demo.yaml", "-o", ".", "--key", "throw-away-key", *sources
        ).strip()
        tell(f"  {bundle}: {size((place / bundle).stat().st_size)}; this file travels")
        tell("3. on a machine without a network: check it, unpack it, keep the exports")
        stage.run("uv-bundler", "verify", bundle, "--trust", "throw-away-key.pub")
        unpack = ("unpack", bundle, "--trust", "throw-away-key.pub", "--prefix", "host", "--shell", "sh")
        exports = stage.run("uv-bundler", *unpack, shown=f"uv-bundler {shlex.join(unpack)} > exports")
        (place / "exports").write_text(exports)
        tell("4. as a user, without a network: uv installs and runs that Python")
        _use(stage, key)
        tell(f"that Python came out of {bundle}; nothing was fetched in steps 3 and 4")


@contextlib.contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    if named is not None:
        if named.exists() and any(named.iterdir()):
            raise UsageFault(f"{named}: is not empty, expected a new folder", hint="name another one")
        with host_faults(named):
            named.mkdir(parents=True, exist_ok=True)
        yield named.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="uv-bundler-demo-") as scratch:
        yield Path(scratch)


def _lock(stage: Stage) -> str:
    """Lock the real manifest, or one of an own build where upstream cannot be reached; return the key."""
    manifest = stage.folder / "demo.yaml"
    manifest.write_text(_MANIFEST)
    stage.run("uv-bundler", "lock", "demo.yaml", *stage.sources)
    python = _locked(stage)["pythons"][0]
    if python["size"] is None:
        stage.tell(
            f"  {python['key']} resolves, but its archive cannot be reached from here; the demo carries an "
            f"own build of the running Python {sys.version.split()[0]} instead"
        )
        manifest.write_text(_OWN_BUILD.format(prefix=json.dumps(os.path.realpath(sys.base_prefix))))
        stage.run("uv-bundler", "lock", "demo.yaml", *stage.sources)
        python = _locked(stage)["builds"][0]
    return str(python["key"])


def _locked(stage: Stage) -> dict[str, list[dict[str, str | None]]]:
    document: dict[str, list[dict[str, str | None]]] = json.loads((stage.folder / "demo.lock").read_bytes())
    return document


def _use(stage: Stage, key: str) -> None:
    """Run the bundle's uv with nothing but the exports, in an empty network namespace if possible."""
    isolated = without_network()
    if not isolated:
        stage.tell(
            "  (this machine gives no empty network namespace: UV_OFFLINE=1 forbids the network instead)"
        )
    prefix = [*isolated, "env", *([] if isolated else ["UV_OFFLINE=1"])]
    script = f'. ./exports && uv python install {key} && uv run --no-project -p {key} python -c "$0"'
    code = "import platform, ssl, sys; print(platform.python_version(), 'runs from', sys.prefix)"
    home = stage.folder / "home"
    home.mkdir(exist_ok=True)
    env = {"HOME": str(home), "PATH": os.environ.get("PATH", os.defpath)}
    out = stage.run(
        *prefix, "sh", "-c", script, code, env=env, shown=shlex.join([*prefix, "sh", "-c", script, code])
    )
    for line in out.splitlines():
        stage.tell(f"  {line}")


def _child_env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
