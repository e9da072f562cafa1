"""Which bundle is meant, where the files belong to several; the others are named (FORMAT.md §17)."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bundler.core.text import counted, listed
from bundler.errors import BundlerError, DamagedFault, SignatureFault, UsageFault
from bundler.offline.signedindex import parse_named
from bundler.offline.tarstream import COPY_AGAIN
from bundler.volumes.crowding import MAX_CUTS, is_crowd, kept_cuts
from bundler.volumes.survey import front_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from bundler.core.cut import Cut
    from bundler.core.index import Index
    from bundler.offline.signedindex import SignedIndex
    from bundler.volumes.survey import Seen

    Judge = Callable[[SignedIndex, str], Index]  # the str is a name; raises where nobody trusted signed it
    Wanted = Callable[[Index, str], bool]  # given an index and its sha256: was this one asked for


_TOLD = 40  # lines about files that are not what they seem
_DUPLICATES = 3  # that are told one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The files of one bundle, one front of it, and lines about everything else that lies there.

    `doubtful` are files that no front tells of; some may be damaged volumes of this bundle. `more` are
    folders with files of it that were not named.
    """

    files: tuple[Seen, ...]
    signed: SignedIndex
    front: str
    doubtful: tuple[Seen, ...] = ()
    notes: tuple[str, ...] = ()
    more: tuple[Path, ...] = ()


def choose(seen: Sequence[Seen], *, judge: Judge | None, name: str, wanted: Wanted | None = None) -> Found:
    """Return the bundle that the files are, at least one, or the newest whose signature `judge` accepts.

    Where there are several, and one of them is `wanted`, those that are not do not count: they are noted.
    Without a judge only one bundle may be there. Raises `DamagedFault` where no front can be read,
    `UsageFault` where it is not clear what is meant, what `judge` raises where it accepts none, `HostFault`.
    """
    groups: dict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        if one.index is not None:
            groups[one.index].append(one)
    doubtful = [one for one in seen if one.index is None]
    if any(one.intact for one in seen):  # else no index is right in any file, and the first one is told
        for digest in [digest for digest, files in groups.items() if not any(one.intact for one in files)]:
            doubtful.extend(_unknown(one) for one in groups.pop(digest))
    if not groups:
        first = doubtful[0]
        raise DamagedFault(f"{first.path}: {first.fault}", hint=COPY_AGAIN)
    if len(groups) == 1:
        (digest,) = groups
        front = _front(groups[digest], judge=judge, name=name)
        index = front.index
        if index is None and is_crowd(groups[digest]):  # who asks nobody for a judgement parses it next
            index = parse_named(front.signed, name=name)
        return _found(groups[digest], front, doubtful, kept=kept_cuts(groups[digest], index))
    if judge is None:
        raise UsageFault(
            f"{name}: expected files of one bundle, found {len(groups)}",
            hint="name the files of one of them: "
            + "; ".join(f"{one[0].path.name} ({counted(len(one), 'file')})" for one in groups.values()),
        )
    return _newest(groups, doubtful, judge=judge, name=name, wanted=wanted or (lambda *_: True))


def _unknown(seen: Seen) -> Seen:
    """Return a file whose index, or what it says of it, is damaged, as one of which nothing is known."""
    return replace(seen, index=None, head=None, fault="no file has the index that it says it belongs to")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Front:
    """A front that holds: what it is, its digest, and its index where that was judged."""

    signed: SignedIndex
    digest: str
    index: Index | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Accepted:
    """A bundle that somebody trusted signed, of which files are here; `asked_for` or beside one that is."""

    name: str
    serial: int
    asked_for: bool
    files: list[Seen]


