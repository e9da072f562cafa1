"""Files that appear whole or not at all: written beside the target, synced, renamed, folder synced."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bundler.errors import HostFault

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def whole_file(path: Path, *, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` when the block ends well, and vanishes when not.

    Raises `HostFault` where the folder cannot be written or the disk is full.
    """
    handle, temporary = create_beside(path)
    try:
        with host_faults(path), os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            finish_file(stream.fileno(), mode=mode)
        with host_faults(path):
            temporary.replace(path)
            sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def create_beside(path: Path) -> tuple[int, Path]:
    """Create an empty file beside `path`; return it, open for writing, and its hidden temporary name.

    Only its owner may read it before it is finished. Raises `HostFault`.
    """
    import tempfile

    with host_faults(path):
        try:
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        except OSError as error:  # people know the file by its own name
            raise OSError(error.errno, error.strerror, str(path)) from None
    return handle, Path(name)


def finish_file(handle: int, *, mode: int) -> None:
    """Give an open file its permissions, where there are any, and make its content durable.

    Raises `OSError`.
    """
    if hasattr(os, "fchmod"):
        os.fchmod(handle, mode)
    os.fsync(handle)


def read_own(path: Path, *, limit: int) -> bytes:
    """Return the content of a regular file, at most `limit` bytes and one that tells of more.

    Raises `OSError`, for a symbolic link, a FIFO or a device too: none of them is waited for or followed.
    """
    flags = (
        os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    with os.fdopen(os.open(path, flags), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.EINVAL, "is no regular file", str(path))
        return stream.read(limit + 1)


def read_up_to(stream: BinaryIO, count: int) -> bytes:
    """Return the next `count` bytes of a stream, fewer only at its end; uncopied where one call gives them.

    Raises `OSError`, also where a stream has none now and does not wait.
    """
    whole = bytearray()  # a pipe gives what it has: gathered in place, or many small pieces would take long
    while True:
        data = stream.read(count - len(whole))
        if data is None:  # a non-blocking descriptor, inherited: that is no end, and no damage
            raise BlockingIOError(errno.EAGAIN, "has no bytes now and does not wait for them")
        if len(data) == count:
            return data
        whole += data
        if not data or len(whole) == count:
            return bytes(whole)


def write_all(handle: int, data: bytes) -> int:
    """Write all of `data`, with one call where the disk takes it so; return its size. Raises `OSError`."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
    return len(data)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable; Windows has no such call and needs none for a rename."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def real_path(path: Path) -> Path:
    """Return where the path leads, to compare it with others; never raises, for links in a circle neither."""
    return Path(os.path.realpath(path))  # Python before 3.13 has no other way


def make_folder(folder: Path) -> None:
    """Create a folder with mode 0755, whatever the umask; one that exists stays as it is."""
    with host_faults(folder):
        if folder.is_dir():
            return
        make_folder(folder.parent)
        before = os.umask(0o022)  # in one step: a crash must not leave a folder that users cannot enter
        try:
            folder.mkdir(mode=0o755, exist_ok=True)  # another process may begin at the same moment
        finally:
            os.umask(before)
        folder.chmod(0o755)  # what access lists of the folder above may have taken away


def try_lock(handle: int) -> bool:
    """Take the lock on an open file without waiting, or say no; closing the file gives it back.

    Raises `OSError` where the file system has no locks, or the device reports an error.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # as POSIX and Windows say that another process has it
        return False
    return True


@contextlib.contextmanager
def host_faults(path: Path) -> Iterator[None]:
    """Turn an `OSError` of the block into a `HostFault` that names `path`, the reason and the next step."""
    try:
        yield
    except OSError as error:
        name = error.filename2 or error.filename or path  # a rename is about its target
        named = path if isinstance(name, int) else Path(os.fsdecode(name))
        if path.is_absolute() and not named.is_absolute():
            named = path  # what shutil removes is named as seen from an open folder
        raise HostFault(f"{named}: {error.strerror or error}", hint=_next_step(error)) from None


def _next_step(error: OSError) -> str:
    steps = {
        errno.ENOSPC: "make room on that file system (`df -h`, `df -i`) and run the command again",
        errno.EDQUOT: "the quota is used up: make room and run the command again",
        errno.EACCES: "run the command as a user who may write there, or choose another place",
        errno.EPERM: "run the command as a user who may write there, or choose another place",
        errno.EROFS: "the file system is read-only: choose another place, or remount it writable",
        errno.EFBIG: "the file system or a limit (`ulimit -f`) takes no such size: choose another place",
        errno.EPIPE: "what reads it has ended early: look at its messages",
        errno.EIO: "the device reports an error: check the medium (`dmesg`), use another one",
        errno.ENOENT: "create the folder first, or correct the path",
        errno.ENOTDIR: "a part of the path is a file: correct the path",
        errno.EEXIST: "that name is taken: choose another one, or move what is there away",
        errno.EISDIR: "that is a folder: name a file in it",
    }
    return steps.get(error.errno or 0, "check the path and the file system, then run the command again")
