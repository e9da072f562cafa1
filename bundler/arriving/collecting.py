"""`collect`: the files of one bundle, brought from several drives to one folder (FORMAT.md §17).

Nothing is written before the signature of the bundle's front holds; what is brought counts piece by piece.
"""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bundler.arriving.bringing import Carrier
from bundler.arriving.collectlists import drives_of, gather_lists
from bundler.arriving.collectnotes import STATE_FOLDER, Notes
from bundler.arriving.receivespool import refuse_link
from bundler.arriving.stock import Stock
from bundler.core.durable import host_faults, make_folder, real_path
from bundler.core.locks import lock_file
from bundler.core.text import listed
from bundler.core.volumehead import stem_in_name
from bundler.errors import (
    BundlerError,
    DamagedFault,
    IncompleteFault,
    LockedFault,
    SignatureFault,
    UsageFault,
)
from bundler.offline.folder import make_one_file
from bundler.offline.signedindex import VerifiedIndex, verify_index
from bundler.volumes.adopting import adopt
from bundler.volumes.choosing import Found, choose
from bundler.volumes.source import Source
from bundler.volumes.survey import front_of, list_files, look, look_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bundler.core.index import Index
    from bundler.core.progress import Progress
    from bundler.offline.signedindex import SignedIndex
    from bundler.signing.trust import Trust
    from bundler.volumes.survey import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a folder has after a run, the bytes that were written, and lines about what is wrong on drives."""

    verified: VerifiedIndex
    stock: Stock
    written: int
    notes: tuple[str, ...]


def collect(
    drives: Sequence[Path],
    folder: Path,
    *,
    trust: Trust,
    progress: Progress,
    verifier: str = "builtin",
    recheck: bool = False,
) -> Collected:
    """Bring to `folder` what it lacks of its bundle and `drives` have; without drives only say what it lacks.

    The bundle is the one that was begun there, or the newest on the drives that `trust` accepts. With
    `recheck` all of the folder is read again. Raises `IncompleteFault` where there is nothing of a bundle,
    `SignatureFault`, `DamagedFault`, `HostFault`, `LockedFault`, `UsageFault`.
    """
    if any(real_path(one) == real_path(folder) for one in drives):
        raise UsageFault(
            f"{folder}: is the drive and the folder to collect in as well, expected two places",
            hint="name another folder with --into",
        )
    judge, notes = _Judge(trust, verifier), Notes.read(folder)
    here = [look(one) for one in list_files([folder])] if folder.is_dir() else []
    there = look_at(list_files(drives))
    empty = [f"{', '.join(map(str, drives))}: has no file of a bundle"] if drives and not there else []
    found, told = _choose(here, there, begun=notes.index, judge=judge, folder=folder, drives=drives)
    make_folder(folder)
    with _alone(folder):
        notes = Notes.read(folder)  # as the run before has left them
        if notes.index != found.signed.digest or recheck:
            notes = Notes(folder, found.signed.digest)
        verified, mine = judge.accepted(found.signed, str(folder)), {one.path for one in here}
        files = adopt(verified.index, found)
        carrier = Carrier(
            Source.of(found.signed, verified.index),
            notes,
            here=[one for one in files if one.path in mine],
            there=[one for one in files if one.path not in mine],
            holds=lambda seen: seen.front == found.front or judge.holds(seen),
            progress=progress,
        )
        with contextlib.closing(carrier):
            items, extra = carrier.bring()
            told += [*empty, *carrier.harm()]
        packing = gather_lists(
            folder,
            carrier.stem,
            places=dict.fromkeys(one if one.is_dir() else one.parent for one in drives),
            stems={carrier.stem, *(stem_in_name(one.path.name) for one in files if one.path not in mine)},
        )
    stock = Stock(
        layout=carrier.layout, items=items, extra=extra, drives=drives_of(packing, carrier.layout.cut)
    )
    return Collected(verified=verified, stock=stock, written=carrier.written, notes=tuple(told))


class _Judge:
    """Says whether somebody trusted signed an index; keeps no index, as there may be many, and large ones."""

    def __init__(self, trust: Trust, verifier: str) -> None:
        self._trust, self._verifier = trust, verifier
        self._fronts: dict[str | None, bool] = {}

    def __call__(self, signed: SignedIndex, name: str) -> Index:
        return self.accepted(signed, name).index

    def accepted(self, signed: SignedIndex, name: str) -> VerifiedIndex:
        return verify_index(signed, trust=self._trust, name=name, verifier=self._verifier)

    def holds(self, seen: Seen) -> bool:
        """Tell whether the signatures in a file's front hold. Raises `HostFault`."""
        if seen.front not in self._fronts:
            try:
                signed = front_of(seen.path)
                self(signed, str(seen.path))
            except (SignatureFault, DamagedFault):
                self._fronts[seen.front] = False
            else:
                self._fronts[seen.front] = signed.digest == seen.index
        return self._fronts[seen.front]


