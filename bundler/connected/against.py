"""Take from a held archive what a new one has too: headers, files, wheels, in long copies (FORMAT.md §16)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from bundler.connected import tarparts
from bundler.connected.pieces import Encoded, Found, Held, Raw
from bundler.connected.streams import without_versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bundler.connected.heldcontent import HeldContent
    from bundler.connected.pieces import Cut, Piece
    from bundler.connected.tarparts import Entry


def against(one: Cut, held: Sequence[HeldContent]) -> Cut:
    """Return the cut with copies from `held` in the place of what is equal there; the first one goes first.

    What the pieces yield stays the same, byte for byte.
    """
    pieces: list[Piece] = []
    for piece in one.pieces:
        if isinstance(piece, Encoded) and piece.pieces and isinstance(piece.pieces[0], Raw):
            pieces.append(piece._replace(pieces=list(_joined(_tar(one.views[0], piece.pieces, held)))))
        else:
            pieces.append(piece)
    return replace(one, pieces=pieces, extra=[])


def _tar(view: memoryview, pieces: Sequence[Piece], held: Sequence[HeldContent]) -> Iterator[Piece]:
    """Yield the pieces of a tar, entry by entry."""
    begin = _begin(pieces[0])
    entries, rest = tarparts.cut_tar(view[begin : _end(pieces[-1])])
    number = 0
    for place, entry in enumerate(entries):
        behind = begin + (entries[place + 1].begin if place + 1 < len(entries) else rest)
        own = []
        while number < len(pieces) and _begin(pieces[number]) < behind:
            own.append(pieces[number])
            number += 1
        yield from _entry(view, begin, entry, own, held)
    yield from pieces[number:]


def _begin(piece: Piece) -> int:
    """Return where a piece begins in view 0; what lies elsewhere belongs to the piece before it."""
    return piece.offset if isinstance(piece, Raw | Found) and piece.view == 0 else -1


def _end(piece: Piece) -> int:
    length = piece.length + piece.padding if isinstance(piece, Found) else getattr(piece, "length", 0)
    return _begin(piece) + length


def _entry(
    view: memoryview, begin: int, entry: Entry, own: Sequence[Piece], held: Sequence[HeldContent]
) -> Iterator[Piece]:
    """Yield an entry: its header and its content, each from where it is held, or as it was."""
    header, *body = own
    at = begin + entry.begin
    yield _header(view[at : at + entry.data - entry.begin], entry, held) or header
    if not body:
        return
    at, first = begin + entry.data, body[0]
    if len(body) == 1 and isinstance(first, Found):
        digest = first.sha256
    else:
        digest = hashlib.sha256(view[at : at + entry.size]).digest()
    padding = entry.end - entry.data - entry.size
    for one in held:
        old = _nearest(entry, one.by_digest.get(digest, ()))
        if old is None:
            continue
        if old.end - old.data >= entry.size + padding:
            yield Held(one.sha256, old.data, entry.size + padding)
        else:
            yield Held(one.sha256, old.data, entry.size)
            yield Raw(0, at + entry.size, padding)
        return
    for piece in body:
        yield _member(piece, held)


def _member(piece: Piece, held: Sequence[HeldContent]) -> Piece:
    """Return what a member of a changed wheel is made of: it may have been installed unchanged beside it."""
    if isinstance(piece, Encoded):
        return piece._replace(pieces=[_member(one, held) for one in piece.pieces])
    if isinstance(piece, Found) and not piece.padding:
        for one in held:
            if old := one.by_digest.get(piece.sha256):
                return Held(one.sha256, old[0].data, old[0].size)
    return piece


def _header(data: memoryview, entry: Entry, held: Sequence[HeldContent]) -> Held | None:
    for one in held:
        old = one.by_path.get(entry.name)
        if old and one.view[old.begin : old.data] == data:
            return Held(one.sha256, old.begin, len(data))
    return None


def _nearest(entry: Entry, found: Sequence[Entry]) -> Entry | None:
    """Return the one of the same path, as its header is beside it; else of the same but for versions."""
    alike = without_versions(entry.name)
    return min(
        found, key=lambda one: (one.name != entry.name, without_versions(one.name) != alike), default=None
    )


def _joined(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Join copies of what lies side by side."""
    last: Held | None = None
    for piece in pieces:
        if isinstance(piece, Held) and last and _follows(last, piece):
            last = last._replace(length=last.length + piece.length)
            continue
        if last:
            yield last
        last = piece if isinstance(piece, Held) else None
        if last is None:
            yield piece
    if last:
        yield last


def _follows(last: Held, piece: Held) -> bool:
    return (piece.source, piece.offset) == (last.source, last.offset + last.length)
