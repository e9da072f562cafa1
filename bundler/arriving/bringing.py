"""What a folder lacks of a bundle, brought file by file; each appears once it holds something right."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import Counter
from typing import TYPE_CHECKING

from bundler.arriving.collectnotes import STATE_FOLDER
from bundler.arriving.mending import Pattern, mend, offers
from bundler.arriving.stock import Item
from bundler.core.cut import Cut, Layout
from bundler.core.durable import host_faults, sync_folder
from bundler.core.text import size as show_size
from bundler.core.volumehead import Head, heads_of, volume_name
from bundler.errors import HostFault
from bundler.volumes.crowding import right_blocks
from bundler.volumes.shelf import Shelf
from bundler.volumes.survey import open_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from bundler.arriving.collectnotes import Notes
    from bundler.core.index import Index
    from bundler.core.progress import Progress
    from bundler.volumes.source import Source
    from bundler.volumes.survey import Seen

_MARGIN = 16 << 20  # bytes left free: for notes and what the file system keeps beside files


class Carrier:
    """Brings the files of one bundle that are `there` to the folder of `notes`, where some are `here`.

    Names are made from what a volume is, never from the name that it has on a drive. `holds` tells of a file
    whether the signatures in its front hold.
    """

    def __init__(
        self,
        source: Source,
        notes: Notes,
        *,
        here: Sequence[Seen],
        there: Sequence[Seen],
        holds: Callable[[Seen], bool],
        progress: Progress,
    ) -> None:
        self._source, self._notes, self._progress = source, notes, progress
        self._here, self._there, self._holds = here, there, holds
        self._ours = {one.path for one in here}  # no others are written over, whatever they are called
        self._fronts = {source.front: source.front}  # each once, however many files have it
        self.folder, self.stem = notes.folder, source.index.stem
        self.layout = Layout(source.index, _cut(source.index, here, there))
        self.written = 0  # bytes
        files = (*there, *here)
        self._shelf = Shelf(source.index, files)
        self._volumes = Shelf(source.index, [one for one in files if not one.is_supplement])

    def close(self) -> None:
        """Close the files."""
        self._shelf.close()
        self._volumes.close()

    def harm(self) -> list[str]:
        """Return a line for each file on a drive in which something was wrong."""
        harm = self._shelf.harm
        return [f"{one.path}: {harm[one.path]}" for one in self._there if one.path in harm]

    def bring(self) -> tuple[tuple[Item, ...], frozenset[int]]:
        """Bring everything; return the files that the bundle has, and the blocks that only supplements hold.

        Raises `HostFault`, before anything is written where there is too little room.
        """
        items = [self._item(head) for head in self._heads()]
        plans = [(one, needed) for one in items if (needed := self._needed(one)) is not None]
        self._check_room(plans)
        self._progress.stage("collect", sum(map(self._bytes_to_look_at, (one for one, _ in plans))))
        for one, _ in plans:
            self._bring(one)
        return tuple(items), self._bring_supplement(items)

    def _heads(self) -> Iterator[Head | None]:
        heads = heads_of(self.layout.cut, self._source.digest)
        if self.layout.cut.volumes == 1 and not self._heads_seen():
            next(heads)  # as a volume nobody has it: it is the bundle in one file
            yield None
        yield from heads

    def _heads_seen(self) -> bool:
        files = (*self._here, *self._there)
        return any(one.head and one.head.cut == self.layout.cut and not one.is_supplement for one in files)

    def _item(self, head: Head | None) -> Item:
        """Return the file that is or will be this volume; one that lies here may have another name."""
        name = volume_name(self.stem, head)
        said = head.to_member(self._source.index) if head else b""
        copies = [one for one in self._here if one.head == head]
        copies.sort(key=lambda one: one.path.name != name)
        for one in copies:
            front = self._front_of(one, len(said))
            if one.start == len(front) + len(said):
                pattern = Pattern(self._source.index, self.layout, head, (front, said))
                return Item(pattern=pattern, path=one.path, bad=self._notes.bad(one.path), there=True)
        pattern = Pattern(self._source.index, self.layout, head, (self._source.front, said))
        return Item(pattern=pattern, path=self._free_name(head, but=self._ours))

    def _front_of(self, seen: Seen, said: int) -> bytes:
        """Return the front that the file should have: its own where that is good, which others may share.

        It may have signatures that ours has not.
        """
        if not seen.intact or not self._holds(seen):
            return self._source.front
        with host_faults(seen.path), open_regular(seen.path) as stream:
            front = stream.read(seen.start - said)
        return self._fronts.setdefault(front, front)

    def _needed(self, item: Item) -> int | None:
        """Return the bytes that may have to be written, or None where nothing can be done for the file."""
        if item.there and item.bad is None:
            return 0  # it has to be read first
        shelf = self._shelf if item.there else self._volumes  # a supplement makes no volume
        sizes = [one.size for one in item.lost() if offers(shelf, item.pattern, one)]
        if item.there:
            return sum(sizes) or None
        part = self._part(item)
        with host_faults(part):
            begun = part.stat().st_size if part.exists() else 0
        return max(0, sum(sizes) - begun) if sizes else None

    def _check_room(self, plans: list[tuple[Item, int]]) -> None:
        needed = sum(size for _, size in plans)
        with host_faults(self.folder):
            free = shutil.disk_usage(self.folder).free
        if needed and needed + _MARGIN > free:
            raise HostFault(
                f"{self.folder}: {show_size(free)} are free, expected {show_size(needed + _MARGIN)}",
                hint="make room there, or collect in another folder; nothing was copied",
            )

    def _bytes_to_look_at(self, item: Item) -> int:
        return sum(one.size for one in (item.lost() if item.bad else item.pattern.contents()))

    def _bring(self, item: Item) -> None:
        """Fill the file from all copies of it, and note what is still wrong with it."""
        target = item.path if item.there else self._part(item)
        mended = mend(target, item.pattern, self._shelf, known_bad=item.bad, progress=self._progress)
        self.written += mended.written
        if not item.there:
            if not mended.good:
                with host_faults(target):
                    target.unlink()
                return
            self._publish(target, item.path)
        item.bad, item.there = mended.bad, True
        self._notes.keep(item.path, mended.bad)

    def _part(self, item: Item) -> Path:
        return self.folder / STATE_FOLDER / f"{item.path.name}.part"

    def _publish(self, part: Path, path: Path) -> None:
        self._shelf.close()  # Windows replaces no open file
        self._volumes.close()
        with host_faults(path):
            part.replace(path)
            sync_folder(part.parent)
            sync_folder(path.parent)

    def _bring_supplement(self, items: Sequence[Item]) -> frozenset[int]:
        """Copy what supplements have and nothing here has; return the blocks that only supplements hold."""
        lost = {one.block for item in items for one in item.lost() if one.block is not None}
        extra = self._good_blocks([one for one in self._here if one.is_supplement], lost)
        heads = [one.head for one in self._there if one.is_supplement and one.head]
        new = self._good_blocks([one for one in self._there if one.is_supplement], lost - extra)
        if new and heads:
            opening = (self._source.front, heads[0].to_member(self._source.index))
            pattern = Pattern(
                self._source.index, Layout(self._source.index, heads[0].cut), heads[0], opening,
                chosen=sorted(new),
            )  # fmt: skip
            part = self.folder / STATE_FOLDER / "resend.part"
            part.unlink(missing_ok=True)
            self.written += mend(part, pattern, self._shelf, known_bad=None, progress=self._progress).written
            self._publish(part, self._free_name(heads[0]))
        return frozenset(extra | new)

    def _good_blocks(self, files: list[Seen], among: set[int]) -> set[int]:
        with contextlib.closing(Shelf(self._source.index, files)) as shelf:
            return {one for one in shelf.resent.blocks & among if shelf.read(one) is not None}

    def _free_name(self, head: Head | None, *, but: Collection[Path] = ()) -> Path:
        """Return a path where nothing lies but what may be replaced."""
        path, number = self.folder / volume_name(self.stem, head), 1
        while path not in but and os.path.lexists(path):
            number += 1
            path = self.folder / volume_name(f"{self.stem}-{number}", head)
        return path


def _cut(index: Index, here: Sequence[Seen], there: Sequence[Seen]) -> Cut:
    """Return how the bundle is cut that was begun here, or else is there; one file is one volume.

    Where files are cut in several ways that is the one of which most blocks are right, as samples tell. One
    with parity comes before those without: blocks are brought out of files of any cut, parity is not.
    """
    every = sorted((*here, *there), key=lambda one: one.is_supplement)
    whole = [one.head.cut for one in every if one.head and one.head.cut.whole]
    in_one_file = whole[0] if whole else Cut(volumes=1)
    with_parity = {
        one.head.cut for one in every if one.head and one.head.cut.parity and not one.is_supplement
    }
    for files in (here, there):
        mine = [one for one in files if not one.is_supplement]
        sizes: Counter[Cut] = Counter()
        for one in mine:
            sizes[one.head.cut if one.head else in_one_file] += one.size
        if len(sizes) > 1:
            right = right_blocks(mine, index)
            right[in_one_file] = max(right.get(in_one_file, 0), right.get(None, 0))
            return max(sizes, key=lambda cut: (cut in with_parity and right[cut] > 0, right[cut], sizes[cut]))
        if sizes:
            return next(iter(sizes))
    return Cut(volumes=1)
