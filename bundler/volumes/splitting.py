"""A set of volumes, written from a bundle's blocks in one pass and flat memory (FORMAT.md §17).

Rows go over the columns of a group, so all of its volumes are open at once, and one row of parity is in
memory. Of a `whole` set the rows go over the file: its parity is made from the finished file, row by row.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from bundler.core import ustar
from bundler.core.cut import Layout
from bundler.core.digest import Digest
from bundler.core.durable import host_faults, read_up_to
from bundler.core.index import SUMS_NAME
from bundler.core.volumehead import DATA, PARITY, Head, heads_of, is_stem, volume_name
from bundler.errors import DamagedFault, UsageFault
from bundler.volumes.fileset import Beside, FileSet, NewFile, whole_files
from bundler.volumes.source import expect_no_more

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundler.core.blocks import Blocks
    from bundler.core.cut import Cut
    from bundler.core.erasure import Encoder
    from bundler.core.progress import Progress
    from bundler.volumes.source import Source

SUMS_SUFFIX = f".{SUMS_NAME}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A file that was written: its path, its size in bytes, and in a set its sha256."""

    path: Path
    size: int
    sha256: str | None


def write_set(
    folder: Path, *, stem: str, source: Source, cut: Cut, blocks: Iterator[bytes], progress: Progress
) -> tuple[Written, ...]:
    """Write data volumes, parity volumes and `STEM.SHA256SUMS` into `folder`, all of them or nothing.

    `blocks` yields all blocks in the order of the index, each one authenticated, and raises where what it
    reads from does not end well. Returns what was written, the list of sums last. Raises `UsageFault` as
    `check_stem` does, and `HostFault`.
    """
    check_stem(stem)
    with whole_files(folder) as files, Beside() as beside:
        work = _Work(source=source, stem=stem, cut=cut, files=files, beside=beside, progress=progress)
        progress.stage("write", source.total)
        if cut.whole:
            bundle = files.create(volume_name(stem, None))
            for data in source.container(_watched(blocks, progress)):
                beside.call(partial(bundle.write, data))
            beside.call(bundle.finish)
            beside.wait()
            made = [bundle, work.whole_parity(bundle.temporary, named=bundle.path)]
        else:
            made = work.volumes(_watched(blocks, progress))
        beside.wait()
        written = [Written(path=one.path, size=one.size, sha256=one.sha256) for one in made]
        return _with_sums(files, written, stem)


def write_parity(
    bundle: Path, *, stem: str, source: Source, cut: Cut, blocks: Iterator[bytes], progress: Progress
) -> tuple[Written, ...]:
    """Write the parity volume of a bundle that lies in one file, and `STEM.SHA256SUMS` of both, beside it.

    The bundle is read twice: in the order of its `blocks`, and row by row. Raises as `write_set` does, and
    `DamagedFault` where the second time a block is not what it was.
    """
    check_stem(stem)
    progress.stage("check", source.total)
    state, size = hashlib.sha256(), 0
    for data in source.container(_watched(blocks, progress)):
        state.update(data)
        size += len(data)
    with whole_files(bundle.parent) as files, Beside() as beside:
        work = _Work(source=source, stem=stem, cut=cut, files=files, beside=beside, progress=progress)
        parity = work.whole_parity(bundle, named=bundle)
        beside.wait()
        there = Written(path=bundle, size=size, sha256=state.hexdigest())
        return _with_sums(
            files, [there, Written(path=parity.path, size=parity.size, sha256=parity.sha256)], stem
        )


def set_paths(folder: Path, stem: str, source: Source, cut: Cut) -> list[Path]:
    """Return the files that a set consists of, without the list of sums."""
    return [folder / volume_name(stem, head) for head in heads_of(cut, source.digest)]


