"""Which files go on which drive: whole ones, in order, as many as fit, and none that another drive has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults, read_own
from bundler.core.fault import Fault
from bundler.core.text import size as show_size
from bundler.core.volumehead import stem_in_name
from bundler.errors import HostFault, UsageFault
from bundler.media.drives import MAX_LIST_BYTES, SUFFIX, PackingList, check_label, fresh_label
from bundler.media.preflight import split_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bundler.core.digest import Digest
    from bundler.media.preflight import Medium

_MARGIN = 2 << 20  # bytes left free: for the lists that lie beside the files, and for the folder's own growth
_SPARE_INODES = 3  # the two lists, and a temporary name


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that is to travel: where it lies, and its size in bytes when it was looked at."""

    path: Path
    size: int

    @property
    def name(self) -> str:
        """Its name, which it keeps on the drive."""
        return self.path.name

    @property
    def stem(self) -> str:
        """What all files of its bundle are called before their numbers."""
        return stem_in_name(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a drive is to hold: its label, what is there already (by digest), what is written, what is left.

    `lists` are the packing lists as they will be, by the path where each is kept: none where no file is on
    another drive or left for one.
    """

    label: str
    kept: Mapping[Source, Digest]
    writing: tuple[Source, ...]
    left: tuple[Source, ...]
    lists: Mapping[Path, PackingList]

    @property
    def held(self) -> tuple[Source, ...]:
        """All files that the drive will have, by name."""
        return tuple(sorted((*self.kept, *self.writing), key=lambda one: one.name))


class Planner:
    """Decides what a drive gets: first whose turn it is, then what of that fits."""

    def __init__(
        self, sources: Sequence[Source], medium: Medium, *, drive: str | None, state: Path | None
    ) -> None:
        """Read the packing lists beside the sources, or in `state`; raises `UsageFault` and `HostFault`."""
        self._medium = medium
        places = {one.stem: (state or one.path.parent) / f"{one.stem}{SUFFIX}" for one in reversed(sources)}
        self._places = places
        self._lists = {stem: read_list(path) for stem, path in places.items()}
        self.there = tuple(one for one in sources if _size_of(medium.folder / one.name) == one.size)
        self.label = self._label(drive)
        owners = {name: label for each in self._lists.values() for name, label in each.owners().items()}
        mine = self.label.casefold()
        self.turn = tuple(one for one in sources if owners.get(one.name, mine).casefold() == mine)
        if not self.turn:
            labels = ", ".join(sorted({one.label for each in self._lists.values() for one in each.drives}))
            raise UsageFault(
                f"{next(iter(places.values()))}: every file is on a drive already ({labels}), "
                "expected one that is not",
                hint="to write one of these drives again, name it: --drive LABEL; "
                "for another set of drives move the list away",
            )

    def _label(self, drive: str | None) -> str:
        if drive is not None:
            try:
                return check_label(drive)
            except Fault as fault:
                raise UsageFault(f"--drive: {fault}", hint="such as: --drive A") from None
        names = {one.name for one in self.there}
        found = (each.recognise(names) for each in self._lists.values())
        return next(filter(None, found), None) or fresh_label(self._lists.values())

    def fill(self, kept: Mapping[Source, Digest]) -> Load:
        """Decide what is written beside what is there.

        Raises `HostFault` where nothing fits, and `UsageFault` where a packing list takes no drive more.
        """
        medium, writing, full = self._medium, list[Source](), False
        room = None if medium.free is None else medium.free - _MARGIN
        inodes = None if medium.inodes is None else medium.inodes - _SPARE_INODES
        for one in self.turn:
            if one in kept or full:
                continue
            if room is not None:
                room -= medium.room_of(one.size)
            full = (room is not None and room < 0) or (inodes is not None and len(writing) >= inodes)
            if not full:
                writing.append(one)
        held = {*kept, *writing}
        left = tuple(one for one in self.turn if one not in held)
        if left and not kept and not writing:
            self._refuse(left[0], inodes)
        load = Load(label=self.label, kept=kept, writing=tuple(writing), left=left, lists={})
        return replace(load, lists=self._new_lists(load))

    def _refuse(self, first: Source, inodes: int | None) -> None:
        medium = self._medium
        if inodes is not None and inodes <= 0:
            raise HostFault(
                f"{medium.folder}: {medium.inodes} inodes free, expected more",
                hint="remove files that are not needed there (`df -i`), or use another drive",
            )
        raise HostFault(
            f"{medium.folder}: {show_size(medium.free or 0)} free, expected "
            f"{show_size(medium.room_of(first.size) + _MARGIN)} for {first.name} and the lists beside it",
            hint="make room there or use a larger drive, or cut it into smaller volumes: "
            f"{split_words(first.path, 'SIZE')}",
        )

    def _new_lists(self, load: Load) -> dict[Path, PackingList]:
        lists = {}
        for stem, path in self._places.items():
            files = [one.name for one in load.held if one.stem == stem]
            if self._lists[stem].drives or any(one.stem == stem for one in load.left):
                try:
                    lists[path] = self._lists[stem].with_drive(load.label, files)
                except Fault as fault:
                    raise UsageFault(
                        f"{path}: {fault}", hint="use larger drives; for another set move the list away"
                    ) from None
        return lists


def read_list(path: Path) -> PackingList:
    """Read a packing list; one that is not there is empty. Raises `UsageFault` for one that does not fit."""
    with host_faults(path):
        try:
            data = read_own(path, limit=MAX_LIST_BYTES)
        except FileNotFoundError:
            return PackingList()
    try:
        return PackingList.parse(data)
    except Fault as fault:
        raise UsageFault(
            f"{path}: {fault}",
            hint="correct that line; or move the list away: drives that were written are then written again",
        ) from None


def _size_of(path: Path) -> int | None:
    """Return the size of a regular file, or None."""
    try:
        return path.stat(follow_symlinks=False).st_size if path.is_file() and not path.is_symlink() else None
    except OSError:
        return None
