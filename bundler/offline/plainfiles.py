"""Files of a folder that anybody may have prepared: no link is followed, nothing but regular files is read.

Paths are relative to the folder, and portable: who names one has checked that (FORMAT.md §4).
"""

from __future__ import annotations

import os
import stat
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Final

from bundler.core.durable import host_faults, read_up_to
from bundler.errors import DamagedFault, IncompleteFault

if TYPE_CHECKING:
    from pathlib import Path

COPY_FOLDER: Final = (
    "copy the folder again, or make it anew from the bundle (`uv-bundler split BUNDLE --exploded -o FOLDER`)"
)


class PlainFiles:
    """The regular files of `folder`, looked at and read by their paths."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def is_there(self, path: str) -> bool:
        """Tell whether something has that name; raises `DamagedFault` where that is no regular file."""
        try:
            self.look(path)
        except IncompleteFault:
            return False
        return True

    def look(self, path: str, *, folder: bool = False) -> None:
        """Raise `IncompleteFault` where nothing is, `DamagedFault` where anything but a plain file is."""
        parts = PurePosixPath(path).parts
        for count in range(1, len(parts) + 1):
            place = self.folder.joinpath(*parts[:count])
            wanted = stat.S_ISDIR if folder or count < len(parts) else stat.S_ISREG
            with host_faults(place):
                try:
                    mode = place.lstat().st_mode
                except FileNotFoundError:
                    raise IncompleteFault(
                        f"{self.folder}: {path} is missing, expected every file of the bundle",
                        hint=COPY_FOLDER,
                    ) from None
            if not wanted(mode):
                kind = "a regular file" if wanted is stat.S_ISREG else "a folder"
                found = "a symbolic link" if stat.S_ISLNK(mode) else "something else"
                raise self.damaged("/".join(parts[:count]), f"expected {kind}, found {found}")

    def open(self, path: str) -> BinaryIO:
        """Open a regular file; raises as `look` does."""
        self.look(path)  # what stands there now; the flags and the second look are for what stands there next
        flags = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
        place = self.folder / path
        with host_faults(place):
            stream = os.fdopen(os.open(place, os.O_RDONLY | flags), "rb", buffering=0)
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            stream.close()
            raise self.damaged(path, "expected a regular file, found something else")
        return stream

    def expect_size(self, stream: BinaryIO, path: str, size: int) -> None:
        """Raise `DamagedFault` where the open file has another size."""
        found = os.fstat(stream.fileno()).st_size
        if found != size:
            raise self.damaged(path, f"expected {size} bytes, found {found}")

    def read(self, stream: BinaryIO, path: str, count: int, *, whole: bool = True) -> bytes:
        """Read `count` bytes; raises `DamagedFault` where the file ends before and `whole` is asked for."""
        with host_faults(self.folder / path):
            data = read_up_to(stream, count)
        if whole and len(data) < count:
            raise self.damaged(path, f"expected {count - len(data)} bytes more, found its end")
        return data

    def whole(self, path: str, *, limit: int) -> bytes:
        """Return the content of a file; raises as `look` does, and `DamagedFault` above `limit` bytes."""
        with self.open(path) as stream:
            data = self.read(stream, path, limit + 1, whole=False)
        if len(data) > limit:
            raise self.damaged(path, f"expected at most {limit} bytes, found more")
        return data

    def damaged(self, path: str, message: str) -> DamagedFault:
        """Return the error that says so of this file."""
        return DamagedFault(f"{self.folder}: {path}: {message}", hint=COPY_FOLDER)
