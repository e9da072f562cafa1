"""The packing list `STEM.drives`: which drive has which files (FORMAT.md §17, "The packing list").

It tells people, and `collect`, where to look. It is a hint: only digests decide what a file is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core.fault import Fault
from bundler.core.names import portable_path

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

SUFFIX = ".drives"
MAX_LIST_BYTES = 4 << 20  # 10 000 volumes with names of 100 characters need 1 MB
MAX_DRIVES = 1000
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """A drive by its label, with the names of the files that it has, in their order."""

    label: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PackingList:
    """Drives in the order in which they were written: no label twice, and no file on two of them."""

    drives: tuple[Drive, ...] = ()

    def __post_init__(self) -> None:
        if len(self.drives) > MAX_DRIVES:
            raise Fault(f"expected at most {MAX_DRIVES} drives, found {len(self.drives)}")
        labels, files = set(), set()
        for one in self.drives:
            check_label(one.label)
            if one.label.casefold() in labels:
                raise Fault(f"expected each drive once, found {one.label!r} again")
            labels.add(one.label.casefold())
            if not one.files:
                raise Fault(f"expected files on drive {one.label!r}, found none")
            for name in one.files:
                if "/" in portable_path(name):
                    raise Fault(f"expected the name of a file, found {name!r}")
                if name.casefold() in files:
                    raise Fault(f"expected each file on one drive, found {name!r} again")
                files.add(name.casefold())

    @classmethod
    def parse(cls, data: bytes) -> PackingList:
        """Read a list, strictly; raises `Fault` with the line that does not fit."""
        if len(data) > MAX_LIST_BYTES:
            raise Fault(f"expected at most {MAX_LIST_BYTES} bytes, found more")
        if data and not data.endswith(b"\n"):
            raise Fault("expected a line end after the last line, found none")
        drives = []
        for number, line in enumerate(data.decode("latin-1").split("\n")[:-1], 1):
            label, colon, files = line.partition(": ")
            if not colon or not all(" " < char <= "~" for char in files.replace(" ", "x")):
                raise Fault(f"line {number}: expected LABEL: FILE FILE ..., found {line[:100]!r}")
            drives.append(Drive(label=label, files=tuple(files.split(" "))))
        return cls(tuple(drives))

    def __str__(self) -> str:
        return "".join(f"{one.label}: {' '.join(one.files)}\n" for one in self.drives)

    def to_bytes(self) -> bytes:
        """Write the list as the file has it."""
        return str(self).encode("ascii")

    def files_of(self, label: str) -> tuple[str, ...]:
        """Return what the drive of that label has; nothing for one that is not listed."""
        return next((one.files for one in self.drives if one.label.casefold() == label.casefold()), ())

    def owners(self) -> dict[str, str]:
        """Return the label of the drive of each file that is listed."""
        return {name: one.label for one in self.drives for name in one.files}

    def recognise(self, names: Container[str]) -> str | None:
        """Return the label of the first drive of which some file is among `names`, or None."""
        found = (one.label for one in self.drives if any(name in names for name in one.files))
        return next(found, None)

    def with_drive(self, label: str, files: Sequence[str]) -> PackingList:
        """Return the list in which the drive has exactly these files, and no other drive has any of them.

        Raises `Fault` where that is no list, such as of too many drives.
        """
        taken = frozenset(files)
        place = next((one.label for one in self.drives if one.label.casefold() == label.casefold()), None)
        drives = [
            Drive(label=one.label, files=tuple(files))
            if one.label == place
            else Drive(label=one.label, files=tuple(name for name in one.files if name not in taken))
            for one in self.drives
        ]
        if place is None:
            drives.append(Drive(label=label, files=tuple(files)))
        return PackingList(tuple(one for one in drives if one.files))

    def with_list(self, other: PackingList) -> PackingList:
        """Return the list in which each drive of `other` has exactly what it has there, as by `with_drive`.

        In one pass, and not one for each drive: anybody can write a list of 1000 of them. Raises `Fault`.
        """
        labels = {one.label.casefold(): one.label for one in self.drives}
        files = {one.label: dict.fromkeys(one.files) for one in self.drives}
        owner = {name: label for label, names in files.items() for name in names}
        for one in other.drives:
            label = labels.setdefault(one.label.casefold(), one.label)
            for name in files.get(label, ()):
                del owner[name]
            files[label] = {}
            for name in one.files:
                if name in owner and (before := owner.pop(name)) != label:
                    del files[before][name]
                    if not files[before]:
                        del files[before], labels[before.casefold()]
            files[label] = dict.fromkeys(one.files)
            owner.update(dict.fromkeys(one.files, label))
        return PackingList(
            tuple(Drive(label=label, files=tuple(names)) for label, names in files.items() if names)
        )


def fresh_label(lists: Iterable[PackingList]) -> str:
    """Return the first of A, B … Z, AA, AB … that no drive in any of the lists has."""
    taken = {drive.label.casefold() for one in lists for drive in one.drives}
    return next(label for label in _labels() if label.casefold() not in taken)


def check_label(label: str) -> str:
    """Return a label of 1 to 32 letters, digits, dots, dashes and underscores; else raise `Fault`."""
    if not _LABEL.fullmatch(label):
        raise Fault(
            f"expected a label of 1 to 32 letters, digits, dots, dashes and underscores, found {label!r}"
        )
    return label


def _labels() -> Iterator[str]:
    yield from _LETTERS
    for first in _labels():
        yield from (first + last for last in _LETTERS)
