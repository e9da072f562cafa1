"""Write recipes: programs that give artifacts back from streams, and the bytes that no stream has.

FORMAT.md §15, "Recipes" and "Program".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundler.connected.pieces import Encoded, Held, Raw
from bundler.connected.streams import group_of
from bundler.core.program import Copy, Encode, End, Step, dump_program
from bundler.core.recipe import MAX_ENCODERS, MAX_PROGRAM_BYTES, MAX_SOURCES, Recipe

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import BinaryIO

    from bundler.connected.pieces import Cut, Piece
    from bundler.connected.streams import Layout, Stream
    from bundler.core.recipe import Source

MAX_ENCODED: Final = (
    1100  # bytes that a program encodes for each byte of the artifact; deflate packs 1032 in one
)
_FREE: Final = 1 << 20
_PER_STREAM: Final = 1 << 14  # bytes that beginning an encoder counts as


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A member of recipes as it is before it is compressed, and the recipes in it by the artifact's path."""

    path: str
    file: Path
    size: int
    recipes: dict[str, Recipe]
    shares: dict[str, int]


def write_recipes(layout: Layout, streams: Iterable[Stream], folder: Path) -> list[Written]:
    """Write a member of recipes for each group; a recipe that breaks a limit of the format is left out.

    Every stream is a source of at least one recipe of its group, because an index has no member without use.
    """
    groups: dict[str, list[Cut]] = {}
    for one in layout.cuts:
        groups.setdefault(group_of(one), []).append(one)
    written = []
    for group, cuts in sorted(groups.items()):
        own = [one.path for one in streams if one.path.startswith(f"payload/{group}/")]
        written.append(_group(group, cuts, layout, own, folder))
    return written


def _group(group: str, cuts: list[Cut], layout: Layout, own: list[str], folder: Path) -> Written:
    path, file = f"payload/{group}/recipes.zst", folder / f"{group}-recipes"
    programs: list[tuple[Cut, _Program, bytes]] = []
    shares: dict[str, int] = {}
    with file.open("wb", buffering=1 << 20) as out:
        for one in cuts:
            begin = out.tell()
            program = _Program(one, layout, path, out)
            program.pieces(one.pieces)
            shares[one.ingredient.path] = out.tell() - begin
            programs.append((one, program, dump_program(program.steps, sources=len(program.sources))))
        used = {source for _, program, _ in programs for source in program.sources}
        for source in own:
            if source not in used:
                programs[-1][1].sources.setdefault(source, len(programs[-1][1].sources))
        recipes = {}
        for one, program, raw in programs:
            at = out.tell()
            out.write(raw)
            shares[one.ingredient.path] += len(raw)
            if (
                program.encoded <= MAX_ENCODED * one.ingredient.size + _FREE
                and len(raw) <= MAX_PROGRAM_BYTES
                and len(program.sources) <= MAX_SOURCES
                and len(program.encoders) <= MAX_ENCODERS
            ):
                recipes[one.ingredient.path] = Recipe(
                    member=path,
                    offset=at,
                    length=len(raw),
                    sources=tuple(program.sources),
                    encoders=tuple(program.encoders),
                )
        return Written(path=path, file=file, size=out.tell(), recipes=recipes, shares=shares)


class _Program:
    """Collects the steps of one artifact; bytes that no stream has go to `out`."""

    def __init__(self, one: Cut, layout: Layout, own: str, out: BinaryIO) -> None:
        self._cut, self._layout, self._own, self._out = one, layout, own, out
        self.steps: list[Step] = []
        self.sources: dict[Source, int] = {}
        self.encoders: dict[str, int] = {}
        self.encoded = 0

    def pieces(self, pieces: Iterable[Piece], *, depth: int = 0) -> None:
        """Add the steps that yield the pieces."""
        for piece in pieces:
            if isinstance(piece, Encoded):
                number = self.encoders.setdefault(piece.encoder, len(self.encoders))
                self.steps.append(Encode(number))
                self.encoded += _PER_STREAM
                self.pieces(piece.pieces, depth=depth + 1)
                self.steps.append(End())
            elif isinstance(piece, Raw):
                data = self._cut.views[piece.view][piece.offset : piece.offset + piece.length]
                at = self._out.tell()
                self._out.write(data)
                self._copy(self._own, at, len(data))
                self.encoded += depth * len(data)
            elif isinstance(piece, Held):
                self._copy(piece.source, piece.offset, piece.length)
                self.encoded += depth * piece.length
            else:
                place = self._layout.place(piece)
                length = piece.length + piece.padding
                self._copy(place.stream, place.offset, length)
                self.encoded += depth * length

    def _copy(self, source: Source, offset: int, length: int) -> None:
        number = self.sources.setdefault(source, len(self.sources))
        last = self.steps[-1] if self.steps else None
        if isinstance(last, Copy) and last.source == number and last.offset + last.length == offset:
            self.steps[-1] = Copy(number, last.offset, last.length + length)
        elif length:
            self.steps.append(Copy(number, offset, length))
