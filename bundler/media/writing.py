"""`write-media`: files onto a drive, so that it can be pulled out afterwards and holds what it should.

Nothing is said to be written before it was synced, and nothing to be right before all of it was read back.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core.digest import Digest, hash_file
from bundler.core.durable import host_faults, read_own
from bundler.core.fault import Fault
from bundler.core.index import SUMS_NAME
from bundler.core.locks import lock_folder
from bundler.core.text import counted, listed
from bundler.errors import DamagedFault, HostFault, LockedFault, UsageFault
from bundler.media.copying import put_bytes, put_file, temporary_path
from bundler.media.filling import Load, Planner, Source
from bundler.media.preflight import Medium, check_names, check_sizes, preflight
from bundler.media.readback import Expected, Outcome, ReadBack, read_back
from bundler.media.sums import MAX_SUMS_BYTES, parse_sums, write_sums

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bundler.core.progress import Progress

_SHOWN = 5  # names in a message; further ones are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenDrive:
    """A drive that holds what it should: its load, what came back, and whether names are durable too."""

    medium: Medium
    load: Load
    back: ReadBack
    durable: bool


def find_sources(paths: Sequence[Path]) -> tuple[Source, ...]:
    """Look at the files that are to travel and return them by name, each once.

    Raises `UsageFault`, also for names that do not go together, and `HostFault`.
    """
    found = {}
    for path in paths:
        with host_faults(path):
            if not path.is_file():
                what = "is no file" if path.exists() else "no such file"
                raise UsageFault(
                    f"{path}: {what}, expected a bundle or a volume of one", hint="check the path with `ls`"
                )
            found[path.resolve()] = Source(path=path, size=path.stat().st_size)
    sources = tuple(sorted(found.values(), key=lambda one: one.name))
    check_names([one.name for one in sources])
    return sources


def write_media(
    sources: Sequence[Source], folder: Path, *, drive: str | None, state: Path | None, progress: Progress
) -> WrittenDrive:
    """Write as many of the sources as fit into `folder`; read back all that this and earlier runs wrote.

    A file that is there already is kept where it has the right size and, read, the right digest. The packing
    lists stay beside the sources, or in `state`. Raises `HostFault` where the medium is unsuitable or fails,
    `UsageFault`, `LockedFault`, and `DamagedFault` where it gives other bytes back than it took, or a source
    changes meanwhile.
    """
    medium = preflight(folder)
    check_sizes(medium, ((one.path, one.size) for one in sources))
    with _alone(folder):
        planner = Planner(sources, medium, drive=drive, state=state)
        earlier = _earlier(folder)
        load = planner.fill(_kept(planner.there, planner.turn, folder, progress))
        _refuse_clashes(medium, load)
        for path in load.lists:
            _check_place(path)
        return _write(medium, load, earlier, progress)


def _write(medium: Medium, load: Load, earlier: Sequence[Expected], progress: Progress) -> WrittenDrive:
    folder, durable = medium.folder, True
    for one in (*load.held, *load.left):
        with host_faults(folder):
            temporary_path(folder / one.name).unlink(missing_ok=True)
    files = [Expected(name=one.name, size=one.size, digest=digest) for one, digest in load.kept.items()]
    progress.stage("write", sum(one.size for one in load.writing))
    for one in load.writing:
        put = put_file(one.path, folder / one.name, size=one.size, progress=progress)
        files.append(Expected(name=one.name, size=put.size, digest=put.digest))
        durable = durable and put.durable
    lists = {path.name: packing.to_bytes() for path, packing in load.lists.items()}
    listed = [*files, *(_small(name, data) for name, data in lists.items())]
    # What is left, but lies there, is not as it should be.
    new = {one.name for one in listed} | {one.name for one in load.left}
    others = [one for one in earlier if one.name not in new]
    lists[SUMS_NAME] = write_sums({one.name: one.digest for one in (*listed, *others)})
    for name, data in lists.items():
        durable = put_bytes(data, folder / name).durable and durable
    if hasattr(os, "sync"):
        os.sync()  # what a file system keeps back although each file was synced
    expected = [*sorted(listed, key=lambda one: one.name), _small(SUMS_NAME, lists[SUMS_NAME]), *others]
    progress.stage("read back", sum(one.size for one in expected))
    back = read_back(expected, folder, mount=medium.mount, progress=progress)
    _judge(medium, back, earlier={one.name for one in others})
    for path, packing in load.lists.items():
        put_bytes(packing.to_bytes(), path)
    return WrittenDrive(medium=medium, load=load, back=back, durable=durable)


def _small(name: str, data: bytes) -> Expected:
    return Expected(name=name, size=len(data), digest=Digest.of(data))


def _kept(
    there: Sequence[Source], turn: Sequence[Source], folder: Path, progress: Progress
) -> dict[Source, Digest]:
    """Return what need not be written, with its digest: files that have the source's size and content."""
    allowed = frozenset(turn)
    alike = [one for one in there if one in allowed]
    if alike:
        progress.stage("compare", 2 * sum(one.size for one in alike))
    kept = {}
    for one in alike:
        with contextlib.suppress(OSError):  # what cannot be read there is written anew
            theirs, _ = hash_file(folder / one.name, progress=progress)
            with host_faults(one.path):
                if hash_file(one.path, progress=progress)[0] == theirs:
                    kept[one] = theirs
    return kept


