"""What was lost of a bundle, in words: file by file, and what it comes to (FORMAT.md §17)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from bundler.core.durable import read_own
from bundler.core.fault import Fault
from bundler.core.text import counted, size
from bundler.media.drives import MAX_LIST_BYTES, SUFFIX, PackingList

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundler.volumes.choosing import Found
    from bundler.volumes.inventory import Inventory
    from bundler.volumes.needed import Need

_NAMED = 10  # files that are told one by one


def losses(inventory: Inventory, found: Found) -> Iterator[str]:
    """Yield what is wrong, file by file: foreign, truncated, damaged, missing."""
    known = {one.path for one in inventory.files}
    for one in found.doubtful:
        if one.path not in known and one.index is None:
            yield f"{one.path}: {'unreadable' if one.unread else 'foreign'}: {one.fault}"
    for copy in inventory.copies:
        if copy.wrong:
            yield str(copy)
    absent = inventory.absent(found.signed.digest)
    drives = _drives(inventory)
    for head, name in absent[:_NAMED]:
        where = f", on drive {drives[name]} by the packing list" if name in drives else ""
        yield f"{head.title if head else 'the bundle in one file'} is missing: {name}{where}"
    if len(absent) > _NAMED:
        yield f"{len(absent) - _NAMED} more files are missing"


def _drives(inventory: Inventory) -> dict[str, str]:
    """Return on which drive each file should be, by the packing lists that lie beside the bundle's files."""
    found: dict[str, str] = {}
    for folder in dict.fromkeys(one.path.parent for one in inventory.files):
        with contextlib.suppress(OSError, Fault):  # a list is a hint: without it the names alone are told
            packing = PackingList.parse(read_own(folder / f"{inventory.stem}{SUFFIX}", limit=MAX_LIST_BYTES))
            for drive in packing.drives:
                found |= dict.fromkeys(drive.files, drive.label)
    return found


def balance(inventory: Inventory, need: Need) -> str:
    """Say how much is lost, recovered and needed."""
    if not inventory.lost:
        return "every block is there: nothing has to be sent once more"
    blocks = need.layout.blocks
    lost = f"{counted(len(inventory.lost), 'block')} lost ({size(sum(map(blocks.size, inventory.lost)))})"
    if not need.blocks:
        return f"{lost}, and parity recovers all of it: nothing has to be sent once more"
    missing = size(sum(map(blocks.size, need.blocks)))
    if len(need.blocks) == len(inventory.lost):
        return f"{lost}, and no parity recovers any of it"
    return f"{lost}; {counted(len(need.blocks), 'block')} ({missing}) more than parity recovers"
