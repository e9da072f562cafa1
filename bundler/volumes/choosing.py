"""Which bundle is meant, where the files belong to several; the others are named (FORMAT.md §17)."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bundler.core.text import counted
from bundler.errors import BundlerError, DamagedFault, SignatureFault, UsageFault
from bundler.offline.signedindex import parse_named
from bundler.offline.tarstream import COPY_AGAIN
from bundler.volumes.crowding import MAX_CUTS, is_crowd, kept_cuts
from bundler.volumes.survey import front_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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

    `doubtful` are files that no front tells of; some may be damaged volumes of this bundle.
    """

    files: tuple[Seen, ...]
    signed: SignedIndex
    front: str
    doubtful: tuple[Seen, ...] = ()
    notes: tuple[str, ...] = ()


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
        signed, front, index = _front(groups[digest], judge=judge, name=name)
        if index is None and is_crowd(groups[digest]):  # who asks nobody for a judgement parses it next
            index = parse_named(signed, name=name)
        kept = kept_cuts(groups[digest], index)
        return _found(groups[digest], kept, signed, front, doubtful)
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


def _newest(
    groups: dict[str, list[Seen]], doubtful: list[Seen], *, judge: Judge, name: str, wanted: Wanted
) -> Found:
    newest: tuple[Index, list[Seen], SignedIndex, str] | None = None  # indexes are large: one is held
    accepted: list[tuple[str, int, list[Seen]]] = []
    highest, others = (False, -1), []
    notes: list[str] = []
    refusals: list[BundlerError] = []
    for files in groups.values():
        try:
            signed, front, index = _front(files, judge=judge)
        except BundlerError as fault:
            refusals.append(fault)
            doubtful.extend(files)
            notes.append(f"{_called(files)}: foreign: {fault.message}")
        else:
            if index is None:
                continue
            accepted.append((index.name, index.serial, files))
            rank = wanted(index, signed.digest), index.serial
            others += [] if rank[0] else [files]
            if rank > highest:
                highest, newest = rank, (index, files, signed, front)
    if newest is None:
        raise refusals[0]
    if highest[0] and others:  # nobody but the packer can add these, but anybody can put them here
        accepted = [one for one in accepted if not any(one[2] is files for files in others)]
        notes += [
            f"{_called(files)}: is of another bundle than the one that was asked for" for files in others
        ]
    names = sorted({each for each, *_ in accepted})
    if len(names) > 1:
        raise UsageFault(
            f"{name}: expected files of one bundle, found those of {', '.join(names)}",
            hint="name the files of one of them",
        )
    index, files, signed, front = newest
    older = [(serial, each) for _, serial, each in accepted if each is not files]
    if any(serial == index.serial for serial, _ in older):
        raise UsageFault(
            f"{name}: expected one bundle, found two with the serial {index.serial}",
            hint="name the files of one of them",
        )
    notes += [
        f"{_called(each)}: stale: serial {serial}, the newest here is {index.serial}"
        for serial, each in older
    ]
    return _found(files, kept_cuts(files, index), signed, front, doubtful, notes=notes)


def _called(files: list[Seen]) -> str:
    """Name the files of a bundle in a message: the first one, and how many others there are."""
    return f"{files[0].path}{f' and {len(files) - 1} more' if len(files) > 1 else ''}"


def _found(
    files: list[Seen],
    kept: set[Cut],
    signed: SignedIndex,
    front: str,
    doubtful: list[Seen],
    *,
    notes: Iterable[str] = (),
) -> Found:
    used = [one for one in files if one.head is None or one.head.cut in kept]
    lines = [*notes, *_told(used)]
    lines += [
        f"{one.path}: is cut as little else is: at most {MAX_CUTS} ways to cut a bundle are read"
        for one in files
        if one.head and one.head.cut not in kept
    ]
    if len(lines) > _TOLD:
        lines[_TOLD:] = [f"and {len(lines) - _TOLD} more such lines"]
    return Found(files=tuple(used), signed=signed, front=front, doubtful=tuple(doubtful), notes=tuple(lines))


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


def _front(
    files: list[Seen], *, judge: Judge | None, name: str | None = None
) -> tuple[SignedIndex, str, Index | None]:
    """Return the first front that holds: what it is, its digest, and its index where it was judged.

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
            return signed, digest, None
        try:
            return signed, digest, judge(signed, called)
        except SignatureFault as fault:
            refusal = refusal or fault
    raise refusal or DamagedFault(f"{files[0].path}: no front can be read", hint=COPY_AGAIN)
