"""Into how many volumes a bundle is cut, for a medium that takes files of a certain size (FORMAT.md §17).

Sizes are computed from the index, block by block: volumes are as few as they can be, and none is too large.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from bundler.core import ustar
from bundler.core.blocks import Blocks
from bundler.core.cut import MAX_PARITY, MAX_VOLUMES, Cut, Layout, row_size
from bundler.core.text import counted
from bundler.core.volumehead import DATA, PARITY, Head, volumes_of
from bundler.errors import UsageFault
from bundler.volumes.rowmemory import fits

if TYPE_CHECKING:
    from bundler.volumes.source import Source

MEDIA: Final = {  # bytes of the largest file
    "fat32": 4095 << 20,
    "dvd": 4_300_000_000,
    "bd": 24_500_000_000,
    "diode": 512 << 20,
}
COLUMNS: Final = 100  # of one group: 110 files are open at once with a tenth of parity
_UNITS: Final = {"": 1, "B": 1} | {
    name: base**power
    for power, unit in enumerate("KMGT", 1)
    for name, base in ((unit, 1024), (f"{unit}IB", 1024), (f"{unit}B", 1000))
}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,3})?) ?([KMGT]?(?:i?B)?)", re.IGNORECASE)
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)%|([0-9]{1,4})")


def parse_size(text: str) -> int:
    """Read the name of a medium, or bytes with a unit as in `split -b`: 700M and 700MiB, 700MB in tens.

    Raises `UsageFault`.
    """
    found = _SIZE.fullmatch(text)
    size = MEDIA.get(text.lower(), 0)
    if found and found[2].upper() in _UNITS:
        size = int(Fraction(found[1]) * _UNITS[found[2].upper()])
    if not size:
        raise UsageFault(
            f"--volume-size: expected {', '.join(MEDIA)} or a size such as 700M, found {text!r}",
            hint="fat32 is right for most sticks; units are K, M, G (1024) and KB, MB, GB (1000)",
        )
    return size


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How much parity is wished for: a count of volumes, or a share of the columns of each group."""

    count: int = 0
    share: Fraction = Fraction(0)

    @classmethod
    def parse(cls, text: str) -> Parity:
        """Read `4` or `10%`; raises `UsageFault`."""
        found = _SHARE.fullmatch(text)
        share = Fraction(found[1] or 0) / 100 if found else Fraction(2)
        if not found or share > 1:
            raise UsageFault(
                f"--parity: expected a number of volumes, or a share of at most 100%, found {text!r}",
                hint="10% recovers any tenth of what is lost or damaged",
            )
        return cls(count=int(found[2] or 0), share=share)

    def __bool__(self) -> bool:
        return bool(self.count or self.share)

    def columns(self, columns: int, groups: int) -> int:
        """Return how many parity columns each of `groups` gets, the widest of which has that many columns."""
        return math.ceil(self.share * columns) or -(-self.count // groups)


NO_PARITY: Final = Parity()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wished:
    """What was asked for: the bytes of the largest file, None for any, and how much parity.

    Raises `UsageFault` for a count of parity volumes of a bundle that stays one file.
    """

    size: int | None = None
    parity: Parity = NO_PARITY

    def __post_init__(self) -> None:
        if self.size is None and self.parity.count:
            raise UsageFault(
                f"--parity: expected a share such as 10% for a bundle in one file, found {self.parity.count}",
                hint="add --volume-size to cut it into volumes, or say --parity 10%",
            )

    def __bool__(self) -> bool:
        return self.size is not None or bool(self.parity)

    def outlook(self, expected: int) -> str:
        """Return what a bundle of about `expected` bytes will be: `about 12 volumes, and 2 of parity`."""
        if self.size is None or (expected <= self.size and not self.parity.count):
            return "one file, and its parity" if self.parity else "one file"
        volumes = -(-expected // self.size)
        groups = -(-volumes // COLUMNS)
        parity = groups * self.parity.columns(-(-volumes // groups), groups)
        return f"about {counted(volumes, 'volume')}" + (f", and {parity} of parity" if parity else "")


ONE_FILE: Final = Wished()


def choose(source: Source, wished: Wished) -> Cut | None:
    """Return the cut with the fewest volumes of the wished size, or None for one file without parity.

    A bundle that fits stays one file, which everybody can use, but where a count of parity volumes is wished
    for. Raises `UsageFault`: where no volume can be as small it names the size that can.
    """
    size, parity, sizes = wished.size, wished.parity, _Sizes(source)
    if size is None:
        return sizes.whole(parity) if parity else None
    if sizes.in_one_file <= size and not parity.count:
        whole = sizes.whole(parity) if parity else None
        if whole is None or sizes.largest(whole) <= size:
            return whole
    for volumes in range(sizes.fewest(size), sizes.most + 1):
        cut = sizes.cut(volumes, parity)
        if sizes.largest(cut) <= size:
            return cut
    raise sizes.refusal(size, parity)


class _Sizes:
    """What the files of each cut of a bundle would take, in bytes."""

    def __init__(self, source: Source) -> None:
        self._source, blocks = source, Blocks(source.index)
        self._sizes = [blocks.size(number) for number in range(len(blocks))]
        self._stored = [ustar.stored_size(one) for one in self._sizes]
        self.most = min(len(self._sizes), MAX_VOLUMES)  # one more would be empty

    @property
    def in_one_file(self) -> int:
        """The bytes of the bundle as one file."""
        members = sum(ustar.stored_size(member.size) for member in self._source.index.members)
        return len(self._source.front) + members + len(ustar.END)

    def cut(self, volumes: int, parity: Parity) -> Cut:
        """Return the cut into that many volumes; raises `UsageFault` for more parity than a row can have."""
        groups = -(-volumes // COLUMNS)
        columns = parity.columns(-(-volumes // groups), groups)
        while not self._is_held(columns) and groups < volumes:
            groups += 1
            columns = parity.columns(-(-volumes // groups), groups)
        if columns > MAX_PARITY or columns * groups > MAX_VOLUMES:
            raise UsageFault(
                f"--parity: would need {columns * groups} volumes beside {volumes}, "
                f"expected at most {min(MAX_PARITY * groups, MAX_VOLUMES)}",
                hint="say less, such as --parity 10%",
            )
        return Cut(volumes=volumes, parity=columns, groups=groups)

    def whole(self, parity: Parity) -> Cut:
        """Return the cut of a bundle that stays one file."""
        width = next(
            one for one in range(COLUMNS, 0, -1) if one == 1 or self._is_held(parity.columns(one, 1))
        )
        rows = -(-len(self._sizes) // width)
        columns = -(-len(self._sizes) // rows)  # as many as these rows fill: parity goes by them
        return Cut(volumes=columns, parity=parity.columns(columns, 1), whole=True)

    def _is_held(self, columns: int) -> bool:
        """Tell whether so many parity cells of a row may be in memory."""
        return fits(columns, size=max(self._sizes))

    def fewest(self, size: int) -> int:
        """Return how many volumes are needed even where they were filled to the last byte."""
        room = size - self._overhead(DATA, Cut(volumes=1))
        longest = max(self._stored)
        if room < longest:
            return self.most + 1
        by_count = -(-self._stored.count(longest) // (room // longest))
        return max(1, by_count, -(-sum(self._stored) // room))

    def largest(self, cut: Cut) -> int:
        """Return the size of the largest volume; a few bytes more where the last number has more digits."""
        layout, data, parity = Layout(self._source.index, cut), 0, 0
        for group in range(cut.groups):
            run = layout.volume_blocks(group)  # of its first column: from the group's first block, by rows
            begin, end, width = run.start, run.stop, run.step
            if cut.whole:
                height = layout.rows(group)
                rows = [self._sizes[row:end:height] for row in range(height)]
            else:
                columns = (self._stored[at:end:width] for at in range(begin, begin + width))
                data = max(data, *map(sum, columns))
                rows = [self._sizes[at : min(at + width, end)] for at in range(begin, end, width)]
            if cut.parity:
                cells = sum(ustar.stored_size(row_size(max(row))) for row in rows)
                parity = max(parity, cells * (cut.parity if cut.whole else 1))
        return max(
            0 if cut.whole else data + self._overhead(DATA, cut),
            parity + self._overhead(PARITY, cut) if cut.parity else 0,
        )

    def refusal(self, size: int, parity: Parity) -> UsageFault:
        """Return the error for a size that is too small, with one that is not."""
        least = self.largest(self.cut(self.most, parity))
        why = f"more than {MAX_VOLUMES} volumes" if len(self._sizes) > MAX_VOLUMES else "no volumes"
        return UsageFault(
            f"--volume-size: {size} bytes make {why} of this bundle, expected at least {least}",
            hint=f"each volume begins with the signed index: say --volume-size {least}, or more",
        )

    def _overhead(self, kind: str, cut: Cut) -> int:
        head = Head(kind=kind, number=volumes_of(cut, kind), cut=cut, index=self._source.digest)
        said = len(head.to_bytes(self._source.index))
        return len(self._source.front) + ustar.stored_size(said) + len(ustar.END)
