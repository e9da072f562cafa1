"""Recompress a bundle's archives and uv binaries: cut, lay out, then compress and prove at the same time.

What comes out is proved: each artifact's recipe was run over the very contents of the streams, and gave its
sha256. Whatever does not prove is carried as it is. The same ingredients give the same bytes, however many
cores there are.
"""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import wait
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final

from bundler.connected import streamzstd
from bundler.connected.accounts import Share, recognised, shares_of
from bundler.connected.bundlewriter import LEVELS, Ingredient, Stored, measure
from bundler.connected.cutting import allow_mappings, cut, mapped
from bundler.connected.heaviest import Heaviest
from bundler.connected.pieces import UV, Body
from bundler.connected.proving import encodes, yields
from bundler.connected.recipes import Written, write_recipes
from bundler.connected.streams import COMMON, Layout, Stream
from bundler.core.digest import read_chunks
from bundler.core.index import BLOCK_SIZE, ZSTD, Artifact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from bundler.connected.delta import Delta
    from bundler.connected.pieces import Cut
    from bundler.connected.zipparts import Proof
    from bundler.core.progress import Progress
    from bundler.core.recipe import Recipe

# zstd's levels for streams of archives, where proving takes most of the time already; programs of uv and what
# stands behind a prefix are few bytes and take `LEVELS`.
_ARCHIVES: Final = {"fast": 1, "default": 3, "best": 19}
_MEMORY: Final = 2 << 30  # bytes for compressors at work; one of level 19 takes about 160 MiB
_CUTS_FIRST: Final = 1 << 50  # added to the weight of a cut: until all are cut nobody can compress
# Bytes of content per second, roughly: only the order of the jobs comes of it.
_ENCODES: Final = {"medium": 60e6, "miniz": 35e6, "zlib": 40e6}
_HASHES: Final = 1e9
_COMPRESSES: Final = {"fast": 100e6, "default": 60e6, "best": 2e6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recompressed:
    """The members with streams and recipes, the artifacts that come out of them, and what is left over."""

    stored: tuple[Stored, ...]
    artifacts: tuple[Artifact, ...]
    left: tuple[Ingredient, ...]
    shares: dict[str, Share]  # by the artifact's path; of what is left over only how
    recognised: str
    seconds: tuple[tuple[str, float], ...] = ()  # of each stage


def recompress(
    ingredients: Sequence[Ingredient],
    *,
    level: str,
    spool: Path,
    progress: Progress,
    delta: Delta | None = None,
) -> Recompressed:
    """Recompress archives and programs of uv; `spool` takes contents, streams and what they become.

    With `delta` they are encoded against what hosts have of earlier bundles.
    """
    allow_mappings()
    wanted = [one for one in ingredients if one.role in ("archive", "uv")]
    begun = time.monotonic()
    progress.stage("inflate", sum(one.size for one in wanted))
    with Heaviest(_workers(level, delta)) as pool:
        work = _Work(pool, level=level, spool=spool, progress=progress, delta=delta)
        cuts = work.cut([(one, frozenset()) for one in wanted])
        inflated = time.monotonic()
        while (done := work.attempt(cuts)) is None:  # with fewer encoders to guess, or fewer archives
            cuts = work.again(cuts)
    asis = {one.ingredient.path: one for one in cuts if one.reason is not None}
    why = {path: Share(stored=0, how=f"as it is: {one.reason}") for path, one in asis.items()}
    left = [one for one in ingredients if one.role not in ("archive", "uv") or one.path in asis]
    return replace(
        done,
        left=tuple(left),
        shares=done.shares | why,
        recognised=recognised(cuts),
        seconds=(("inflate", inflated - begun), ("compress and prove", time.monotonic() - inflated)),
    )


def untouched(ingredients: Sequence[Ingredient]) -> Recompressed:
    """Recompress nothing: all of them are left over, for `pack --plain`."""
    return Recompressed(stored=(), artifacts=(), left=tuple(ingredients), shares={}, recognised="")


class _Work:
    """Cuts, lays out, compresses and proves on one pool; remembers what did not prove."""

    def __init__(
        self, pool: Heaviest, *, level: str, spool: Path, progress: Progress, delta: Delta | None
    ) -> None:
        self._pool, self._level, self._spool, self._progress = pool, level, spool, progress
        self._delta = delta
        self._proved: dict[Proof, memoryview] = {}
        self._proofs: dict[str, Future[bool]] = {}  # by the artifact's path
        self._without: dict[str, frozenset[str]] = {}  # encoders whose proof has failed
        self._reasons: dict[str, str] = {}  # why others cannot have a recipe
        self._number = count()

    def cut(self, wanted: Iterable[tuple[Ingredient, frozenset[str]]]) -> list[Cut]:
        """Cut the ingredients, and begin to prove each as soon as it is cut."""
        jobs = [
            self._pool.submit(_CUTS_FIRST + one.size, partial(self._cut, one, without))
            for one, without in wanted
        ]
        return [job.result() for job in jobs]

    def attempt(self, cuts: Sequence[Cut]) -> Recompressed | None:
        """Make streams of all cuts that are no exception, and prove them; None where one did not prove."""
        folder = self._spool / f"streams-{next(self._number)}"
        folder.mkdir()
        ready = [one for one in cuts if one.reason is None]
        layouts = self._delta.layouts(ready) if self._delta else [Layout(ready)]
        laid = [one for layout in layouts for one in layout.cuts]
        members: list[Stream | Written] = []
        written: list[Written] = []
        for layout in layouts:
            own = layout.write(folder)
            written += write_recipes(layout, own, folder)
            members += own
        members += written
        members.sort(key=lambda one: (COMMON not in one.path.split("/"), one.path))
        self._progress.stage("compress", sum(one.size for one in members))
        jobs = [
            self._pool.submit(one.size / _COMPRESSES[self._level], partial(self._store, one))
            for one in members
        ]
        contents = {one.path: mapped(one.file) for one in members}
        if self._delta:
            contents |= self._delta.contents
        recipes = {path: recipe for one in written for path, recipe in one.recipes.items()}
        bad = [one for one in laid if not self._holds(one, recipes.get(one.ingredient.path), contents)]
        if bad:
            for job in jobs:
                job.cancel()
            wait(jobs)
            shutil.rmtree(folder, ignore_errors=True)  # Windows keeps what is mapped
            for one in bad:
                self._learn(one, recipes.get(one.ingredient.path))
            return None
        stored = tuple(job.result() for job in jobs)
        return Recompressed(
            stored=stored,
            artifacts=tuple(
                Artifact.of(one.ingredient, recipe=recipes[one.ingredient.path])
                for one in sorted(laid, key=lambda one: one.ingredient.path)
            ),
            left=(),
            shares=shares_of(laid, members, stored),
            recognised="",
        )

    def again(self, cuts: Sequence[Cut]) -> list[Cut]:
        """Cut anew what did not prove, without the encoders that were guessed; what has no other stays."""
        made = []
        for one in cuts:
            without = self._without.get(one.ingredient.path, frozenset())
            reason = self._reasons.get(one.ingredient.path)
            if one.reason is None and reason:
                made.append(replace(one, reason=reason))
            elif one.reason is None and without & set(one.encoders):
                made += self.cut([(one.ingredient, without)])
            else:
                made.append(one)
        return made

    def _learn(self, one: Cut, recipe: Recipe | None) -> None:
        """Remember of a cut that did not prove what not to try again."""
        path = one.ingredient.path
        if recipe is None:
            self._reasons[path] = "its recipe would break a limit of the format"
        elif any(isinstance(part, Body) for part in one.parts):
            self._without[path] = self._without.get(path, frozenset()) | set(one.encoders)
        else:
            self._reasons[path] = "its recipe did not prove"

    def _cut(self, one: Ingredient, without: frozenset[str]) -> Cut:
        done = cut(one, self._spool / f"cut-{next(self._number)}", proved=self._proved, without=without)
        if done.reason is None:
            speed = _ENCODES[done.encoders[0].split("-")[0]] if done.encoders else _HASHES
            job = partial(encodes, done, lambda _: self._pool.go_on())
            self._proofs[one.path] = self._pool.submit(done.content / speed, job)
        self._progress.advance(one.size)
        return done

    def _holds(self, one: Cut, recipe: Recipe | None, contents: Mapping[str, memoryview]) -> bool:
        """Tell whether an artifact has a recipe that proves; waits for the proof."""
        good = recipe is not None and yields(one, recipe, contents, self._proved)
        return self._proofs[one.ingredient.path].result() and good

    def _store(self, one: Stream | Written) -> Stored:
        file = one.file.with_name(one.file.name + ".zst")
        if self._delta and isinstance(one, Stream) and one.prefix:
            return self._delta.store(one, file, level=LEVELS[self._level], advance=self._advance)
        levels = LEVELS if one.path.endswith(f"/{UV}.tar.zst") else _ARCHIVES
        streamzstd.compress(one.file, one.size, file, level=levels[self._level], advance=self._advance)
        member = measure(one.path, read_chunks(file, chunk=BLOCK_SIZE), encoding=ZSTD)
        return Stored(member=replace(member, content=one.size), artifact=None, file=file)

    def _advance(self, count: int) -> None:
        self._pool.go_on()  # a stream takes a minute at level 19
        self._progress.advance(count)


def _workers(level: str, delta: Delta | None) -> int:
    each = delta.memory(LEVELS[level]) if delta else streamzstd.memory(LEVELS[level])
    return max(1, min(os.cpu_count() or 1, _MEMORY // each))
