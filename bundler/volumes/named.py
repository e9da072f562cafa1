"""What a person named: which bundle it is, what messages call it, what else lies there (FORMAT.md §17)."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from bundler.core.text import counted, listed
from bundler.errors import BundlerError
from bundler.volumes.choosing import choose
from bundler.volumes.survey import companions, list_files, look_at

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from bundler.volumes.choosing import Found, Judge, Wanted
    from bundler.volumes.survey import Seen

MAX_BESIDE = 200  # files of a folder that are looked at


def name_of(paths: Sequence[Path]) -> str:
    """Return what messages call all that was named together."""
    return listed(paths)


def choose_named(
    paths: Sequence[Path], files: Sequence[Path], *, judge: Judge | None, wanted: Wanted | None = None
) -> Found:
    """Return the bundle that the `files` of `paths` are; its notes tell of what else lies there, too.

    Each of the files is looked at once. Raises as `choose` and `look_at` do.
    """
    lines, seen = ignored(paths), look_at(files)
    found = choose(seen, judge=judge, name=name_of(paths), wanted=wanted)
    more = unnamed(paths, seen)
    return replace(found, notes=(*lines, *found.notes, *notes_of(more)), more=tuple(more))


def ignored(paths: Sequence[Path]) -> tuple[str, ...]:
    """Return a line for each file in a folder of `paths` that is called as a bundle's, and is macOS's own."""
    return tuple(
        f"{path / one}: is no part of a bundle (macOS makes such files)"
        for path in paths
        if path.is_dir()
        for one in companions(path)
    )


def unnamed(paths: Sequence[Path], seen: Sequence[Seen]) -> dict[Path, int]:
    """Return how many more files of the bundles whose files a person named one by one are in their folders.

    `seen` are these files. Beside a bundle in one file only its own parity counts.
    """
    if not all(path.is_file() for path in paths):
        return {}
    mine = [one for one in seen if one.index]
    return beside(paths, {str(one.index) for one in mine}, whole=all(one.head is None for one in mine))


def beside(paths: Sequence[Path], indexes: Collection[str], *, whole: bool) -> dict[Path, int]:
    """Return how many more files of the bundles with these indexes are in the folders of `paths`.

    Where the files named are `whole` bundles only parity counts.
    """
    more: dict[Path, int] = {}
    with contextlib.suppress(BundlerError, OSError):  # a folder that cannot be read has nothing to offer
        named = {path.resolve() for path in paths}
        for folder in dict.fromkeys(path.parent for path in paths):
            # A file may lie among others that are nobody's business: none of them is opened.
            called = list_files([folder], by_name=True)
            others = [one for one in called if one.resolve() not in named][:MAX_BESIDE]
            found = [one for one in look_at(others) if one.index in indexes]
            if count := sum(not whole or bool(one.head and one.head.cut.whole) for one in found):
                more[folder] = count
    return more


def notes_of(more: Mapping[Path, int]) -> list[str]:
    """Return what is said of more files, by their folder, before any of them is read."""
    return [f"{has_more(*one)}; name the folder to read them, too" for one in more.items()]


def has_more(folder: Path, count: int) -> str:
    """Return that a folder has more files of the bundle."""
    return f"{folder}: has {counted(count, 'more file')} of this bundle"


def name_folders(folders: Collection[Path]) -> str:
    """Return the next step where what was named is not enough and these folders have more; empty for none."""
    named = " and ".join(map(str, folders))
    return (
        f"name {named} itself: other files of this bundle lie there, and may make up for it" if named else ""
    )
