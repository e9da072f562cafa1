"""A bundle, opened: one file or stream, several files, or folders that hold them (FORMAT.md §17)."""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from bundler.core.durable import host_faults
from bundler.core.volumehead import VOLUME_NAME
from bundler.errors import UsageFault
from bundler.offline.folder import FolderReader, is_exploded
from bundler.offline.reader import BundleReader
from bundler.volumes.named import beside, choose_named, ignored, name_of, notes_of
from bundler.volumes.setreader import SetReader
from bundler.volumes.survey import list_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bundler.offline.reader import Reader
    from bundler.volumes.choosing import Judge, Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A bundle to read, what messages call it, lines about files that are not what they seem.

    `more` are folders with files of it that were not named.
    """

    source: BinaryIO | Reader
    name: str
    notes: tuple[str, ...] = ()
    more: tuple[Path, ...] = ()


@contextlib.contextmanager
def opened(
    paths: Sequence[Path],
    *,
    judge: Judge | None = None,
    trust: Sequence[str] = (),
    wanted: Wanted | None = None,
) -> Iterator[Opened]:
    """Open the bundle that `paths` name. One that lies in one file is a stream, others are readers of sets.

    `judge` is asked where the files belong to several bundles. `trust` are words that further commands for
    the same files need, such as `--trust packer.pub`. Raises `UsageFault`, `DamagedFault`,
    `SignatureFault`, `HostFault`.
    """
    if len(paths) == 1 and not paths[0].is_dir():
        with _stream(paths[0]) as stream:
            one = BundleReader(stream, name=str(paths[0]))
            if one.peek() != VOLUME_NAME:
                more = _beside(paths[0], one)
                yield Opened(source=one, name=str(paths[0]), notes=tuple(notes_of(more)), more=tuple(more))
                return
    if len(paths) == 1 and is_exploded(paths[0]):
        yield Opened(source=FolderReader(paths[0]), name=str(paths[0]))
        return
    files = list(list_files(paths))
    name = name_of(paths)
    if not files:
        raise UsageFault(
            f"{name}: expected a bundle's files in this folder, found none",
            hint="check that the medium is mounted; bundles end in .uvb",
        )
    if len(files) == 1 and files != list(paths):
        lines = ignored(paths)
        with opened(files, judge=judge, trust=trust, wanted=wanted) as only:
            yield replace(only, notes=(*lines, *only.notes))
        return
    found = choose_named(paths, files, judge=judge, wanted=wanted)
    with contextlib.closing(
        SetReader(found, name=name, words=shlex.join([*map(str, paths), *trust]))
    ) as reader:
        yield Opened(source=reader, name=name, notes=found.notes, more=found.more)


def _beside(path: Path, reader: BundleReader) -> dict[Path, int]:
    """Return the folder of a bundle in one file where it has parity, which was not named."""
    digest = reader.peeked_digest if path.is_file() else None
    return beside([path], [digest], whole=True) if digest else {}


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
