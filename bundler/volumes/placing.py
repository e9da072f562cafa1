"""Where the files of a bundle go, and writing them there: one file, or a set (FORMAT.md §17)."""

from __future__ import annotations

import errno
import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults, whole_file
from bundler.core.text import counted
from bundler.core.text import size as show_size
from bundler.core.volumehead import stem_in_name
from bundler.errors import UsageFault
from bundler.volumes.splitting import Written, set_paths, write_set

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from bundler.core.cut import Cut
    from bundler.core.index import Index
    from bundler.core.progress import Progress
    from bundler.volumes.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The folder of a bundle's files, the bundle's name where it is one file, and the STEM of volumes."""

    folder: Path
    name: str

    @classmethod
    def of(cls, output: Path, index: Index) -> Target:
        """Return what `output` says: a file, or a folder in which the bundle is called `NAME-SERIAL.uvb`."""
        if output.is_dir():
            return cls(folder=output, name=f"{index.stem}.uvb")
        return cls(folder=output.parent, name=output.name)

    @property
    def file(self) -> Path:
        """The bundle, where it is one file."""
        return self.folder / self.name

    @property
    def stem(self) -> str:
        """What stands before the number of a volume."""
        return stem_in_name(self.name)

    def files(self, source: Source, cut: Cut | None) -> list[Path]:
        """Return the files that the bundle will be, without a list of sums."""
        return set_paths(self.folder, self.stem, source, cut) if cut else [self.file]


def check_output(output: Path) -> None:
    """Refuse a place that cannot take the bundle, before anything is done for it.

    Raises `UsageFault` for a folder that is not there and for a device, whose place a finished file would
    take, and `HostFault` for a folder that may not be written.
    """
    if str(output) == "-":
        return
    with host_faults(output):
        if output.exists() and not (output.is_file() or output.is_dir()):
            raise UsageFault(
                f"{output}: is a device or a pipe, expected a file or a folder",
                hint="for a stream say -o - and redirect it",
            )
        folder = output if output.is_dir() else output.parent
        if not folder.is_dir():
            raise UsageFault(
                f"{folder}: no such folder, expected one for the bundle",
                hint=f"mkdir -p {shlex.quote(str(folder))}",
            )
        if not os.access(folder, os.W_OK | os.X_OK):
            why = errno.EROFS if _is_read_only(folder) else errno.EACCES
            raise OSError(why, os.strerror(why), str(folder))


def _is_read_only(folder: Path) -> bool:
    return hasattr(os, "statvfs") and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def write_files(
    target: Target, *, source: Source, cut: Cut | None, blocks: Iterator[bytes], progress: Progress
) -> tuple[Written, ...]:
    """Write the bundle as the cut says, None for one file; return its files, those of a set with their sums.

    All of them appear or none does. `blocks` are those of the index, authenticated. Raises as `write_set`
    does.
    """
    if cut:
        return write_set(
            target.folder, stem=target.stem, source=source, cut=cut, blocks=blocks, progress=progress
        )
    with whole_file(target.file) as out:
        size = write_joined(out.write, source=source, blocks=blocks, progress=progress)
    return (Written(path=target.file, size=size, sha256=None),)


def write_joined(
    write: Callable[[bytes], object], *, source: Source, blocks: Iterator[bytes], progress: Progress
) -> int:
    """Write the bundle as one file; return its size in bytes."""
    progress.stage("write", source.total)
    size = 0
    for data in source.container(blocks):
        write(data)
        size += len(data)
        progress.advance(len(data))
    return size


def others_beside(written: Sequence[Written]) -> list[Path]:
    """Return files of the same stem that lie beside what was written: of another cut, or an older bundle.

    Raises `HostFault`.
    """
    known, folder = {one.path.name for one in written}, written[0].path.parent
    stem = stem_in_name(written[0].path.name)
    with host_faults(folder):
        there = sorted(one.name for one in folder.iterdir() if one.suffix.lower() == ".uvb")
    return [folder / name for name in there if name not in known and stem_in_name(name) == stem]


def describe(cut: Cut | None, written: Sequence[Written]) -> str:
    """Return what was written, in words: `40 volumes and 4 of parity, the largest 4.0 GiB`."""
    if cut is None or cut.whole:
        sizes = [show_size(one.size) for one in written]
        return f"one file of {sizes[0]}" + (f", and {sizes[1]} of parity" if cut else "")
    parity = f" and {cut.parity_volumes} of parity" if cut.parity else ""
    largest = show_size(max(one.size for one in written))
    return f"{counted(cut.volumes, 'volume')}{parity}, the largest {largest}"
