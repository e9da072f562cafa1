"""One own build of the interpreter that runs the tests, made once however many test modules want it."""

from __future__ import annotations

import atexit
import functools
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from bundler.connected.cache import Cache
from bundler.connected.manifest import PrefixBuild
from bundler.connected.ownbuilds import OwnBuild, prepare
from bundler.core.platforms import host_platform
from bundler.core.progress import Silent


def host_prefix() -> Path:
    """Return the installed Python that runs the tests; skips the test where it cannot be archived."""
    if sys.platform == "win32" or sys.implementation.name != "cpython":
        pytest.skip("an installed prefix can be archived on Linux and macOS, of CPython only")
    return Path(sys.base_prefix)


def host_build() -> OwnBuild:
    """Return an own build of the interpreter that runs the tests, made in a few seconds and once."""
    return _build(host_prefix())


@functools.cache
def _build(prefix: Path) -> OwnBuild:
    folder = Path(tempfile.mkdtemp(prefix="uv-bundler-own-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    build = PrefixBuild(path=prefix, written=str(prefix), platform=host_platform())
    return prepare(build, cache=Cache(folder), progress=Silent())
