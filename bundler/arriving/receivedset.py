"""What has arrived of one bundle: a folder of its volumes, with names of our own (FORMAT.md §17, "Diodes").

The names tell what was checked: a file with a volume's own name was read and found right; one that is called
`damaged` has cells that are wrong, and is kept for the others.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from bundler.arriving.cells import expected_size, read_cells, trusted_cells
from bundler.arriving.receivespool import refuse_link
from bundler.arriving.tally import Kept, blocks_by_cut, is_right, lost_blocks, slot_of
from bundler.core.digest import hash_file
from bundler.core.durable import host_faults, make_folder, sync_folder
from bundler.core.volumehead import DATA, volume_name
from bundler.volumes.adopting import adopt
from bundler.volumes.choosing import Found
from bundler.volumes.crowding import MAX_CUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bundler.arriving.cells import Cells
    from bundler.core.index import Index
    from bundler.offline.signedindex import SignedIndex
    from bundler.volumes.survey import Seen

MAX_COPIES = 3  # damaged files that are kept of one volume
MAX_SUPPLEMENTS = 100
MAX_KEPT = 15_000  # files; a folder of more than 20,000 is not read, and no packer makes as many
KEPT, REPEATED, WORTHLESS = "kept", "repeated", "worthless"
_SUPPLEMENT = re.compile(r"\.resend-[0-9a-f]{16}\.uvb")


class ReceivedSet:
    """The files of the bundle with this verified index below `folder`, which need not exist yet.

    `front` is the digest of a front whose signatures hold. Others may have other signatures: `holds` tells
    of a file whether they hold, too. One must be here whose do, or nobody could unpack what was gathered.
    """

    def __init__(
        self, folder: Path, *, index: Index, signed: SignedIndex, front: str, holds: Callable[[Seen], bool]
    ) -> None:
        self.folder, self.index, self.digest = folder, index, signed.digest
        self.files: list[Kept] = []
        self._signed, self._front, self._holds = signed, front, holds

    @property
    def stem(self) -> str:
        """`NAME-SERIAL`."""
        return self.index.stem

    def load(self, looked: Sequence[Seen]) -> None:
        """Take over what lies in the folder; files are read whose names do not say that they are right."""
        mine = [one for one in looked if one.index == self.digest]
        seen = self._with_adopted(mine, [one for one in looked if one.index is None])
        self.files = []
        for one in seen:
            signed = self._is_signed(one)
            checked = signed and self._has_own_name(one)
            cells = trusted_cells if checked and one.size == self.expected_size(one) else read_cells
            self.files.append(Kept(seen=one, cells=cells(self.index, one), signed=signed))

    @property
    def is_signed(self) -> bool:
        """Tell whether the signatures of one of the files hold."""
        return any(one.signed for one in self.files)

    def is_current(self) -> bool:
        """Tell whether the folder has still the files that were looked at: an administrator may tidy up.

        Raises `HostFault`.
        """
        if not self.folder.is_dir():
            return not self.files
        with host_faults(self.folder):
            there = {one.name for one in self.folder.iterdir()}
        return there >= {one.seen.path.name for one in self.files}

    def expected_size(self, seen: Seen) -> int:
        """Return the bytes that a file of this bundle should have."""
        return expected_size(self.index, seen)

    def recognise(self, seen: Seen) -> Seen | None:
        """Return what a file is whose front is damaged, told by the cells that it holds, or None."""
        found = self._with_adopted([one.seen for one in self.files], [seen])
        return next((one for one in found if one.path == seen.path), None)

    def has_right(self, seen: Seen) -> bool:
        """Tell whether this volume is there already, with all of its cells right, and signatures as good."""
        if seen.is_supplement:
            return False
        there = [one for one in self.files if one.slot == slot_of(seen) and one.is_right]
        return any(one.signed for one in there) or (bool(there) and not self._is_signed(seen))

    def place(self, arrived: Seen, *, now: float) -> str:
        """Check a file that lies on the same file system, and give it its name, or remove it.

        `KEPT`: it has something that was not there. `REPEATED`: all of that was there, or it is one too many
        of which only a block counts that nothing else has. `WORTHLESS`: nothing in it is right, or there are
        too many damaged copies already. Raises `HostFault`.
        """
        cells, signed = read_cells(self.index, arrived), self._is_signed(arrived)
        rivals = self._rivals(arrived, cells)
        has_room = (
            not self._is_crowded(arrived)
            or self._lacks_one_of(cells)
            or self._has_made_room(arrived, cells, signed=signed)
        )
        is_new = has_room and _brings_news(arrived, cells, rivals)
        if not is_new and not (signed and self._is_best(arrived, cells, rivals, has_room=has_room)):
            _unlink(arrived.path)
            for one in rivals:
                _touch(one.seen.path, now)  # the set is alive
            return REPEATED if any(cells.right) else WORTHLESS
        for one in [one for one in rivals if one.cells.within([cells]) and (signed or not one.signed)]:
            rivals.remove(one)
            self._forget(one)
        most = MAX_SUPPLEMENTS if arrived.is_supplement else MAX_COPIES
        if len(rivals) >= most:
            _unlink(arrived.path)
            return WORTHLESS
        path = self._free_name(arrived, flawless=cells.flawless and signed)
        self._make_folder()
        with host_faults(path):
            arrived.path.replace(path)
            _touch(path, now)
            sync_folder(self.folder)
        self.files.append(Kept(seen=replace(arrived, path=path), cells=cells, signed=signed))
        return KEPT

    def _is_best(self, arrived: Seen, cells: Cells, rivals: Sequence[Kept], *, has_room: bool) -> bool:
        """Tell whether a file with good signatures is kept for them: without one nobody could unpack it."""
        if not any(cells.right):
            return False
        rivalled = any(one.signed and one.is_right for one in rivals)
        return not self.is_signed or (has_room and is_right(arrived, cells) and not rivalled)

    def touch(self, *, now: float, like: Seen | None = None) -> None:
        """Count as if all of it, or the files of one volume, had come now."""
        for one in self.files:
            if like is None or one.slot == slot_of(like):
                _touch(one.seen.path, now)

    def times(self) -> list[float]:
        """Return when each file came, or when it came again, in seconds of Unix; raises `HostFault`."""
        with host_faults(self.folder):
            return [one.seen.path.stat().st_mtime for one in self.files]

    def remove(self) -> None:
        """Remove the folder; raises `HostFault`."""
        with host_faults(self.folder):
            shutil.rmtree(self.folder)

    def _is_signed(self, seen: Seen) -> bool:
        return seen.intact and (seen.front == self._front or self._holds(seen))

    def _is_crowded(self, arrived: Seen) -> bool:
        """Tell whether there are more files, or ways to cut the bundle, than a packer makes."""
        cuts = {one.seen.head.cut for one in self.files if one.seen.head}
        another = arrived.head is not None and arrived.head.cut not in cuts
        return len(self.files) >= MAX_KEPT or (another and len(cuts) >= MAX_CUTS)

    def _lacks_one_of(self, cells: Cells) -> bool:
        """Tell whether a block is right there, and in no file that is here."""
        lost = set(lost_blocks(self.index, self.files))
        right = (block for block, right in zip(cells.blocks, cells.right, strict=False) if right)
        return any(block in lost for block in right)

    def _has_made_room(self, arrived: Seen, cells: Cells, *, signed: bool) -> bool:
        """Remove the cut of which least is right, where the file has more; tell whether that was so."""
        *_, (least, right) = blocks_by_cut(self.files).items()
        doomed = [one for one in self.files if one.seen.head and one.seen.head.cut == least]
        mine = arrived.head is not None and arrived.head.cut == least
        if mine or not cells.blocks or sum(cells.right) <= right:
            return False
        if not signed and not any(one.signed for one in self.files if one.slot[0] != least):
            return False  # nobody could unpack what is left
        for one in doomed:
            self._forget(one)
        return True

    def _rivals(self, arrived: Seen, cells: Cells) -> list[Kept]:
        same = [one for one in self.files if one.slot == slot_of(arrived)]
        if arrived.is_supplement:  # others may have other blocks
            return [one for one in same if tuple(one.cells.blocks) == tuple(cells.blocks)]
        return same

    def _with_adopted(self, mine: list[Seen], doubtful: list[Seen]) -> list[Seen]:
        if not doubtful:
            return mine
        found = Found(files=tuple(mine), signed=self._signed, front=self._front, doubtful=tuple(doubtful))
        return adopt(self.index, found)

    def _has_own_name(self, seen: Seen) -> bool:
        """Tell whether the file is called as only one is that was found right."""
        name = seen.path.name
        if seen.is_supplement:
            return name.startswith(self.stem) and bool(_SUPPLEMENT.fullmatch(name, len(self.stem)))
        return name == volume_name(self.stem, seen.head)

    def _free_name(self, arrived: Seen, *, flawless: bool) -> Path:
        """Return the name for the file; one that another file has is only taken where that is replaced."""
        name = volume_name(self.stem, arrived.head)
        if arrived.is_supplement:
            with host_faults(arrived.path):
                digest, _ = hash_file(arrived.path)
            name = f"{self.stem}.resend-{digest.hex[:16]}.uvb"
        used = {one.seen.path.name for one in self.files}
        if flawless and name not in used:
            return self.folder / name
        base = name.removesuffix(".uvb")
        numbers = (f"{base}.damaged-{number}.uvb" for number in range(1, len(used) + 2))
        return self.folder / next(one for one in numbers if one not in used)

    def _forget(self, one: Kept) -> None:
        self.files.remove(one)
        _unlink(one.seen.path)

    def _make_folder(self) -> None:
        make_folder(self.folder)
        refuse_link(self.folder)


def _brings_news(arrived: Seen, cells: Cells, rivals: Sequence[Kept]) -> bool:
    """Tell whether a cell is right there and in no rival, or it is the first of a volume without a block."""
    if not rivals and not cells.right:
        return arrived.head is not None and arrived.head.kind == DATA
    return not cells.within([one.cells for one in rivals])


def _unlink(path: Path) -> None:
    with host_faults(path):
        path.unlink(missing_ok=True)


def _touch(path: Path, now: float) -> None:
    with contextlib.suppress(OSError):  # a file of another user: its own time does nearly as well
        os.utime(path, (now, now))
