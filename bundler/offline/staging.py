"""Build a generation out of sight: every file and folder synced, every mode explicit (FORMAT.md §10)."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from bundler.core.digest import hash_file, read_chunks
from bundler.core.durable import host_faults, make_folder, sync_folder, write_all
from bundler.errors import HostFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from bundler.core.index import Artifact

_OPEN = 16  # files that may wait for their sync, each with an open descriptor; `ulimit -n 64` is enough
_SYNCERS = 2  # files synced while the next one is read; the device decides how fast that is


class Staging:
    """A generation that is being built in `folder`, which must not exist; use it in a `with`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pool = ThreadPoolExecutor(_SYNCERS)
        self._syncs: deque[tuple[Future[None], int]] = deque()
        self._made: set[Path] = set()
        self._lock = threading.Lock()  # over the two above: several threads write files

    def __enter__(self) -> Staging:  # noqa: PYI034  # typing.Self needs Python 3.11
        self._folder(self.folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        for sync, handle in self._syncs:
            if sync.cancelled():
                os.close(handle)

    @contextlib.contextmanager
    def file(self, path: str, *, executable: bool = False) -> Iterator[Callable[[bytes], object]]:
        """Give a function that appends to the new file `path`; it is synced in the background."""
        target = self.folder / path
        with self._lock:
            self._folder(target.parent)
        flags = (
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        )
        with host_faults(target):
            handle = os.open(target, flags, 0o600)
        try:
            with host_faults(target):
                yield lambda data: write_all(handle, data)
                if os.name != "nt":
                    os.fchmod(handle, 0o755 if executable else 0o644)
        except BaseException:
            os.close(handle)
            raise
        with self._lock:
            self._syncs.append((self._pool.submit(_sync_and_close, handle, target), handle))
            oldest = self._syncs.popleft()[0] if len(self._syncs) > _OPEN else None
        if oldest:
            oldest.result()

    def discard(self, path: str) -> None:
        """Remove a file that was not finished."""
        with host_faults(self.folder / path):
            (self.folder / path).unlink(missing_ok=True)

    def write(self, path: str, data: bytes) -> None:
        """Write a small file whole."""
        with self.file(path) as append:
            append(data)

    def link(self, source: Path, path: str) -> None:
        """Give `source` a further name; a copy where the file system has no hard links."""
        target = self.folder / path
        with self._lock:
            self._folder(target.parent)
        with host_faults(target):
            try:
                os.link(source, target, follow_symlinks=False)
            except (OSError, NotImplementedError):
                self._copy(source, path, executable=os.access(source, os.X_OK))

    def _copy(self, source: Path, path: str, *, executable: bool) -> None:
        with self.file(path, executable=executable) as append:
            for data in read_chunks(source):
                append(data)

    def adopt(self, source: Path, artifact: Artifact) -> bool:
        """Link content of the active generation where it still has the artifact's digest; else say no."""
        try:
            mode = source.lstat().st_mode
            if not stat.S_ISREG(mode):
                return False
            if hash_file(source) != (artifact.sha256, artifact.size):
                return False
        except OSError:
            return False
        if os.name != "nt" and bool(mode & 0o111) != artifact.executable:
            self._copy(source, artifact.path, executable=artifact.executable)  # the mode is the file's own
            return True
        self.link(source, artifact.path)
        if os.name != "nt":
            (self.folder / artifact.path).chmod(0o755 if artifact.executable else 0o644)
        return True

    def finish(self) -> None:
        """Return when every file and folder is on the disk; raises `HostFault` where one is not."""
        while self._syncs:
            self._syncs.popleft()[0].result()
        for folder in sorted(self._made, key=lambda one: len(one.parts), reverse=True):
            with host_faults(folder):
                sync_folder(folder)
        with host_faults(self.folder.parent):
            sync_folder(self.folder.parent)

    def _folder(self, folder: Path) -> None:
        if folder in self._made:
            return
        make_folder(folder)
        if folder != self.folder.parent:
            self._made.add(folder)
        if folder not in (self.folder, self.folder.parent):
            self._folder(folder.parent)


def _sync_and_close(handle: int, target: Path) -> None:
    with host_faults(target):
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sweep(folder: Path) -> None:
    """Remove what an earlier run left in `folder`; raises `HostFault` where somebody else's things lie there.

    A prefix may be named by mistake, and has a `staging` of its own: nothing but generations is removed.
    """
    if folder.exists():
        with host_faults(folder):
            if foreign := sorted(one.name for one in folder.iterdir() if not one.name.isdecimal()):
                raise HostFault(
                    f"{folder / foreign[0]}: is not from uv-bundler, expected what an earlier unpack left",
                    hint="choose another --prefix, or move it out of there",
                )
            shutil.rmtree(folder)
