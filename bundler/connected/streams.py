"""Lay out streams: which content goes where, each once, neighbours side by side (FORMAT.md §15, "Streams").

The order decides what the window of the compressor sees: paths without their version numbers first, so that
one file of ten patch releases lies ten times in a row, and the interpreter beside its library, which has the
same code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from bundler.connected import streamtar, tarparts
from bundler.connected.pieces import TEXT, UV, Cut, Encoded, Found, Piece
from bundler.connected.streamnames import Names, below, harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from bundler.core.recipe import Range

COMMON: Final = "common"
# A long row of digits is looked at once, not from each of its digits again.
_VERSION = re.compile(r"(?<!\d)\d+(?:\.\d+)+|(?<=python)-?3\d\d?")
_PROGRAM = re.compile(r"(?:lib)?pythonX?t?(?:\.so.*|\.dylib|\.exe|\.dll|\.a)?")
_SUFFIX = re.compile(r"\.(?:tar\.gz|tgz|tar|gz|zip)$")
_KINDS: Final = {
    tarparts.FILE: streamtar.FILE,
    tarparts.LINK: streamtar.LINK,
    tarparts.SYMLINK: streamtar.SYMLINK,
    tarparts.FOLDER: streamtar.FOLDER,
}


class Place(NamedTuple):
    """Where a content lies: the path of a stream's member, and the offset in what that decodes to."""

    stream: str
    offset: int


@dataclass(slots=True, kw_only=True)
class Content:
    """A content, once: a view that has it, the path that stock tools give it, and who needs it.

    Its names are hard links and have one mode, what any of them may do.
    """

    owner: Cut
    piece: Found
    path: str
    mode: int
    groups: set[str]
    others: list[tuple[str, str]] = field(default_factory=list)  # group and path of the further names
    place: Place | None = None


