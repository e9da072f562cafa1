"""Packing lists that drives carry, put together: a hint on which drive a file should be (FORMAT.md §17)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from bundler.core.durable import read_own, whole_file
from bundler.core.fault import Fault
from bundler.core.volumehead import PARITY, number_in_name, volumes_of
from bundler.media.drives import MAX_LIST_BYTES, SUFFIX, PackingList

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from bundler.core.cut import Cut

_MAX_STEMS = 16  # names that files of one bundle have before their numbers; nobody gives it more than two


def gather_lists(folder: Path, stem: str, *, places: Iterable[Path], stems: Collection[str]) -> PackingList:
    """Read `STEM.drives` of `folder`, and of `places` those with the bundle's `stems`; keep them together.

    A later list of a drive takes the place of an earlier one. What cannot be read is passed over. Raises
    `HostFault` where the list cannot be kept.
    """
    kept = folder / f"{stem}{SUFFIX}"
    known = merged = _read(kept)
    for place in places:
        for one in sorted(stems)[:_MAX_STEMS]:
            with contextlib.suppress(Fault):  # too many drives
                merged = merged.with_list(_read(place / f"{one}{SUFFIX}"))
    if merged != known:
        with whole_file(kept) as stream:
            stream.write(merged.to_bytes())
    return merged


def drives_of(packing: PackingList, cut: Cut) -> dict[tuple[bool, int], str]:
    """Return the label of the drive of each file, by whether it is parity and its number, from 1."""
    found = {}
    for drive in packing.drives:
        for name in drive.files:
            named = number_in_name(name)
            if named is None:
                if cut.data_volumes == 1:
                    found[False, 1] = drive.label
                continue
            kind, number, total = named
            if total == volumes_of(cut, kind):
                found[kind == PARITY, number] = drive.label
    return found


def _read(path: Path) -> PackingList:
    try:
        return PackingList.parse(read_own(path, limit=MAX_LIST_BYTES))
    except (OSError, Fault):
        return PackingList()
