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
from bundler.connected.readarchive import unpack
from bundler.core.platforms import host_platform
from bundler.core.progress import Silent
from bundler.core.uvnames import file_name


def host_prefix() -> Path:
    """Return the installed Python that runs the tests; skips the test where it cannot be archived."""
    if sys.platform == "win32" or sys.implementation.name != "cpython":
        pytest.skip("an installed prefix can be archived on Linux and macOS, of CPython only")
    return Path(sys.base_prefix)


def host_build() -> OwnBuild:
    """Return an own build of the interpreter that runs the tests, made in a few seconds and once."""
    return _build(host_prefix())


def host_tree() -> Path:
    """Return the `python` folder of that build, unpacked once; to be looked at, not to be changed."""
    return _tree(host_build())


@functools.cache
def _tree(own: OwnBuild) -> Path:
    folder = _folder()
    archive = folder / file_name(own.row.url)
    archive.hardlink_to(own.path)  # the cache's name has no suffix
    unpack(archive, folder / "tree")
    return folder / "tree" / "python"


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="uv-bundler-own-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def _build(prefix: Path) -> OwnBuild:
    build = PrefixBuild(path=prefix, written=str(prefix), platform=host_platform())
    return prepare(build, cache=Cache(_folder()), progress=Silent())
