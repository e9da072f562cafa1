"""Recompress a bundle's archives and uv binaries: cut, lay out, then compress and prove at the same time.

What comes out is proved: each artifact's recipe was run over the very contents of the streams, and gave its
sha256. Whatever does not prove is carried as it is. The same ingredients give the same bytes, however many
cores there are.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final, TypeVar

from bundler.connected import streamzstd
from bundler.connected.bundlewriter import LEVELS, Ingredient, Stored, measure
from bundler.connected.cutting import cut, mapped
from bundler.connected.proving import holds
from bundler.connected.recipes import Written, write_recipes
from bundler.connected.streams import COMMON, Layout, Stream
from bundler.core.digest import read_chunks
from bundler.core.index import BLOCK_SIZE, ZSTD, Artifact, Content
from bundler.deflate import catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from bundler.connected.pieces import Cut
    from bundler.connected.zipparts import Proof
    from bundler.core.progress import Progress

T = TypeVar("T")
_MEMORY: Final = 2 << 30  # bytes for compressors at work; one of level 19 takes about 160 MiB
_ENCODES: Final = {"medium": 60, "miniz": 35, "zlib": 40}  # MB of content per second, only to order the jobs
_COMPRESSES: Final = {"fast": 250, "default": 150, "best": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What became of an artifact: the stored bytes that are counted to it, and how it is stored."""

    stored: int
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recompressed:
    """The members with streams and recipes, the artifacts that come out of them, and what is left over."""

    stored: tuple[Stored, ...]
    artifacts: tuple[Artifact, ...]
    left: tuple[Ingredient, ...]
    shares: dict[str, Share]  # by the artifact's path; of what is left over only how
    recognised: str
    seconds: tuple[tuple[str, float], ...] = ()  # of each stage


class _Failed(Exception):
    """The recipes of these cuts did not prove, with the reason where no other encoder can help."""

    def __init__(self, failed: list[tuple[Cut, str | None]]) -> None:
        super().__init__()
        self.failed = failed


def recompress(
    ingredients: Sequence[Ingredient], *, level: str, spool: Path, progress: Progress
) -> Recompressed:
    """Recompress archives and programs of uv; `spool` takes contents, streams and what they become."""
    wanted = [one for one in ingredients if one.role in ("archive", "uv")]
    proved: dict[Proof, memoryview] = {}
    begun = time.monotonic()
    progress.stage("inflate", sum(one.size for one in wanted))
    with ThreadPoolExecutor(_workers(level)) as pool:
        try:
            jobs: list[tuple[float, Callable[[], Cut]]] = [
                (one.size, partial(_cut, one, spool / f"cut-{number}", proved, progress))
                for number, one in enumerate(wanted)
            ]
            cuts = _all(pool, jobs)
            inflated = time.monotonic()
            tried: dict[str, set[str]] = {}
            for number in count():
                folder = spool / f"streams-{number}"
                folder.mkdir()
                try:  # ends: after each failure fewer encoders are left to guess, or fewer archives
                    done = _attempt(pool, cuts, folder, level=level, proved=proved, progress=progress)
                    break
                except _Failed as failure:
                    for one, reason in failure.failed:
                        place = next(at for at, other in enumerate(cuts) if other is one)
                        cuts[place] = _again(one, reason, tried, spool / f"again-{number}-{place}", proved)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    asis = {one.ingredient.path: one for one in cuts if one.reason is not None}
    shares = done.shares | {
        path: Share(stored=0, how=f"as it is: {one.reason}") for path, one in asis.items()
    }
    left = [one for one in ingredients if one.role not in ("archive", "uv") or one.path in asis]
    return replace(
        done,
        left=tuple(left),
        shares=shares,
        recognised=_recognised(cuts),
        seconds=(("inflate", inflated - begun), ("compress and prove", time.monotonic() - inflated)),
    )