def _newest(
    groups: dict[str, list[Seen]], doubtful: list[Seen], *, judge: Judge, name: str, wanted: Wanted
) -> Found:
    newest: tuple[_Accepted, _Front] | None = None  # indexes are large: one is held
    accepted: list[_Accepted] = []
    notes: list[str] = []
    refusals: list[BundlerError] = []
    for files in groups.values():
        try:
            front = _front(files, judge=judge)
        except BundlerError as fault:
            refusals.append(fault)
            doubtful.extend(files)
            notes.append(f"{_called(files)}: foreign: {fault.message}")
        else:
            if front.index is None:
                continue
            asked_for, serial = wanted(front.index, front.signed.digest), front.index.serial
            one = _Accepted(name=front.index.name, serial=serial, asked_for=asked_for, files=files)
            accepted.append(one)
            if newest is None or (asked_for, serial) > (newest[0].asked_for, newest[0].serial):
                newest = one, front
    if newest is None:
        raise refusals[0]
    best, front = newest
    if best.asked_for:  # nobody but the packer can add the others, but anybody can put them here
        notes += [
            f"{_called(one.files)}: is of another bundle than the one that was asked for"
            for one in accepted
            if not one.asked_for
        ]
        accepted = [one for one in accepted if one.asked_for]
    older = [one for one in accepted if one is not best]
    _check_clear(best, older, name=name)
    notes += [
        f"{_called(one.files)}: stale: serial {one.serial}, the newest here is {best.serial}; "
        "to read it all the same, name its files and no others"
        for one in older
    ]
    return _found(best.files, front, doubtful, kept=kept_cuts(best.files, front.index), notes=notes)


def _check_clear(best: _Accepted, older: Sequence[_Accepted], *, name: str) -> None:
    """Raise `UsageFault` where the others are of another name, or as new."""
    names = sorted({one.name for one in (best, *older)})
    if len(names) > 1:
        raise UsageFault(
            f"{name}: expected files of one bundle, found those of {', '.join(names)}",
            hint="name the files of one of them",
        )
    if any(one.serial == best.serial for one in older):
        raise UsageFault(
            f"{name}: expected one bundle, found two with the serial {best.serial}",
            hint="name the files of one of them",
        )


def _called(files: list[Seen]) -> str:
    """Name the files of a bundle in a message: the first one, and how many others there are."""
    return listed(one.path for one in files)


def _found(
    files: list[Seen], front: _Front, doubtful: list[Seen], *, kept: set[Cut], notes: Iterable[str] = ()
) -> Found:
    """Put together what was found; files of a cut that is not `kept` are told, and not used."""
    used = [one for one in files if one.head is None or one.head.cut in kept]
    lines = [*notes, *_told(used)]
    lines += [
        f"{one.path}: is cut as little else is: at most {MAX_CUTS} ways to cut a bundle are read"
        for one in files
        if one.head and one.head.cut not in kept
    ]
    if len(lines) > _TOLD:
        lines[_TOLD:] = [f"and {len(lines) - _TOLD} more such lines"]
    return Found(
        files=tuple(used),
        signed=front.signed,
        front=front.digest,
        doubtful=tuple(doubtful),
        notes=tuple(lines),
    )


def _told(files: list[Seen]) -> list[str]:
    """Return lines about files that are there twice, or under another's name."""
    notes: list[str] = []
    twice: list[tuple[Seen, Seen]] = []
    first: dict[object, Seen] = {}
    for one in files:
        if one.misnamed:
            notes.append(f"{one.path}: renamed: it is {one.title}")
        known = first.setdefault((one.head.kind, one.head.number, one.head.cut) if one.head else None, one)
        if known is not one:
            twice.append((one, known))
    if len(twice) > _DUPLICATES:  # a whole copy in a second folder
        return [*notes, f"{_called([one for one, _ in twice])}: duplicate: other files are the same volumes"]
    return [*notes, *(f"{one.path}: duplicate: {known.path} is {one.title}, too" for one, known in twice)]


def _front(files: list[Seen], *, judge: Judge | None, name: str | None = None) -> _Front:
    """Return the first front that holds, or where there is no judge the one that most files have.

    What most files have comes first: where nobody judges, a signature may be damaged in the others.
    Where all have the same, messages call it `name`; else they name a file.
    """
    counts = Counter(one.front for one in files if one.intact)
    fronts = {one.front: one for one in files if one.intact and one.front}
    if not fronts:
        raise DamagedFault(
            f"{files[0].path}: the index is damaged in {counted(len(files), 'file')} of this bundle, "
            "expected one that is not",
            hint=COPY_AGAIN,
        )
    refusal: SignatureFault | None = None
    for digest, one in sorted(fronts.items(), key=lambda pair: -counts[pair[0]]):
        called = name if name and len(fronts) == 1 else str(one.path)
        signed = front_of(one.path)
        if judge is None:
            return _Front(signed=signed, digest=digest, index=None)
        try:
            return _Front(signed=signed, digest=digest, index=judge(signed, called))
        except SignatureFault as fault:
            refusal = refusal or fault
    raise refusal or DamagedFault(f"{files[0].path}: no front can be read", hint=COPY_AGAIN)
