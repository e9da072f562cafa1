"""The blocks of a bundle, numbered through all of its members (FORMAT.md §17)."""

from __future__ import annotations

import functools
import itertools
import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from bundler.core import ustar
from bundler.core.fault import Fault

if TYPE_CHECKING:
    from bundler.core.digest import Digest
    from bundler.core.index import Index

_NAME = re.compile(r"blocks/([0-9]{5})-([0-9]{7})")


@functools.lru_cache(maxsize=64)
def _header_parts(size: int) -> tuple[bytes, int, bytes]:
    """Return what stands before and after the checksum in each block's header, and the sum without the name.

    One header is made whole; of the others only the name and the checksum differ.
    """
    name = "blocks/00000-0000000"
    whole = ustar.header(name, size)
    checksum = slice(148, 156)  # six octal digits, a zero and a blank
    total = int(whole[148:154], 8) - sum(name.encode())
    return whole[len(name) : checksum.start], total, whole[checksum.stop :]


class Blocks:
    """The blocks of one index, counted from 0; sizes are in bytes."""

    def __init__(self, index: Index) -> None:
        self._members, self._size = index.members, index.block_size
        self._firsts = list(itertools.accumulate((len(one.blocks) for one in index.members), initial=0))

    def __len__(self) -> int:
        return self._firsts[-1]

    def first_of(self, member: int) -> int:
        """Return the number of the first block of a member, which is given by its place in the index."""
        return self._firsts[member]

    def locate(self, block: int) -> tuple[int, int]:
        """Return the place of the member in the index, and of the block in the member, each from 0."""
        member = bisect_right(self._firsts, block) - 1
        return member, block - self._firsts[member]

    def size(self, block: int) -> int:
        """Return how many bytes the block has."""
        member, number = self.locate(block)
        return min(self._size, self._members[member].size - number * self._size)

    def digest(self, block: int) -> Digest:
        """Return what the signed index says of the block."""
        member, number = self.locate(block)
        return self._members[member].blocks[number]

    def name(self, block: int) -> str:
        """Return the block's name as a member of a volume: `blocks/00003-0000017`."""
        member, number = self.locate(block)
        return f"blocks/{member:05d}-{number:07d}"

    def header(self, block: int) -> bytes:
        """Return the header of the block in a volume."""
        name = self.name(block).encode()
        before, total, after = _header_parts(self.size(block))
        return name + before + b"%06o\0 " % (total + sum(name)) + after

    def describe(self, block: int) -> str:
        """Return the block as messages call it: `block 18 of 40 of payload/…/text.tar.zst`."""
        member, number = self.locate(block)
        one = self._members[member]
        return f"block {number + 1} of {len(one.blocks)} of {one.path}"

    def parse_name(self, name: str) -> int:
        """Return the number of the block that a volume's member is; raises `Fault` where it is none."""
        found = _NAME.fullmatch(name)
        if found and (member := int(found[1])) < len(self._members):
            number = self._firsts[member] + int(found[2])
            if number < self._firsts[member + 1]:
                return number
        raise Fault(f"expected the name of a block of this bundle, found {name!r}")