def _earlier(folder: Path) -> list[Expected]:
    """Return what earlier runs have left on the medium, as its list says; raises `HostFault`."""
    path = folder / SUMS_NAME
    with host_faults(path):
        try:
            data = read_own(path, limit=MAX_SUMS_BYTES)
        except FileNotFoundError:
            return []
    try:
        sums = parse_sums(data)
    except Fault as fault:
        raise HostFault(
            f"{path}: {fault}",
            hint="this list is not ours: move it away, or name a folder of its own on the drive with --to",
        ) from None
    found = []
    for name, digest in sums.items():
        with contextlib.suppress(OSError):  # what was removed from the drive leaves its list too
            facts = (folder / name).stat(follow_symlinks=False)
            if name != SUMS_NAME and stat.S_ISREG(facts.st_mode):  # who waits for a pipe waits for ever
                found.append(Expected(name=name, size=facts.st_size, digest=digest))
    return found


def _refuse_clashes(medium: Medium, load: Load) -> None:
    """Raise `HostFault` where a file would take the place of one whose name differs in case only."""
    if not medium.folds_case:
        return
    with host_faults(medium.folder):
        there = {one.name.casefold(): one.name for one in medium.folder.iterdir()}
    for one in load.writing:
        other = there.get(one.name.casefold(), one.name)
        if other != one.name:
            raise HostFault(
                f"{medium.folder}: has {other}, and {one.name} is the same name on this file system",
                hint=f"remove or rename {other} there",
            )


def _check_place(path: Path) -> None:
    """Raise `HostFault` where the packing list could not be kept, before a drive is written for hours."""
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise HostFault(
            f"{path}: the packing list cannot be kept there, expected a folder to write to",
            hint="name another folder for it, the same for all drives: --state FOLDER",
        )


def _judge(medium: Medium, back: ReadBack, *, earlier: set[str]) -> None:
    bad = back.bad
    if not bad:
        return
    first = bad[0]
    if all(one.file.name in earlier for one in bad):
        raise DamagedFault(
            f"{medium.folder}: {_names(bad)} of an earlier run, expected to be as {SUMS_NAME} says: "
            f"{first.wrong}",
            hint="if it was changed on purpose, or is not needed, remove it there and run the command again; "
            "if not, test the drive with `f3probe`",
        )
    total = sum(one.file.size for one in back.outcomes)
    raise DamagedFault(
        f"{medium.folder}: the medium says it took {total} bytes but gives others back, in "
        f"{len(bad)} of {counted(len(back.outcomes), 'file')}: {_names(bad)} ({first.wrong})",
        hint="probably a fake-capacity stick, or a broken one: test it with `f3probe`, and write another one",
    )


def _names(bad: Sequence[Outcome]) -> str:
    return listed((one.file.name for one in bad), most=_SHOWN)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second run from the same folder, where the system has such locks."""
    busy = LockedFault(f"{folder}: another uv-bundler is writing there", hint="wait until it has ended")
    with lock_folder(folder, busy=busy):
        yield
