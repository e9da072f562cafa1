"""The per-user cache of fetched files, named by their digest; safe for several processes at once.

Guarantees: what `find` returns was hashed just now and fits its digest; a file that does not fit is removed,
so that the caller fetches it again. Downloads begin as partials that outlive the process and are resumed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bundler.core.digest import hash_file
from bundler.core.durable import sync_folder, try_lock
from bundler.errors import HostFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bundler.core.digest import Digest

VARIABLE = "UV_BUNDLER_CACHE_DIR"
_STALE = 14 * 24 * 3600  # seconds after which an untouched partial is removed


def default_root(environ: Mapping[str, str]) -> Path:
    """Return where the cache lies: `UV_BUNDLER_CACHE_DIR`, else the per-user cache folder of this system."""
    if named := environ.get(VARIABLE):
        return Path(named).expanduser().absolute()
    if sys.platform == "win32":
        base = environ.get("LOCALAPPDATA")
        return (Path(base) if base else Path.home() / "AppData" / "Local") / "uv-bundler" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "uv-bundler"
    base = environ.get("XDG_CACHE_HOME")
    # The XDG base directory specification: a relative path is invalid and to be ignored.
    return (Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache") / "uv-bundler"


class Cache:
    """A folder of files by digest: `sha256/ab/<hex>`, and partial downloads below `partial/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path_of(self, digest: Digest) -> Path:
        """Return where the content with this digest lies, or would lie."""
        return self.root / "sha256" / digest.hex[:2] / digest.hex

    def find(self, digest: Digest) -> Path | None:
        """Return the cached file, hashed again just now; a damaged one is removed and counts as missing."""
        path = self.path_of(digest)
        try:
            found, _ = hash_file(path)
            if found == digest:
                return path
            path.unlink(missing_ok=True)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise _unusable(path, error) from error
        return None

    def adopt(self, path: Path, digest: Digest) -> Path:
        """Move a file that the caller has hashed into the cache, atomically and durably; return its place.

        `path` must lie on the cache's file system: below `scratch()` or from `partial()`.
        """
        target = self.path_of(digest)
        try:
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
            sync_folder(target.parent)
        except OSError as error:
            raise _unusable(target, error) from error
        return target

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Lend a private empty folder on the cache's file system, removed afterwards."""
        base = self.root / "tmp"
        try:
            base.mkdir(parents=True, exist_ok=True)
            folder = tempfile.TemporaryDirectory(dir=base, ignore_cleanup_errors=True)
        except OSError as error:
            raise _unusable(base, error) from error
        with folder as name:
            yield Path(name)

    @contextlib.contextmanager
    def partial(self, url: str) -> Iterator[Path]:
        """Lend the path at which the download of `url` is kept between runs, to one process at a time.

        Where another process is at it, the path is a private one that does not outlive the block:
        the same bytes are fetched twice then, but nobody waits and nobody writes into another's file.
        """
        folder = self.root / "partial"
        name = hashlib.sha256(url.encode()).hexdigest()[:32]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = (folder / f"{name}.lock").open("ab")
        except OSError as error:
            raise _unusable(folder, error) from error
        with lock:
            mine = False
            with contextlib.suppress(
                OSError
            ):  # a file system without locks: a private one is right there too
                mine = try_lock(lock.fileno())
            if mine:
                os.utime(lock.name)
                yield folder / f"{name}.part"
                return
        with self.scratch() as private:
            yield private / f"{name}.part"

    def tidy(self, *, now: float | None = None) -> None:
        """Remove partials, locks and scratch folders that nobody has touched for two weeks."""
        before = (time.time() if now is None else now) - _STALE
        for path in (*self.root.glob("partial/*"), *self.root.glob("tmp/*")):
            with contextlib.suppress(OSError):  # another process may be tidying as well
                if path.lstat().st_mtime < before:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _unusable(path: Path, error: OSError) -> HostFault:
    return HostFault(
        f"{path}: cannot be used as cache: {error.strerror or error}",
        hint=f"free some space, or name another folder in {VARIABLE}",
    )
