"""`VOLUME`, by which a file says what part of which bundle it is, and names of volumes (FORMAT.md §17)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core import ustar
from bundler.core.cut import Cut
from bundler.core.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundler.core.index import Index

VOLUME_NAME = "VOLUME"
MAX_VOLUME_BYTES = 4096
DATA, PARITY, RESEND = "data", "parity", "resend"
_NUMBER = r"(0|[1-9][0-9]{0,3})"
_LINE = re.compile(
    rf"uv-bundler\.volume\.v1 (data|parity|resend) {_NUMBER} volumes {_NUMBER} parity {_NUMBER} "
    rf"groups {_NUMBER} whole ([01]) index ([0-9a-f]{{64}})"
)
_SUFFIX = re.compile(r"\.(?:(p?)([0-9]{4,})-of-([0-9]{4,})|(parity))\.uvb", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a volume is: `data`, `parity` or `resend`, its number from 1, the cut, and the index's sha256.

    Raises `ValueError` for a volume that the cut does not have.
    """

    kind: str
    number: int
    cut: Cut
    index: str

    def __post_init__(self) -> None:
        most = 1 if self.kind == RESEND else volumes_of(self.cut, self.kind)
        if not 1 <= self.number <= most or (self.kind == DATA and self.cut.whole):
            raise ValueError(f"no such volume: {self}")

    @classmethod
    def parse(cls, data: bytes) -> Head:
        """Read the first line of `VOLUME`, and nothing beyond it; raises `Fault`."""
        line = data.partition(b"\n")[0].decode("ascii", "replace")
        found = _LINE.fullmatch(line)
        if found:
            number, volumes, parity, groups, whole = map(int, found.groups()[1:6])
            try:
                cut = Cut(volumes=volumes, parity=parity, groups=groups, whole=bool(whole))
                return cls(kind=found[1], number=number, cut=cut, index=found[7])
            except ValueError:
                pass
        raise Fault(f"expected the first line of {VOLUME_NAME}, found {line[:200]!r}")

    def __str__(self) -> str:
        cut = self.cut
        return (
            f"uv-bundler.volume.v1 {self.kind} {self.number} volumes {cut.volumes} parity {cut.parity} "
            f"groups {cut.groups} whole {int(cut.whole)} index {self.index}"
        )

    @property
    def title(self) -> str:
        """The volume as messages call it: `volume 3 of 40`, `parity volume 1 of 4`."""
        if self.kind == RESEND:
            return "supplement"
        if self.kind == DATA:
            return f"volume {self.number} of {self.cut.volumes}"
        return f"parity volume {self.number} of {self.cut.parity_volumes}"

    def to_bytes(self, index: Index) -> bytes:
        """Write `VOLUME`, which is a function of this and of the index."""
        cut = self.cut
        what = {
            DATA: f"This is {self.title} of the bundle {index.stem}",
            PARITY: f"This is {self.title} of the bundle {index.stem}",
            RESEND: f"These are blocks of the bundle {index.stem} that were sent once more",
        }[self.kind]
        parts = "It is one file" if cut.whole else f"It has {cut.volumes} volumes"
        lines = (
            str(self),
            "",
            f"{what}.",
            f"{parts}, and {cut.parity_volumes} of parity: of each row {cut.parity} blocks can be recovered."
            if cut.parity
            else f"{parts}, and no parity: all of them are needed.",
            "Put all of them into one folder, or name all of them: uv-bundler verify FOLDER...",
            "With stock tools: FORMAT.md of uv-bundler, section 17.",
        )
        return "".join(line + "\n" for line in lines).encode("ascii")

    def to_member(self, index: Index) -> bytes:
        """Return `VOLUME` as a volume has it behind its front: header, text and padding."""
        return ustar.member(VOLUME_NAME, self.to_bytes(index))


def volumes_of(cut: Cut, kind: str) -> int:
    """Return how many files of that kind, `data` or `parity`, a bundle has that is cut so."""
    return {DATA: cut.data_volumes, PARITY: cut.parity_volumes}[kind]


def heads_of(cut: Cut | None, index: str) -> Iterator[Head | None]:
    """Yield what each file of a bundle that is cut so says of itself, data before parity.

    None stands for no cut, and for the bundle in one file. `index` is the sha256 of the index.
    """
    if cut is None or cut.whole:
        yield None
    if cut is not None:
        for kind in (PARITY,) if cut.whole else (DATA, PARITY):
            for number in range(volumes_of(cut, kind)):
                yield Head(kind=kind, number=number + 1, cut=cut, index=index)


def volume_name(stem: str, head: Head | None) -> str:
    """Return the file name of a volume, `STEM.0003-of-0040.uvb`, or of a bundle in one file: `STEM.uvb`."""
    if head is None:
        return f"{stem}.uvb"
    if head.kind == RESEND:
        return f"{stem}.resend.uvb"
    if head.cut.whole:
        return f"{stem}.parity.uvb"
    total = volumes_of(head.cut, head.kind)
    width = max(4, len(str(max(head.cut.volumes, head.cut.parity_volumes))))
    mark = "p" if head.kind == PARITY else ""
    return f"{stem}.{mark}{head.number:0{width}d}-of-{total:0{width}d}.uvb"


def number_in_name(name: str) -> tuple[str, int, int] | None:
    """Return kind, number and total that a file's name claims, or None: the name alone proves nothing."""
    found = _SUFFIX.search(name)
    if not found or found.end() != len(name):
        return None
    if found[4]:
        return PARITY, 1, 1
    return (PARITY if found[1] else DATA), int(found[2]), int(found[3])


def is_stem(stem: str) -> bool:
    """Tell whether volumes can be called so: nobody sees other names, or a list of sums cannot hold them."""
    return bool(stem) and stem[0] != "." and "\\" not in stem and stem.isprintable()


def stem_in_name(name: str) -> str:
    """Return what stands before the number of a volume, or before `.uvb`."""
    found = _SUFFIX.search(name)
    return name[: found.start()] if found else name.removesuffix(".uvb").removesuffix(".UVB")
