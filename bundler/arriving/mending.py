"""One file of a bundle, filled piece by piece with what is right in any other copy of it (FORMAT.md §17).

All but blocks and parity cells follows from the index and the cut, so copies of a volume have the same bytes
at the same places: two damaged ones make a good one. A piece that is right is never written again, so what
was begun is continued, and a file that stays damaged only ever becomes better.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from bundler.core import ustar
from bundler.core.cut import parity_name
from bundler.core.durable import host_faults, read_up_to, write_all
from bundler.core.volumehead import DATA, PARITY, Head

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from bundler.core.cut import Layout
    from bundler.core.index import Index
    from bundler.core.progress import Progress
    from bundler.volumes.shelf import Shelf


class Content(NamedTuple):
    """A block, or a parity cell by group, row and column, of which a file has `size` bytes."""

    block: int | None
    parity: tuple[int, int, int] | None
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of a file: from `at` on `lead`, which is known, then `size` bytes of a block or parity cell.

    What has neither (the front, the end) is known as a whole. A parity cell is `group, row, column`; its
    header has its own digest and is no part of `lead`.
    """

    at: int
    lead: bytes
    block: int | None = None
    parity: tuple[int, int, int] | None = None
    size: int = 0

    @property
    def known(self) -> bool:
        """Whether nothing but the index and the cut is needed to write it."""
        return self.block is None and self.parity is None

    @property
    def total(self) -> int:
        """All of its bytes."""
        return len(self.lead) + ustar.BLOCK * (self.parity is not None) + self.size

    def stored(self, content: bytes) -> bytes:
        """Return what the file has there where this is the content."""
        if self.parity is None:
            return self.lead + content
        name = parity_name(*self.parity, hashlib.sha256(content).hexdigest())
        return b"".join((self.lead, ustar.header(name, self.size), content))


class Pattern:
    """What a file has to be; `opening` is all that stands before its payload or its cells, in parts.

    Thousands of volumes share one front, which may have 16 MiB and more. Of a bundle in one file `head` is
    None. `chosen` are the blocks of a supplement, ascending.
    """

    def __init__(
        self,
        index: Index,
        layout: Layout,
        head: Head | None,
        opening: Sequence[bytes],
        *,
        chosen: Sequence[int] = (),
    ) -> None:
        self.layout, self.head, self._opening = layout, head, opening
        self._index, self._chosen = index, chosen

    @property
    def size(self) -> int:
        """The bytes of the file."""
        if self.head is None:
            stored = sum(ustar.stored_size(one.size) for one in self._index.members)
        elif self.head.kind == PARITY:
            stored = self.layout.parity_offsets(self.head.number - 1)[-1]
        elif self.head.kind == DATA:
            stored = self.layout.block_offsets(self.head.number - 1)[-1]
        else:
            stored = sum(ustar.stored_size(self.layout.blocks.size(one)) for one in self._chosen)
        return sum(map(len, self._opening)) + stored + len(ustar.END)

    def pieces(self) -> Iterator[Piece]:
        """Yield all of the file in its order: first the opening, last the end, each of which is known."""
        yield Piece(at=0, lead=b"".join(self._opening))
        at, lead = sum(map(len, self._opening)), b""
        for header, contents in self._members():
            lead, count = lead + header, 0
            for one in contents:
                piece = Piece(at=at, lead=lead, block=one.block, parity=one.parity, size=one.size)
                yield piece
                at, lead, count = at + piece.total, b"", count + one.size
            lead += ustar.padding(count)
        yield Piece(at=at, lead=lead + ustar.END)

    def contents(self) -> Iterator[Content]:
        """Yield what is in each piece but the first and the last."""
        for _, contents in self._members():
            yield from contents

    def _members(self) -> Iterator[tuple[bytes, list[Content]]]:
        """Yield the header of each member, where it is known, and what is in it."""
        layout, blocks = self.layout, self.layout.blocks
        if self.head is None:
            for number, member in enumerate(self._index.members):
                ours = range(blocks.first_of(number), blocks.first_of(number) + len(member.blocks))
                yield (
                    ustar.header(member.path, member.size),
                    [Content(one, None, blocks.size(one)) for one in ours],
                )
        elif self.head.kind == PARITY:
            for group, row, column in layout.parity_cells(self.head.number - 1):
                yield b"", [Content(None, (group, row, column), layout.row_size(group, row))]
        else:
            for one in layout.volume_blocks(self.head.number - 1) if self.head.kind == DATA else self._chosen:
                size = blocks.size(one)
                yield ustar.header(blocks.name(one), size), [Content(one, None, size)]


def offers(shelf: Shelf, pattern: Pattern, content: Content) -> bool:
    """Tell whether some file of the shelf is long enough to hold it; what it holds was not read."""
    if content.block is not None:
        return shelf.has(content.block)
    if content.parity is None or pattern.head is None:
        return False
    return shelf.has_parity(pattern.layout.cut, *content.parity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """What became of a file: the numbers of its pieces that are still wrong, and how many are right."""

    bad: frozenset[int]
    good: int
    written: int  # bytes


def mend(
    path: Path, pattern: Pattern, shelf: Shelf, *, known_bad: Collection[int] | None, progress: Progress
) -> Mended:
    """Write into the file at `path`, which is made where it is not there, what is not right in it already.

    With `known_bad` only these pieces are looked at. Where no file of the shelf has a piece there is a hole
    then, or what was there before. The content is durable when it returns. Raises `HostFault`; what is right
    by then stays.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with host_faults(path), os.fdopen(os.open(path, flags, 0o644), "r+b", buffering=0) as stream:
        bad, good, written = set(), 0, 0
        for number, piece in enumerate(pattern.pieces()):
            if known_bad is None or number in known_bad:
                progress.advance(piece.size)
                if not _is_right(stream, piece, shelf):
                    content = b"" if piece.known else _fetch(shelf, pattern, piece)
                    if content is None:
                        bad.add(number)
                    stream.seek(piece.at)
                    written += write_all(
                        stream.fileno(), piece.lead if content is None else piece.stored(content)
                    )
            good += not piece.known and number not in bad
        if os.fstat(stream.fileno()).st_size != pattern.size:
            stream.truncate(pattern.size)
        if written:
            os.fsync(stream.fileno())
    return Mended(bad=frozenset(bad), good=good, written=written)


def _is_right(stream: BinaryIO, piece: Piece, shelf: Shelf) -> bool:
    stream.seek(piece.at)
    stored = read_up_to(stream, piece.total)
    content = stored[piece.total - piece.size :]
    if len(stored) < piece.total or stored != piece.stored(content):
        return False
    return piece.block is None or hashlib.sha256(content).hexdigest() == shelf.blocks.digest(piece.block).hex


def _fetch(shelf: Shelf, pattern: Pattern, piece: Piece) -> bytes | None:
    if piece.block is not None:
        return shelf.read(piece.block)
    if piece.parity is None or not offers(shelf, pattern, Content(None, piece.parity, piece.size)):
        return None
    return shelf.parity(pattern.layout.cut, *piece.parity)
