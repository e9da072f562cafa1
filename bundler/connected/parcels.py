"""Which files of a bundle are sent, and in which order: a burst of losses should not hit one group alone.

The order is a function of the files and of what was asked: nothing is drawn by lot (FORMAT.md §17, "Diodes").
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core.index import SUMS_NAME
from bundler.core.text import are, counted, numbers
from bundler.core.volumehead import DATA, PARITY, RESEND, stem_in_name, volumes_of
from bundler.errors import DamagedFault, IncompleteFault, UsageFault
from bundler.offline.folder import make_one_file
from bundler.volumes.splitting import SUMS_SUFFIX
from bundler.volumes.survey import list_files, look

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence
    from pathlib import Path

    from bundler.core.cut import Cut
    from bundler.volumes.survey import Seen

_WORDS = {DATA: "volume", PARITY: "parity volume"}
_ONLY = re.compile(r"(p?)([1-9][0-9]{0,3})(?:-(p?)([1-9][0-9]{0,3}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A file that is sent: its size in bytes, what it is, and the group, from 0, that its loss hits."""

    path: Path
    size: int
    kind: str | None  # None for a list of sums
    number: int
    group: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Consignment:
    """What is sent of one bundle: lists of sums, supplements, then volumes as they count, parity last."""

    loose: tuple[Parcel, ...]
    data: tuple[Parcel, ...]
    parity: tuple[Parcel, ...]

    @property
    def parcels(self) -> tuple[Parcel, ...]:
        """All of it in this order."""
        return (*self.loose, *self.data, *self.parity)


def parse_only(text: str) -> tuple[tuple[str, int], ...]:
    """Read volumes as people list them, `7,19,p2,31-33`, `p` for parity; raises `UsageFault`."""
    found: list[tuple[str, int]] = []
    for part in text.replace(" ", "").split(","):
        said = _ONLY.fullmatch(part)
        first, last = (int(said[2]), int(said[4] or said[2])) if said else (1, 0)
        if said is None or last < first or (said[3] and not said[1]):
            raise UsageFault(
                f"--only: expected numbers of volumes such as 7,19,p2,31-33, found {part!r}",
                hint="p2 is parity volume 2; the far side says what it misses: uv-bundler missing FOLDER",
            )
        found += [(PARITY if said[1] else DATA, number) for number in range(first, last + 1)]
    return tuple(dict.fromkeys(found))


def gather(
    paths: Sequence[Path],
    *,
    only: Sequence[tuple[str, int]] | None = None,
    note: Callable[[str], object],
) -> tuple[Consignment, ...]:
    """Return what is sent of the bundles in `paths`, which are files and folders.

    `only` names volumes of one bundle; then lists of sums and supplements stay here. Raises `UsageFault`,
    `IncompleteFault` where a volume that was asked for is not here, `DamagedFault`, `HostFault`.
    """
    wanted = [one for one in paths if one.is_dir() or not one.name.endswith(SUMS_NAME)]  # as `*` names them
    bundles: dict[str, list[Seen]] = {}
    for path in list_files(wanted):
        seen = look(path)
        if seen.index is None or not seen.intact:
            fault = seen.fault or "its index is not the one that it names"
            if path in wanted:
                raise DamagedFault(f"{path}: {fault}", hint="have it made again: uv-bundler split, or pack")
            note(f"{path}: not sent: {fault}")
            continue
        bundles.setdefault(seen.index, []).append(seen)
    if not bundles:
        raise UsageFault(
            f"{' '.join(map(str, paths))}: expected a bundle's files, found none",
            hint=make_one_file(paths) or "name the .uvb files, or the folder that holds them",
        )
    if only is not None and len(bundles) > 1:
        raise UsageFault(
            f"--only: expected files of one bundle, found those of {len(bundles)}",
            hint="name the files of the bundle whose volumes are meant",
        )
    made = tuple(_consignment(files, only=only, note=note) for files in bundles.values())
    _check_names(made)
    return made


def _consignment(
    files: Sequence[Seen], *, only: Sequence[tuple[str, int]] | None, note: Callable[[str], object]
) -> Consignment:
    volumes: dict[tuple[str, int], Parcel] = {}
    supplements = []
    cut = _the_cut(files)
    for one in files:
        kind, number = (one.head.kind, one.head.number) if one.head else (DATA, 1)
        group = (number - 1) % cut.groups if cut else 0
        parcel = Parcel(path=one.path, size=one.size, kind=kind, number=number, group=group)
        if kind == RESEND:
            supplements.append(parcel)
        elif (kind, number) in volumes:
            note(f"{one.path}: not sent: {volumes[kind, number].path} is the same {one.title}")
        else:
            volumes[kind, number] = parcel
    totals = {kind: volumes_of(cut, kind) for kind in (DATA, PARITY)} if cut else {DATA: 1, PARITY: 0}
    where = str(files[0].path.parent)
    loose: list[Parcel] = []
    if only is not None:
        volumes = {one: _wanted(one, volumes, totals, where=where) for one in only}
    else:
        loose = [*_sums(files), *sorted(supplements, key=lambda one: one.path.name)]
        for line in _absent(volumes, totals) if volumes else ():  # a supplement alone is sent alone
            note(f"warning: {where}: {line}")
    ordered = [volumes[key] for key in sorted(volumes)]
    return Consignment(
        loose=tuple(loose),
        data=tuple(one for one in ordered if one.kind == DATA),
        parity=tuple(one for one in ordered if one.kind == PARITY),
    )