class Slab(NamedTuple):
    """Contents of one stream, in order, and what stands before them for the compressor."""

    contents: Sequence[Content]
    prefix: tuple[Range, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream as it is written: the member's path, its file, its bytes, and whose contents they are."""

    path: str
    file: Path
    size: int
    shares: dict[str, int]  # bytes by the path of the artifact that had the content first
    prefix: tuple[Range, ...] = ()


class Layout:
    """All contents of a bundle; its artifacts are ordered by their versions, however they are given.

    `slabs` cuts what one group has of one kind into streams. Without `trees` streams have contents alone, no
    links and no folders: stock tools find no usable trees in them.
    """

    def __init__(
        self,
        cuts: Iterable[Cut],
        *,
        slabs: Callable[[Sequence[Content]], Sequence[Slab]] = lambda contents: [Slab(contents)],
        trees: bool = True,
    ) -> None:
        self._slabs, self._trees = slabs, trees
        self.cuts = sorted(cuts, key=lambda one: (version_of(one), one.ingredient.path))
        self._contents: dict[tuple[str, bytes], Content] = {}
        self._bare: dict[str, list[bytes]] = {}  # by group: entries without content
        self._names = Names()
        for one in self.cuts:
            self._add(one)

    def place(self, piece: Found) -> Place:
        """Return where a content was written."""
        place = self._contents[piece.kind, piece.sha256].place
        if place is None:
            raise AssertionError
        return place

    def write(self, folder: Path) -> list[Stream]:
        """Write the streams into `folder`, those of `common` first, and note where each content lies."""
        streams: dict[tuple[str, str], list[Content]] = {}
        links: dict[tuple[str, str], list[bytes]] = {}
        for (kind, _), one in self._contents.items():
            home = _home(one.groups)
            streams.setdefault((home, kind), []).append(one)
            for group, path in one.others:
                link = streamtar.headers(path, streamtar.LINK, mode=one.mode, target=one.path)
                links.setdefault((group, kind), []).append(link)
        for group, bare in self._bare.items():
            links.setdefault((group, TEXT), []).extend(bare)
        if not self._trees:
            links = {}
        written = []
        for name in sorted(streams.keys() | links.keys(), key=lambda name: (name[0] != COMMON, name)):
            for number, slab in enumerate(self._slabs(sorted(streams.get(name, []), key=_order))):
                written.append(_write(name, number, slab, [] if number else links.get(name, []), folder))
        return written

    def _add(self, one: Cut) -> None:
        group = group_of(one)
        root = self._names.root(_SUFFIX.sub("", Path(one.ingredient.path).name))
        pieces = list(_found(one.pieces))
        names = [piece.name if piece.kind == UV else below(root, piece.name) for piece in pieces]
        last = {name: number for number, name in enumerate(names)}
        tree = {}
        for number, (piece, name) in enumerate(zip(pieces, names, strict=True)):
            # Of entries with one name the last one stays when a tar is extracted.
            tree[piece.name] = path = self._names.free(name if last[name] == number else f"{name}~{number}")
            known = self._contents.get((piece.kind, piece.sha256))
            if known is None:
                self._contents[piece.kind, piece.sha256] = Content(
                    owner=one, piece=piece, path=path, mode=piece.mode & 0o777, groups={group}
                )
            else:
                known.groups.add(group)
                known.mode |= piece.mode & 0o777
                known.others.append((group, path))
        bare = harmless(entry for entry in one.extra if entry.kind in _KINDS and entry.name.strip("./"))
        bare.sort(key=lambda entry: list(_KINDS).index(entry.kind))
        self._bare.setdefault(group, []).extend(self._bare_headers(root, tree, entry) for entry in bare)

    def _bare_headers(self, root: str, tree: Mapping[str, str], entry: tarparts.Entry) -> bytes:
        """Return an entry without content; folders can be written to, because other streams come after."""
        path, target, mode = below(root, entry.name), entry.target, entry.mode & 0o777
        if entry.kind == tarparts.FOLDER:
            mode |= 0o700
        else:
            path = self._names.free(path)
        if entry.kind == tarparts.LINK:
            target = tree.get(target) or below(root, target)
        return streamtar.headers(path, _KINDS[entry.kind], mode=mode, mtime=entry.mtime, target=target)


def group_of(one: Cut) -> str:
    """Return the group of what only this ingredient needs."""
    return str(one.ingredient.platform or COMMON)


def version_of(one: Cut) -> list[int]:
    """Return the numbers in the file's name, which order neighbours: the version, then the build."""
    return [int(number) for number in re.findall(r"\d{1,18}", Path(one.ingredient.path).name)]


def _home(groups: set[str]) -> str:
    return COMMON if len(groups) > 1 else min(groups)


def without_versions(name: str) -> str:
    """Return a path with X for the numbers of versions in it: what is the same file of other releases."""
    return _VERSION.sub("X", name)


def _found(pieces: Sequence[Piece]) -> Iterator[Found]:
    for piece in pieces:
        if isinstance(piece, Encoded):
            yield from _found(piece.pieces)
        elif isinstance(piece, Found):
            yield piece


def _order(one: Content) -> tuple[str, list[int], str]:
    plain = without_versions(one.piece.name)
    if _PROGRAM.fullmatch(plain.rpartition("/")[2]):
        plain = ""
    return plain, version_of(one.owner), one.path


def _write(name: tuple[str, str], number: int, slab: Slab, links: list[bytes], folder: Path) -> Stream:
    group, kind = name
    if number:
        kind = f"{kind}.{number + 1}"
    path = f"payload/{group}/{kind}.tar.zst"
    file = folder / f"{group}-{kind}.tar"
    shares: dict[str, int] = {}
    with file.open("wb", buffering=1 << 20) as out:
        at = 0
        for one in slab.contents:
            piece = one.piece
            begin = at
            at += out.write(
                streamtar.headers(
                    one.path, streamtar.FILE, size=piece.length, mode=one.mode, mtime=piece.mtime
                )
            )
            one.place = Place(path, at)
            at += _copy(one, out)
            at += out.write(streamtar.padding(piece.length))
            owner = one.owner.ingredient.path
            shares[owner] = shares.get(owner, 0) + at - begin
        for link in links:
            at += out.write(link)
        at += out.write(streamtar.END)
    return Stream(path=path, file=file, size=at, shares=shares, prefix=slab.prefix)


def _copy(one: Content, out: BinaryIO) -> int:
    piece = one.piece
    return out.write(one.owner.views[piece.view][piece.offset : piece.offset + piece.length])
