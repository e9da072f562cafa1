"""A bundle to write, in whatever files: what stands before its payload, and its index (FORMAT.md §17)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core import ustar
from bundler.offline.front import as_members, files_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundler.core.index import Index
    from bundler.core.volumehead import Head
    from bundler.offline.signedindex import SignedIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A bundle to write: the bytes before its payload, its index, and the sha256 of that."""

    front: bytes
    index: Index
    digest: str

    @classmethod
    def of(cls, signed: SignedIndex, index: Index) -> Source:
        """Take it from what was read, which must still have its chain, and from its parsed index."""
        return cls(front=b"".join(as_members(files_of(signed))), index=index, digest=signed.digest)

    @property
    def total(self) -> int:
        """The bytes of all blocks."""
        return sum(member.size for member in self.index.members)

    def offsets(self) -> list[int]:
        """Return where the content of each member begins in the bundle as one file."""
        sizes = (ustar.stored_size(member.size) for member in self.index.members)
        return list(itertools.accumulate(sizes, initial=len(self.front) + ustar.BLOCK))

    def opening(self, head: Head) -> bytes:
        """Return what a volume begins with: the front and `VOLUME`."""
        return self.front + head.to_member(self.index)

    def container(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the bytes of the bundle as one file (§1); `blocks` are all of its blocks, in their order."""
        yield self.front
        for member in self.index.members:
            yield ustar.header(member.path, member.size)
            for _ in member.blocks:
                yield next(blocks)
            yield ustar.padding(member.size)
        expect_no_more(blocks)
        yield ustar.END


def expect_no_more(blocks: Iterator[bytes]) -> None:
    """Let `blocks` come to its end, where it checks what comes after the last block."""
    if next(blocks, None) is not None:
        raise ValueError("there are more blocks than the index has")
