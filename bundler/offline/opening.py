"""A bundle, opened: one file or stream, several files, or folders that hold them (FORMAT.md §17)."""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from bundler.core.durable import host_faults
from bundler.errors import BundlerError, UsageFault
from bundler.offline.choosing import choose
from bundler.offline.folder import FolderReader, is_exploded
from bundler.offline.setreader import SetReader
from bundler.offline.survey import companions, list_files, look, look_at, unnamed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bundler.offline.choosing import Judge
    from bundler.offline.reader import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A bundle to read, what messages call it, and lines about files that are not what they seem."""

    source: BinaryIO | Reader
    name: str
    notes: tuple[str, ...] = ()


@contextlib.contextmanager
def opened(
    paths: Sequence[Path], *, judge: Judge | None = None, trust: Sequence[str] = ()
) -> Iterator[Opened]:
    """Open the bundle that `paths` name. One that lies in one file is a stream, others are readers of sets.

    `judge` is asked where the files belong to several bundles. `trust` are words that further commands for
    the same files need, such as `--trust packer.pub`. Raises `UsageFault`, `DamagedFault`,
    `SignatureFault`, `HostFault`.
    """
    if len(paths) == 1 and not paths[0].is_dir() and not _is_volume(paths[0]):
        with _stream(paths[0]) as stream:
            yield Opened(source=stream, name=str(paths[0]), notes=tuple(unnamed(paths)))
        return
    if len(paths) == 1 and is_exploded(paths[0]):
        yield Opened(source=FolderReader(paths[0]), name=str(paths[0]))
        return
    files = list(list_files(paths))
    name = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    if not files:
        raise UsageFault(
            f"{name}: expected a bundle's files in this folder, found none",
            hint="check that the medium is mounted; bundles end in .uvb",
        )
    seen = look_at(files)
    ignored = tuple(
        f"{path / one}: is no part of a bundle (macOS makes such files)"
        for path in paths
        if path.is_dir()
        for one in companions(path)
    )
    if len(seen) == 1 and seen[0].head is None:
        with _stream(seen[0].path) as stream:
            yield Opened(source=stream, name=str(seen[0].path), notes=ignored)
        return
    found = choose(seen, judge=judge, name=name)
    with contextlib.closing(
        SetReader(found, name=name, words=shlex.join([*map(str, paths), *trust]))
    ) as reader:
        yield Opened(source=reader, name=name, notes=(*ignored, *found.notes, *unnamed(paths)))


def _is_volume(path: Path) -> bool:
    try:
        return path.is_file() and look(path).head is not None
    except (BundlerError, OSError):
        return False  # whoever reads it as a bundle says better what is wrong with it


@contextlib.contextmanager
def _stream(path: Path) -> Iterator[BinaryIO]:
    with host_faults(path):
        if not path.exists():
            raise UsageFault(
                f"{path}: no such file, expected a bundle", hint="check the path, and `ls` the medium"
            )
        stream = path.open("rb", buffering=0)
    try:
        yield stream
    finally:
        with contextlib.suppress(OSError):  # it was read and not written: nothing can be lost
            stream.close()