def check_stem(stem: str) -> None:
    """Refuse a name that a list of sums cannot hold as it is, or that nobody sees; raises `UsageFault`."""
    if not is_stem(stem):
        raise UsageFault(
            f"{stem!r}: expected a name for volumes without control characters, backslash or leading dot",
            hint="name a folder with -o: volumes are called NAME-SERIAL then",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """One set that is being written."""

    source: Source
    stem: str
    cut: Cut
    files: FileSet
    beside: Beside
    progress: Progress

    def volumes(self, blocks: Iterator[bytes]) -> list[NewFile]:
        """Write all volumes of a set that is not `whole`, a group after the other; return them by number."""
        layout, made = Layout(self.source.index, self.cut), {}
        for group in range(self.cut.groups):
            made.update(self._group(layout, group, blocks))
        expect_no_more(blocks)
        return [made[place] for place in sorted(made)]  # data before parity

    def whole_parity(self, bundle: Path, *, named: Path) -> NewFile:
        """Write the parity volume of the bundle that lies in the file `bundle`."""
        layout, parity = Layout(self.source.index, self.cut), self._begin(PARITY, 1)
        self.progress.stage("parity", self.source.total)
        with host_faults(named), bundle.open("rb", buffering=0) as stream:
            again = _Again(
                stream=stream,
                name=str(named),
                offsets=self.source.offsets(),
                blocks=layout.blocks,
                block_size=self.source.index.block_size,
            )
            for row in range(layout.rows(0)):
                encoder = _encoder(layout, 0, row)
                for column, number in layout.row_blocks(0, row).items():
                    block = again.block(number)
                    encoder.add(column, block)
                    self.progress.advance(len(block))
                for column, cell in enumerate(encoder.finish()):
                    self.beside.call(partial(parity.add_cell, 0, row, column, cell))
        self._end([parity])
        return parity

    def _group(self, layout: Layout, group: int, blocks: Iterator[bytes]) -> dict[tuple[str, int], NewFile]:
        """Write the volumes of a group; return them by kind and number."""
        many, names = self.cut.groups, layout.blocks
        numbers = [column * many + group + 1 for column in range(self.cut.columns(group))]
        data = [self._begin(DATA, number) for number in numbers]
        parity = [self._begin(PARITY, column * many + group + 1) for column in range(self.cut.parity)]
        for row in range(layout.rows(group)):
            encoder = _encoder(layout, group, row) if self.cut.parity else None
            for column, number in layout.row_blocks(group, row).items():
                block = next(blocks)
                if encoder:
                    encoder.add(column, block)
                self.beside.call(partial(data[column].add, names.name(number), block))
            for column, cell in enumerate(encoder.finish() if encoder else ()):
                self.beside.call(partial(parity[column].add_cell, group, row, column, cell))
        self._end([*data, *parity])
        return {
            **{(DATA, number): one for number, one in zip(numbers, data, strict=True)},
            **{(PARITY, column * many + group + 1): one for column, one in enumerate(parity)},
        }

    def _begin(self, kind: str, number: int) -> NewFile:
        head = Head(kind=kind, number=number, cut=self.cut, index=self.source.digest)
        made = self.files.create(volume_name(self.stem, head))
        self.beside.call(partial(made.write, self.source.opening(head)))
        return made

    def _end(self, files: list[NewFile]) -> None:
        for one in files:
            self.beside.call(partial(one.write, ustar.END))
            self.beside.call(one.finish)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Again:
    """A bundle in one file whose blocks were all authenticated before, read in another order."""

    stream: BinaryIO
    name: str
    offsets: list[int]
    blocks: Blocks
    block_size: int

    def block(self, number: int) -> bytes:
        """Return a block; raises `DamagedFault` where it is not what it was."""
        member, inside = self.blocks.locate(number)
        self.stream.seek(self.offsets[member] + inside * self.block_size)
        data = read_up_to(self.stream, self.blocks.size(number))
        if Digest.of(data) != self.blocks.digest(number):
            raise DamagedFault(
                f"{self.name}: {self.blocks.describe(number)}: differs from what was there a moment ago",
                hint="the medium or the memory is not sound: check it (`dmesg`), then run the command again",
            )
        return data


def _encoder(layout: Layout, group: int, row: int) -> Encoder:
    """Return the encoder of a row; only sets with parity load its code."""
    from bundler.core.erasure import Encoder

    return Encoder(parity=range(layout.cut.parity), size=layout.row_size(group, row))


def _watched(blocks: Iterator[bytes], progress: Progress) -> Iterator[bytes]:
    for block in blocks:
        yield block
        progress.advance(len(block))


def _with_sums(files: FileSet, written: list[Written], stem: str) -> tuple[Written, ...]:
    """Write the list of sums; return it after the files that it lists."""
    lines = (f"{one.sha256}  ".encode() + os.fsencode(one.path.name) + b"\n" for one in written)
    sums = files.create(f"{stem}{SUMS_SUFFIX}")
    sums.write(b"".join(lines))
    sums.finish()
    return (*written, Written(path=sums.path, size=sums.size, sha256=sums.sha256))
