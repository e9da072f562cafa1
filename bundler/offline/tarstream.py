"""A ustar archive of our form, read forward from one stream, each byte once (FORMAT.md §1).

Every header is compared byte by byte with the one that we would have written, padding must be zeros, and
nothing stands after the end.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bundler.core import ustar
from bundler.core.durable import host_faults, read_up_to
from bundler.core.fault import Fault
from bundler.errors import DamagedFault

if TYPE_CHECKING:
    from bundler.core.index import Member

COPY_AGAIN = "copy the bundle from its source again and compare `sha256sum` on both sides"


class TarStream:
    """The archive in a binary stream; `name` is what messages call it."""

    def __init__(self, stream: BinaryIO, *, name: str) -> None:
        self._stream = stream
        self._name = name
        self.offset = 0  # of the next byte, in bytes from the beginning

    def header(self) -> tuple[str, int]:
        """Read the next header; return the member's name and size."""
        block = self.exactly(ustar.BLOCK, what="a member's header")
        try:
            return ustar.parse_header(block)
        except Fault as fault:
            raise self.damaged(f"byte {self.offset - ustar.BLOCK}: {fault}") from None

    def expect_header(self, member: Member) -> None:
        """Read the next header, which must be the member's."""
        block = self.exactly(ustar.BLOCK, what=f"the header of {member.path}")
        if block != ustar.header(member.path, member.size):
            raise self.damaged(f"byte {self.offset - ustar.BLOCK}: expected the header of {member.path}")

    def whole(self, path: str, size: int, *, limit: int) -> bytes:
        """Read all content of a member whose header was read, and its padding; at most `limit` bytes."""
        if size > limit:
            raise self.damaged(f"{path}: expected at most {limit} bytes, found {size}")
        data = self.exactly(size, what=path)
        self.padding(path, size)
        return data

    @property
    def seekable(self) -> bool:
        """Whether content can be passed over unread: the stream is a file, not a pipe."""
        return self._stream.seekable()

    def pass_over(self, member: Member) -> None:
        """Skip the content of a member whose header was read, by seeking; read its padding."""
        end = self._seek(0, io.SEEK_END)
        if end < self.offset + member.size:
            raise self.damaged(f"ends at byte {end} within {member.path}: the file is cut off")
        self.offset += member.size
        self._seek(self.offset)
        self.padding(member.path, member.size)

    def padding(self, path: str, size: int) -> None:
        """Read the zeros after a member of `size` bytes."""
        if any(self.exactly(-size % ustar.BLOCK, what=f"the padding of {path}")):
            raise self.damaged(f"{path}: expected zeros after its last byte")

    def expect_end(self) -> None:
        """Check that the archive ends here, and the file with it."""
        end = self.exactly(len(ustar.END), what="the end of the archive")
        if any(end):
            raise self.damaged(
                f"expected the end of the archive at byte {self.offset - len(end)}, found more"
            )
        if self._read(1):
            raise self.damaged(f"expected the end of the file at byte {self.offset}, found more bytes")

    def exactly(self, count: int, *, what: str) -> bytes:
        """Read `count` bytes; raises `DamagedFault` where the stream ends before."""
        data = self._read(count)
        if len(data) < count:
            raise self.damaged(
                f"ends at byte {self.offset + len(data)} within {what}, which needs "
                f"{count - len(data)} bytes more: the file is cut off, or is no bundle"
            )
        self.offset += count
        return data

    def damaged(self, message: str) -> DamagedFault:
        """Return the error that says so of this archive."""
        return DamagedFault(f"{self._name}: {message}", hint=COPY_AGAIN)

    def _seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with host_faults(Path(self._name)):
            return self._stream.seek(offset, whence)

    def _read(self, count: int) -> bytes:
        with host_faults(Path(self._name)):
            return read_up_to(self._stream, count)