def _workers(level: str) -> int:
    return max(1, min(os.cpu_count() or 1, _MEMORY // streamzstd.memory(LEVELS[level])))


def _cut(one: Ingredient, spool: Path, proved: dict[Proof, memoryview], progress: Progress) -> Cut:
    done = cut(one, spool, proved=proved)
    progress.advance(one.size)
    return done


def _all(pool: ThreadPoolExecutor, jobs: Iterable[tuple[float, Callable[[], T]]]) -> list[T]:
    """Run the jobs, those of the highest cost first; return what they return, in the order given."""
    numbered = sorted(enumerate(jobs), key=lambda one: -one[1][0])
    running: dict[int, Future[T]] = {number: pool.submit(job) for number, (_, job) in numbered}
    return [running[number].result() for number in sorted(running)]


def _attempt(
    pool: ThreadPoolExecutor,
    cuts: list[Cut],
    folder: Path,
    *,
    level: str,
    proved: dict[Proof, memoryview],
    progress: Progress,
) -> Recompressed:
    """Make streams of all cuts that are no exception yet, and prove them; raises `_Failed`."""
    layout = Layout(one for one in cuts if one.reason is None)
    streams = layout.write(folder)
    written = write_recipes(layout, streams, folder)
    recipes = {path: recipe for one in written for path, recipe in one.recipes.items()}
    large = [(one, "beyond a limit of recipes") for one in layout.cuts if one.ingredient.path not in recipes]
    if large:
        raise _Failed(list(large))
    members: list[Stream | Written] = [*streams, *written]
    members.sort(key=lambda one: (COMMON not in one.path.split("/"), one.path))
    contents = {one.path: mapped(one.file) for one in members}
    sizes = sum(one.size for one in members) + sum(one.ingredient.size for one in layout.cuts)
    progress.stage("compress", sizes)
    jobs: list[tuple[float, Callable[[], Stored | bool]]] = [
        (one.size / _COMPRESSES[level], partial(_store, one, level, progress)) for one in members
    ]
    for one in layout.cuts:
        speed = _ENCODES[one.encoders[0].split("-")[0]] if one.encoders else 1000
        prove = partial(
            holds, one.ingredient, recipes[one.ingredient.path], contents, proved, progress.advance
        )
        jobs.append((one.content / speed, prove))
    results = _all(pool, jobs)
    failed = [one for one, held in zip(layout.cuts, results[len(members) :], strict=True) if not held]
    if failed:
        raise _Failed([(one, None) for one in failed])
    stored = [one for one in results if isinstance(one, Stored)]
    return Recompressed(
        stored=tuple(stored),
        artifacts=tuple(
            Artifact(
                recipe=recipes[one.ingredient.path],
                **{field.name: getattr(one.ingredient, field.name) for field in fields(Content)},
            )
            for one in sorted(layout.cuts, key=lambda one: one.ingredient.path)
        ),
        left=(),
        shares=_shares(layout.cuts, members, stored),
        recognised="",
    )


def _store(one: Stream | Written, level: str, progress: Progress) -> Stored:
    file = one.file.with_name(one.file.name + ".zst")
    streamzstd.compress(one.file, one.size, file, level=LEVELS[level], advance=progress.advance)
    member = measure(one.path, read_chunks(file, chunk=BLOCK_SIZE), encoding=ZSTD)
    return Stored(member=replace(member, content=one.size), artifact=None, file=file)


def _again(
    one: Cut, reason: str | None, tried: dict[str, set[str]], spool: Path, proved: dict[Proof, memoryview]
) -> Cut:
    """Cut anew without the encoders that were guessed wrongly; what has none to guess is carried as it is."""
    if reason is None and one.encoders:
        without = tried.setdefault(one.ingredient.path, set())
        without |= set(one.encoders)
        return cut(one.ingredient, spool, proved=proved, without=without)
    return replace(one, reason=reason or "its recipe did not prove")


def _shares(
    cuts: Sequence[Cut], members: Sequence[Stream | Written], stored: Sequence[Stored]
) -> dict[str, Share]:
    """Count the stored bytes of each member to artifacts by how much content each brought into it first."""
    counted = dict.fromkeys((one.ingredient.path for one in cuts), 0.0)
    for one, kept in zip(members, stored, strict=True):
        whole = sum(one.shares.values())
        for path, share in one.shares.items():
            counted[path] += kept.member.size * share / whole
    return {
        one.ingredient.path: Share(stored=round(counted[one.ingredient.path]), how=_how(one)) for one in cuts
    }


def _how(one: Cut) -> str:
    if not one.encoders:
        return "recompressed"
    return f"recompressed ({', '.join(f'{name}: {catalog.title(name)}' for name in one.encoders)})"


def _recognised(cuts: Sequence[Cut]) -> str:
    """Say in one line which encoders were recognised, and how many archives are carried as they are."""
    archives = [one for one in cuts if one.ingredient.role == "archive"]
    found: dict[str, int] = {}
    for one in archives:
        for name in one.encoders if one.reason is None else ():
            found[catalog.title(name)] = found.get(catalog.title(name), 0) + 1
    said = ", ".join(
        f"{title} ({times})" for title, times in sorted(found.items(), key=lambda one: (-one[1], one[0]))
    )
    asis = sum(one.reason is not None for one in archives)
    return f"recognised: {said or 'no encoder'}; {asis} of {len(archives)} carried as they are"