def _choose(
    here: list[Seen], there: list[Seen], *, begun: str, judge: _Judge, folder: Path, drives: Sequence[Path]
) -> tuple[Found, list[str]]:
    """Return the bundle with all of its files, the drives' first, and lines about the drives' other files.

    A file whose index nobody signed may be one of the bundle, with a damaged index: its content tells.
    """
    refused = _refused([*there, *here], judge)
    mine, theirs = (
        [one for one in files if one.index and one.index not in refused] for files in (here, there)
    )
    if any(one.index == begun for one in mine):
        digest, others = begun, list(_left(theirs, begun, folder))
    elif mine:
        digest = choose(mine, judge=judge, name=str(folder)).signed.digest
        others = list(_left(theirs, digest, folder))
    elif theirs:
        found = choose(theirs, judge=judge, name=str(theirs[0].path.parent))
        digest = found.signed.digest
        others = list(found.notes or _left(theirs, digest, folder))
    elif refused:
        raise next(iter(refused.values()))
    elif there or here:
        return choose([*there, *here], judge=judge, name=str(folder)), []  # which raises: none has an index
    else:
        raise _nothing(folder, drives)
    brought = {one.index for one in there}
    others += [fault.message for index, fault in refused.items() if index in brought]
    others += [f"{one.path}: {one.fault}" for one in there if one.fault]
    doubtful = [
        replace(one, index=None, head=None, intact=False) if one.index in refused else one
        for one in (*there, *here)
    ]
    ours = [one for one in doubtful if one.index in (digest, None)]
    return choose(ours, judge=judge, name=str(folder)), others


def _nothing(folder: Path, drives: Sequence[Path]) -> IncompleteFault:
    return IncompleteFault(
        f"{folder}: nothing of a bundle is here or on a drive that was named",
        hint=make_one_file(drives)
        or "plug in a drive and name its folder: "
        f"uv-bundler collect /media/usb --into {shlex.quote(str(folder))}",
    )


def _left(theirs: list[Seen], digest: str, folder: Path) -> Iterator[str]:
    """Yield a line for each other bundle of which the drives have files, however many those are."""
    other = f"of another bundle than the one that {folder} has"
    for index in dict.fromkeys(one.index for one in theirs if one.index != digest):
        first, *more = files = [one for one in theirs if one.index == index]
        what = f"are {other}, and are" if more else f"is {first.title} {other}, and is"
        yield f"{listed(one.path for one in files)}: {what} left there"


def _refused(seen: list[Seen], judge: _Judge) -> dict[str | None, BundlerError]:
    """Return what is wrong with each index that no trusted signature covers, or that is damaged."""
    refused: dict[str | None, BundlerError] = {}
    for digest in dict.fromkeys(one.index for one in seen if one.index):
        files = [one for one in seen if one.index == digest]
        try:
            choose(files, judge=judge, name=listed(one.path for one in files))
        except BundlerError as fault:
            refused[digest] = fault
    return refused


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second run from the same folder."""
    place = folder / STATE_FOLDER
    refuse_link(place)
    with host_faults(place):
        place.mkdir(exist_ok=True)
    busy = LockedFault(f"{folder}: another uv-bundler is collecting there", hint="wait until it has ended")
    with lock_file(place / "lock", busy=busy, needed=False):
        yield
