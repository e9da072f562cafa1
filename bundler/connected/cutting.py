"""Cut one file of a bundle into pieces: what streams carry, what recipes carry, and what is encoded again.

The pieces, in order and encoded where they say so, are the file's bytes: the zip part of it is proved here,
the guess at the encoder of a gzip body by `bundler.connected.proving`, from the streams themselves.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bundler.connected import tarparts
from bundler.connected.encodersearch import PROBE, candidates, probe, proves
from bundler.connected.gzipparts import Deflated, cut_gzip, most_content
from bundler.connected.pieces import UV, Body, Cut, Encoded, Found, Kept, Piece, Raw, classify, found
from bundler.connected.zipparts import Packed, cut_zip
from bundler.core.digest import CHUNK
from bundler.deflate import catalog

if TYPE_CHECKING:
    from collections.abc import Collection, MutableMapping
    from typing import BinaryIO

    from bundler.connected.bundlewriter import Ingredient
    from bundler.connected.gzipparts import Literal
    from bundler.connected.zipparts import Proof

_MAX_LITERAL: Final = 64 << 10  # bytes that recipes carry of one place outside of a tar; a file carries more
_ENCODED_BY_OTHERS: Final = {b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
# Before Python 3.13 a mapping keeps a descriptor, of which a system may allow 256 (`allow_mappings`).
_UNTIED: Final[dict[str, Any]] = {"trackfd": False} if sys.version_info >= (3, 13) and os.name != "nt" else {}
_DESCRIPTORS: Final = 1 << 14
_EARLIEST: Final = 315_532_800  # 1980-01-01, before which zip knows no time


def cut(
    one: Ingredient,
    spool: Path,
    *,
    proved: MutableMapping[Proof, memoryview],
    without: Collection[str] = (),
) -> Cut:
    """Cut the ingredient; `spool` and a file beside it take what it inflates to.

    `proved` is shared by all ingredients (`bundler.connected.zipparts.cut_zip`); encoders in `without` are
    not guessed: their proof has failed before.
    """
    if not one.size:
        return Cut(ingredient=one, reason="no content")
    if one.role == UV:
        digest = bytes.fromhex(one.sha256.hex)
        whole = Found(0, 0, one.size, 0, UV, digest, one.path, 0o755, 0)
        return Cut(ingredient=one, pieces=[whole], parts=[Kept(0, one.size)], views=(mapped(one.source),))
    with one.source.open("rb") as source:
        magic = source.read(8)
        source.seek(0)
        for sign, what in _ENCODED_BY_OTHERS.items():
            if magic.startswith(sign):
                return Cut(ingredient=one, reason=f"{what}, whose encoder changes with its library")
        with spool.with_name(f"{spool.name}-nested").open("w+b") as nested:
            cutter = _Cutter(one, nested, proved)
            return (
                cutter.zip(source, spool) if magic.startswith(b"PK") else cutter.gzip(source, spool, without)
            )


class _Cutter:
    """Cuts one archive: view 0 is its spool, view 1 what the zip files in it inflate to."""

    def __init__(self, one: Ingredient, nested: BinaryIO, proved: MutableMapping[Proof, memoryview]) -> None:
        self._one, self._nested, self._proved = one, nested, proved
        self._view = memoryview(b"")
        self._extra: list[tarparts.Entry] = []
        self._encoders: list[str] = []
        self._parts: list[Kept | Body] = []

    def zip(self, source: BinaryIO, spool: Path) -> Cut:
        """Cut a zip file, after a copy of it: what is mapped must not change."""
        with spool.open("wb") as out:
            shutil.copyfileobj(source, out, CHUNK)
        self._view = mapped(spool)
        pieces = self._zip(0, len(self._view), "", _EARLIEST)
        self._parts.append(Kept(0, len(self._view)))
        return self._done(pieces) if pieces else self._as_it_is("no zip file that zlib has written")

    def gzip(self, source: BinaryIO, spool: Path, without: Collection[str]) -> Cut:
        """Cut a gzip file: what lies around its members is copied behind their contents."""
        with spool.open("w+b") as out:
            parts = cut_gzip(source, out)
            places = [
                part.content if isinstance(part, Deflated) else _copy(source, part, out) for part in parts
            ]
        self._view = mapped(spool)
        members = [part for part in parts if isinstance(part, Deflated)]
        if not any(part.size for part in members):
            return self._as_it_is("no content" if members else "not gzip that can be inflated")
        guesses = []
        for part in parts:
            if isinstance(part, Deflated):
                guess = self._guess(source, part, bytes(self._view[places[0] : places[0] + 10]), without)
                if guess is None:
                    return self._as_it_is("encoder not recognised")
                if guess.startswith("medium") and self._one.platform and self._one.platform.os == "windows":
                    what = f"{catalog.title(guess)}, for which Windows has no fast encoder"
                    return self._as_it_is(what)
                guesses.append(guess)
        pieces: list[Piece] = []
        for part, place in zip(parts, places, strict=True):
            if isinstance(part, Deflated):
                guess = guesses.pop(0)
                self._parts.append(Body(guess, part.offset, part.length, place, part.size))
                pieces.append(Encoded(guess, self._tar(place, part.size)))
            else:
                self._parts.append(Kept(place, part.length))
                pieces.append(self._literal(0, place, part.length, f"at-{part.offset}"))
        return self._done(pieces)

    def _guess(self, source: BinaryIO, part: Deflated, header: bytes, without: Collection[str]) -> str | None:
        """Return the encoder that a probe speaks for; the one of the member before goes first.

        Once a guess has failed none is believed without a proof: each costs an attempt at the whole bundle.
        """
        source.seek(part.offset)
        body = source.read(min(part.length, PROBE + (PROBE >> 4)))
        content = self._view[part.content : part.content + part.size]
        names = dict.fromkeys((*reversed(self._encoders), *candidates(header[8])))
        for guess in probe(content, body, (name for name in names if name not in without)):
            source.seek(part.offset)
            if not without or proves(guess, content, source, part.length):
                self._encoders = [*(name for name in self._encoders if name != guess), guess]
                return guess
        return None

    def _tar(self, begin: int, size: int) -> list[Piece]:
        """Cut the content of a gzip member: a tar, or anything."""
        data = self._view[begin : begin + size]
        entries, rest = tarparts.cut_tar(data)
        pieces: list[Piece] = []
        for entry in entries:
            pieces.append(Raw(0, begin + entry.begin, entry.data - entry.begin))
            if not entry.size:
                self._extra.append(entry)
            else:
                pieces += self._file(begin, entry)
        if rest < size:
            tail = data[rest:]
            zeros = not any(tail[:CHUNK]) and len(tail) <= CHUNK
            piece = (
                Raw(0, begin + rest, len(tail)) if zeros else self._literal(0, begin + rest, len(tail), "")
            )
            pieces.append(piece)
        return pieces

    def _file(self, begin: int, entry: tarparts.Entry) -> list[Piece]:
        """Cut the content of a file in the tar at `begin`: a zip file in its members, others not at all."""
        place, padding = begin + entry.data, entry.end - entry.data - entry.size
        if bytes(self._view[place : place + 2]) == b"PK":
            pieces = self._zip(place, entry.size, entry.name, entry.mtime)
            if pieces:
                return [*pieces, Raw(0, place + entry.size, padding)] if padding else pieces
        data = self._view[place : place + entry.size]
        one = found(0, place, data, entry.name, mtime=entry.mtime)
        return [one._replace(padding=padding, mode=entry.mode)]

    def _zip(self, begin: int, size: int, name: str, mtime: int) -> list[Piece]:
        """Cut a zip file; its members go below `NAME.d/`, because `NAME` is what they make."""
        data, limit = self._view[begin : begin + size], most_content(self._one.size)
        parts = cut_zip(data, self._nested, proved=self._proved, limit=limit)
        folder = f"{name}.d/" if name else ""
        pieces: list[Piece] = []
        for part in parts or ():
            if not isinstance(part, Packed):
                pieces.append(self._literal(0, begin + part.offset, part.length, f"{folder}at-{part.offset}"))
                continue
            view = 1 if part.encoder else 0
            place = part.content if part.encoder else begin + part.content
            kind, named = classify(part.begins), folder + part.name
            one = Found(view, place, part.size, 0, kind, part.sha256, named, 0o644, mtime)
            pieces.append(Encoded(part.encoder, [one]) if part.encoder else one)
            if part.encoder and not name and part.encoder not in self._encoders:
                self._encoders.append(part.encoder)
        return pieces

    def _literal(self, view: int, place: int, length: int, name: str) -> Raw | Found:
        """Return bytes outside of any file: for recipes where they are few, else as a file of their own."""
        if length <= _MAX_LITERAL:
            return Raw(view, place, length)
        return found(view, place, self._view[place : place + length], name)

    def _done(self, pieces: list[Piece]) -> Cut:
        self._nested.flush()
        return Cut(
            ingredient=self._one,
            pieces=pieces,
            parts=self._parts,
            views=(self._view, mapped(self._nested)),
            extra=self._extra,
            encoders=tuple(dict.fromkeys(self._encoders)),
        )

    def _as_it_is(self, reason: str) -> Cut:
        return Cut(ingredient=self._one, reason=reason)


def _copy(source: BinaryIO, part: Literal, out: BinaryIO) -> int:
    """Append a part of the source to what is written; return where it lies there."""
    place = out.tell()
    source.seek(part.offset)
    left = part.length
    while left and (data := source.read(min(left, CHUNK))):
        out.write(data)
        left -= len(data)
    return place


def allow_mappings() -> None:
    """Let this process have as many files mapped as the system lets it: each archive takes two."""
    if os.name == "nt" or _UNTIED:
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS has a limit beside the one that it tells of
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def mapped(file: Path | BinaryIO) -> memoryview:
    """Return a file's content without reading it: its pages are the system's, which drops them at need."""
    if not isinstance(file, Path):
        return memoryview(
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ, **_UNTIED) if file.tell() else b""
        )
    with file.open("rb") as stream:
        stream.seek(0, 2)
        return mapped(stream)
