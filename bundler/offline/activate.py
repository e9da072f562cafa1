"""Make a staged generation the active one, in the order that a crash cannot spoil (FORMAT.md §10, 4 to 6)."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults, make_folder, sync_folder
from bundler.offline.prefix import FRESH_LINK

if TYPE_CHECKING:
    from pathlib import Path

    from bundler.offline.prefix import Prefix

_NUMBER = re.compile(r"[1-9][0-9]{0,17}")  # as `str` writes it, and as records and the log can hold it


def numbers(prefix: Prefix) -> list[int]:
    """Return the numbers of the generations that lie here; what has another name is somebody else's."""
    if not prefix.generations.exists():
        return []
    return [int(one.name) for one in prefix.generations.iterdir() if _NUMBER.fullmatch(one.name)]


def next_number(prefix: Prefix) -> int:
    """Return one more than the highest generation that was ever completed here."""
    return max(numbers(prefix), default=0) + 1


def publish(prefix: Prefix, staged: Path, number: int) -> Path:
    """Move a finished staging folder among the generations; return where it is now."""
    make_folder(prefix.generations)
    target = prefix.generations / str(number)
    with host_faults(target):
        staged.rename(target)
        sync_folder(prefix.generations)
    return target


def activate(prefix: Prefix, number: int) -> None:
    """Point `current` at a generation, by one rename."""
    with host_faults(prefix.current):
        if sys.platform == "win32":
            _activate_junction(prefix, number)
            return
        fresh = prefix.root / FRESH_LINK
        fresh.symlink_to(os.path.join("generations", str(number)))  # noqa: PTH118  # a relative link can be moved
        fresh.replace(prefix.current)
        sync_folder(prefix.root)


def _activate_junction(prefix: Prefix, number: int) -> None:
    """Replace the junction in two steps: Windows has no rename over a folder, and links need a privilege."""
    import _winapi

    if os.path.lexists(prefix.current):
        prefix.current.rmdir()
    _winapi.CreateJunction(str(prefix.generations / str(number)), str(prefix.current))  # type: ignore[attr-defined,unused-ignore]
