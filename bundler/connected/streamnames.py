"""Paths of what streams hold: one for each entry, below its archive's folder, and none that leads out of it.

Stock tools write by these paths; uv-bundler reads contents by their offsets and needs no paths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundler.connected import tarparts
from bundler.connected.pieces import UV

if TYPE_CHECKING:
    from collections.abc import Iterable


class Names:
    """The folders and the paths that are given out: none of them twice."""

    def __init__(self) -> None:
        self._roots = {UV}
        self._taken: dict[str, int] = {}  # how many paths like this one there are

    def root(self, name: str) -> str:
        """Return a folder for an archive alone, also where case is ignored; programs of uv have theirs."""
        root, number = name, 1
        while root.lower() in self._roots:
            number += 1
            root = f"{name}~{number}"
        self._roots.add(root.lower())
        return root

    def free(self, path: str) -> str:
        """Return the path, or one like it where it is taken: two archives may have one name."""
        free, number = path, self._taken.get(path, 0)
        while free in self._taken:
            number += 1
            free = f"{path}~{number}"
        self._taken[path] = max(1, number)
        self._taken.setdefault(free, 1)
        return free


def below(root: str, name: str) -> str:
    """Return the path below the archive's folder; what would lead out of it is bent into it."""
    parts = [part for part in name.replace("\0", "_").split("/") if part not in ("", ".")]
    return "/".join([root, *("_" if part == ".." else part for part in parts)])


def harmless(entries: Iterable[tarparts.Entry]) -> list[tarparts.Entry]:
    """Return the entries but symbolic links that lead out, and what lies below a symbolic link."""
    named = [(below("", one.name) + "/", one) for one in entries if not _leads_out(one)]
    beneath: set[int] = set()
    link = "-"  # no name begins so
    for place in sorted(range(len(named)), key=lambda place: (named[place][0], -place)):
        path, one = named[place]
        if path.startswith(link):
            beneath.add(place)
        elif one.kind == tarparts.SYMLINK:
            link = path
    return [one for place, (_, one) in enumerate(named) if place not in beneath]


def _leads_out(entry: tarparts.Entry) -> bool:
    """Tell whether a symbolic link may point out of the archive's folder: others could be written through it.

    A way back behind a folder's name counts, because that folder may be a link too.
    """
    if entry.kind != tarparts.SYMLINK:
        return False
    folders = below("", entry.name).count("/") - 1
    parts = [part for part in entry.target.split("/") if part not in ("", ".")]
    up = parts.count("..")
    return entry.target.startswith("/") or parts[:up] != [".."] * up or up > folders
