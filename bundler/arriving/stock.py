"""What a folder has of a bundle, piece by piece; whether that is enough, and what is still needed if not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundler.core.text import are, counted, numbers
from bundler.core.text import size as show_size
from bundler.core.volumehead import PARITY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bundler.arriving.mending import Content, Pattern
    from bundler.core.cut import Layout


@dataclass(slots=True, kw_only=True)
class Item:
    """A file that the bundle has: what it has to be, where it lies or will lie, and what of it is wrong.

    `bad` are numbers of pieces as `mend` gives them, and None where that is not known. What is not `there` is
    lost.
    """

    pattern: Pattern
    path: Path
    bad: frozenset[int] | None = None
    there: bool = False

    @property
    def parity(self) -> bool:
        """Whether it holds parity, and not blocks."""
        return self.pattern.head is not None and self.pattern.head.kind == PARITY

    @property
    def number(self) -> int:
        """Its number among files of its kind, from 1."""
        return self.pattern.head.number if self.pattern.head else 1

    def lost(self) -> Iterator[Content]:
        """Yield what of it is not there or wrong."""
        for number, content in enumerate(self.pattern.contents(), 1):
            if not self.there or self.bad is None or number in self.bad:
                yield content


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """All files that the bundle has, and what else of it is in the folder: `extra` blocks of supplements.

    `drives` says on which drive the packer put a file, by whether it is parity and its number.
    """

    layout: Layout
    items: tuple[Item, ...]
    extra: frozenset[int] = frozenset()
    drives: Mapping[tuple[bool, int], str] = field(default_factory=dict)

    def of_kind(self, *, parity: bool) -> list[Item]:
        """Return the data, or the parity, by number."""
        return [one for one in self.items if one.parity == parity]

    @property
    def complete(self) -> bool:
        """Whether every block is there; parity may be missing then."""
        return not any(True for one in self.of_kind(parity=False) for _ in self._blocks(one))

    def shortage(self) -> int:
        """Return how many more good files it takes at least, with parity as it is; 0 where it is enough."""
        lost, spoiled = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
        for one in self.of_kind(parity=False):
            for block in self._blocks(one):
                place = self.layout.place(block)
                lost[place.group, place.row] += 1
        if not lost:
            return 0
        for one in self.of_kind(parity=True):
            spoiled.update(content.parity[:2] for content in one.lost() if content.parity)
        short = Counter[int]()
        for (group, row), count in lost.items():
            have = self.layout.cut.parity - spoiled[group, row]
            short[group] = max(short[group], count - have)
        return sum(short.values())

    def _blocks(self, item: Item) -> Iterator[int]:
        return (one.block for one in item.lost() if one.block is not None and one.block not in self.extra)

    def has(self) -> str:
        """Say what is there: `38 of 40 volumes, 4 of 4 parity volumes`."""
        data, parity = self.of_kind(parity=False), self.of_kind(parity=True)
        there = [sum(one.there for one in ones) for ones in (data, parity)]
        if self.layout.cut.whole or len(data) == 1:
            said = "the bundle in one file" if there[0] else "no bundle"
        else:
            said = f"{there[0]} of {counted(len(data), 'volume')}"
        return said + (f", {there[1]} of {counted(len(parity), 'parity volume')}" if parity else "")

    def losses(self) -> str:
        """Say what of the data is missing or damaged: `volumes 7, 19 are missing, volume 3 is damaged`."""
        data = self.of_kind(parity=False)
        said = []
        for word, ones in (
            ("missing", [one for one in data if not one.there]),
            ("damaged", [one for one in data if one.bad]),
        ):
            if ones and len(data) == 1:
                said.append(f"{ones[0].path.name} is {word}")
            elif ones:
                which = "volume" if len(ones) == 1 else "volumes"
                said.append(f"{which} {numbers([one.number for one in ones])} {are(len(ones))} {word}")
        return ", ".join(said)

    def needs(self) -> str:
        """Say what is still needed, how much that is, and on which drive it should be."""
        data = self.of_kind(parity=False)
        missing, hurt = [one for one in data if not one.there], [one for one in data if one.bad]
        said = [_need_of_file(data[0])] if len(data) == 1 else _needs_of_volumes(len(data), missing, hurt)
        said += self._parity_line(missing, hurt)
        said += self._drives_line([*missing, *hurt])
        return "; ".join(said)

    def _parity_line(self, missing: list[Item], hurt: list[Item]) -> list[str]:
        parity = self.of_kind(parity=True)
        more = self.shortage()
        if not parity:
            return []
        absent = [one.number for one in parity if not one.there]
        here = f"{len(parity) - len(absent)} of {counted(len(parity), 'parity volume')} here"
        if more >= len(missing) + len(hurt) + len(absent):
            return [here]
        others = f" or of parity {numbers(absent)}" if absent else ""
        return [f"{here}, so at least {more} of these{others} must still come"]

    def _drives_line(self, needed: list[Item]) -> list[str]:
        drives: dict[str, list[Item]] = {}
        for one in needed:
            if label := self.drives.get((one.parity, one.number)):
                drives.setdefault(label, []).append(one)
        if not drives:
            return []
        listed = [f"{numbers([one.number for one in ones])} on drive {at}" for at, ones in drives.items()]
        return [f"by the packing list {', '.join(listed)}"]


def _need_of_file(one: Item) -> str:
    """Say what is needed of a bundle that is one file, or one volume."""
    if not one.there:
        return f"{one.path.name} is still needed ({show_size(one.pattern.size)})"
    count, total = _lost_of([one])
    return (
        f"another copy of {one.path.name} is needed: of this one {counted(count, 'block')} "
        f"cannot be used ({show_size(total)})"
    )


def _needs_of_volumes(count: int, missing: list[Item], hurt: list[Item]) -> list[str]:
    """Say what is needed of a bundle in so many volumes."""
    said = []
    if missing:
        total = sum(one.pattern.size for one in missing)
        said.append(
            f"{len(missing)} of {counted(count, 'volume')} {are(len(missing))} still needed: "
            f"{numbers([one.number for one in missing])} ({show_size(total)})"
        )
    if hurt:
        blocks, total = _lost_of(hurt)
        said.append(
            f"{len(hurt)} of {counted(count, 'volume')} {are(len(hurt))} damaged: "
            f"{numbers([one.number for one in hurt])} ({counted(blocks, 'block')}, {show_size(total)})"
        )
    return said


def _lost_of(items: list[Item]) -> tuple[int, int]:
    """Return how many blocks of these files are lost, and their bytes."""
    sizes = [content.size for one in items for content in one.lost()]
    return len(sizes), sum(sizes)
