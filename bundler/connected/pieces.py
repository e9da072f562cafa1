"""What a file of a bundle is cut into: contents for streams, bytes for recipes, and what is encoded again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from bundler.connected.bundlewriter import Ingredient
    from bundler.connected.tarparts import Entry
    from bundler.core.digest import Digest

TEXT, CODE, UV = "text", "code", "uv"
_MACH = (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe")  # 64 bits, 32 bits, both in one
_CODE: Final = (b"\x7fELF", b"MZ", b"!<arch>\n", *_MACH)


class Raw(NamedTuple):
    """Bytes of a view that recipes carry: headers and such."""

    view: int
    offset: int
    length: int


class Found(NamedTuple):
    """A file's content, and `padding` zeros behind it, in a view; `name` is the archive's word for it."""

    view: int
    offset: int
    length: int
    padding: int
    kind: str
    sha256: bytes
    name: str
    mode: int
    mtime: int


class Held(NamedTuple):
    """Bytes of the content that a host has of an earlier artifact (FORMAT.md §16)."""

    source: Digest
    offset: int
    length: int


class Kept(NamedTuple):
    """Bytes of the file that stand for themselves, and where in view 0 they lie."""

    content: int
    size: int


class Body(NamedTuple):
    """A deflate stream in the file: its encoder, where it lies in the file, and its content in view 0."""

    encoder: str
    offset: int
    length: int
    content: int
    size: int


class Encoded(NamedTuple):
    """What the pieces yield, as a raw deflate stream."""

    encoder: str
    pieces: list[Piece]


Piece = Raw | Found | Held | Encoded


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """An ingredient in pieces, or why it is carried as it is.

    `parts` are the whole file, the bodies of gzip members and what is between them; `pieces` the same, cut
    further. `extra` are entries of its tar without content.
    """

    ingredient: Ingredient
    pieces: list[Piece] = field(default_factory=list)
    parts: list[Kept | Body] = field(default_factory=list)
    views: tuple[memoryview, ...] = ()
    extra: list[Entry] = field(default_factory=list)
    encoders: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def content(self) -> int:
        """Return how many bytes the ingredient inflates to, those of zip files in it once more."""
        return sum(len(view) for view in self.views)


def classify(begins: bytes) -> str:
    """Return the kind of stream for a file that begins so: programs of all systems resemble each other."""
    return CODE if begins.startswith(_CODE) else TEXT


def found(view: int, place: int, data: memoryview, name: str, *, mtime: int = 0) -> Found:
    """Return the piece for a file's content, `data`, which lies at `place` of the view."""
    digest = hashlib.sha256(data).digest()
    return Found(view, place, len(data), 0, classify(bytes(data[:8])), digest, name, 0o644, mtime)