def _the_cut(files: Iterable[Seen]) -> Cut | None:
    """Return how the bundle is cut, None where it is not; raises `UsageFault` where it is in two ways."""
    cuts = {one.head.cut: one.path for one in files if one.head and one.head.kind != RESEND}
    if len(cuts) > 1:
        raise UsageFault(
            f"{' and '.join(map(str, cuts.values()))}: are of the same bundle, cut in two ways",
            hint="send one set of volumes, or the other",
        )
    return next(iter(cuts), None)


def _absent(volumes: Container[tuple[str, int]], totals: dict[str, int]) -> Iterator[str]:
    """Yield a line for the volumes of each kind that no file is."""
    for kind, word in _WORDS.items():
        absent = [one for one in range(1, totals[kind] + 1) if (kind, one) not in volumes]
        if absent:
            count, total = len(absent), counted(totals[kind], word)
            yield f"{count} of {total} {are(count)} missing, and not sent: {numbers(absent)}"


def _wanted(
    one: tuple[str, int], volumes: dict[tuple[str, int], Parcel], totals: dict[str, int], *, where: str
) -> Parcel:
    kind, number = one
    word = _WORDS[kind]
    if number > totals[kind]:
        raise UsageFault(
            f"--only: {word} {number} was asked for, but the set has {counted(totals[kind], word)}",
            hint="compare the numbers with what the far side read out",
        )
    if one not in volumes:
        raise IncompleteFault(
            f"{where}: {word} {number} was asked for, and is not here",
            hint="name the folder that has it, or make the volumes again: uv-bundler split",
        )
    return volumes[one]


def _sums(files: Iterable[Seen]) -> Iterator[Parcel]:
    found = {one.path.parent / f"{stem_in_name(one.path.name)}{SUMS_SUFFIX}": None for one in files}
    for path in found:
        if path.is_file() and not path.is_symlink():  # what a link leads to is nothing that was made here
            yield Parcel(path=path, size=path.stat().st_size, kind=None, number=0, group=0)


def _check_names(consignments: Iterable[Consignment]) -> None:
    seen: dict[str, Path] = {}
    for parcel in itertools.chain.from_iterable(one.parcels for one in consignments):
        name = parcel.path.name.lower()  # what takes the files on may not tell `A` from `a`
        if name in seen:
            raise UsageFault(
                f"{parcel.path}: has the name of {seen[name]}, expected names that differ in one folder",
                hint="send one of them first, and the other one after it",
            )
        seen[name] = parcel.path


def one_round(consignments: Iterable[Consignment], *, interleave: bool) -> list[Parcel]:
    """Return all files in the order of a round: as they count, parity last.

    With `interleave` parity is spread evenly between the volumes of its group, and groups take turns: of any
    files in a row as many as there are groups, each is of another one.
    """
    ordered: list[Parcel] = []
    for one in consignments:
        if not interleave:
            ordered += one.parcels
            continue
        groups: dict[int, list[tuple[float, Parcel]]] = {}
        for kind in (one.data, one.parity):
            for group in {parcel.group for parcel in kind}:
                mine = [parcel for parcel in kind if parcel.group == group]
                places = ((place + 0.5) / len(mine) for place in range(len(mine)))
                groups.setdefault(group, []).extend(zip(places, mine, strict=True))
        lanes = [
            [parcel for _, parcel in sorted(groups[group], key=lambda each: each[0])]
            for group in sorted(groups)
        ]
        turns = itertools.chain.from_iterable(itertools.zip_longest(*lanes))
        ordered += [*one.loose, *(parcel for parcel in turns if parcel is not None)]
    return ordered


def rounds(
    consignments: Sequence[Consignment], *, repeat: int, interleave: bool
) -> Iterator[tuple[int, Parcel]]:
    """Yield the number of the round, from 1, and the file, for all rounds.

    Whole rounds keep two copies of a file as far apart as can be. With `interleave` each round begins a few
    files later than the one before, so that copies are a prime number of files apart, but for these few: what
    loses every tenth file does not lose the same ones in each round.
    """
    ordered = one_round(consignments, interleave=interleave)
    later = len(ordered) - _prime_up_to(len(ordered)) if interleave else 0
    for number in range(repeat):
        begin = number * later % len(ordered)
        for parcel in ordered[begin:] + ordered[:begin]:
            yield number + 1, parcel


def _prime_up_to(most: int) -> int:
    """Return the largest prime that is not above `most`, or `most` where there is none."""
    for one in range(most, 1, -1):
        if all(one % divisor for divisor in range(2, int(one**0.5) + 1)):
            return one
    return most
