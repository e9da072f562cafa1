"""Files of a bundle that lie beside those that a person named one by one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from bundler.core.text import counted
from bundler.errors import BundlerError
from bundler.volumes.survey import list_files, look, look_at

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

MAX_BESIDE = 200  # files of a folder that are looked at


def unnamed(paths: Sequence[Path], *, what: str = "; name the folder to read them, too") -> Iterator[str]:
    """Yield a line for each folder with more files of the bundles whose files a person named one by one.

    `what` is said of these files at its end. Beside a bundle in one file only its own parity counts.
    """
    if not all(path.is_file() for path in paths):
        return
    with contextlib.suppress(BundlerError, OSError):  # a folder that cannot be read has nothing to offer
        mine = [one for one in map(look, paths) if one.index]
        whole = all(one.head is None for one in mine)
        yield from beside(paths, {str(one.index) for one in mine}, whole=whole, what=what)


def beside(
    paths: Sequence[Path],
    indexes: Collection[str],
    *,
    whole: bool,
    what: str = "; name the folder to read them, too",
) -> Iterator[str]:
    """Yield a line for each folder of `paths` with more files of the bundles with these indexes.

    Where the files named are `whole` bundles only parity counts.
    """
    with contextlib.suppress(BundlerError, OSError):
        named = {path.resolve() for path in paths}
        for folder in dict.fromkeys(path.parent for path in paths):
            # A file may lie among others that are nobody's business: none of them is opened.
            called = list_files([folder], by_name=True)
            others = [one for one in called if one.resolve() not in named][:MAX_BESIDE]
            found = [one for one in look_at(others) if one.index in indexes]
            if count := sum(not whole or bool(one.head and one.head.cut.whole) for one in found):
                yield f"{folder}: has {counted(count, 'more file')} of this bundle{what}"
