"""All artifacts of a bundle that have recipes, rebuilt on every core as soon as their contents are there."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from bundler.offline.rebuild import Differs, rebuild

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from bundler.core.index import Artifact
    from bundler.core.progress import Progress
    from bundler.offline.spool import Spool
    from bundler.offline.staging import Staging

_WORKERS = 8  # each holds an encoder and a few pieces of content, about 1 MiB
_SLOW = {
    "miniz-6": 3
}  # how much longer an encoder takes than the others, so that the longest job begins first


class Stopped(Exception):
    """Another job failed, or the run ends: what this one wrote is thrown away."""


class Rebuilder:
    """Rebuilds `artifacts` into `staging`; use it in a `with`, which ends with all workers at rest."""

    def __init__(
        self, artifacts: Iterable[Artifact], *, spool: Spool, staging: Staging, progress: Progress
    ) -> None:
        self._waiting = sorted((one for one in artifacts if one.recipe), key=_effort, reverse=True)
        self._spool = spool
        self._staging = staging
        self._progress = progress
        self._jobs: list[Future[None]] = []
        self._stop = threading.Event()

    def __enter__(self) -> Rebuilder:  # noqa: PYI034  # typing.Self needs Python 3.11
        self._pool = ThreadPoolExecutor(min(os.cpu_count() or 1, _WORKERS))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def start(self) -> None:
        """Begin with every artifact whose contents are all there by now."""
        ready = [one for one in self._waiting if one.recipe and self._has_all(one)]
        self._waiting = [one for one in self._waiting if one not in ready]
        self._jobs += [self._pool.submit(self._job, one) for one in ready]

    def finish(self) -> None:
        """Return when all of them are done; raises what the first that failed raised."""
        for job in self._jobs:
            job.result()

    def _has_all(self, artifact: Artifact) -> bool:
        recipe = artifact.recipe
        return recipe is not None and all(one in self._spool for one in (recipe.member, *recipe.sources))

    def _job(self, artifact: Artifact) -> None:
        try:
            try:
                self._write(artifact, trust_native=True)
            except Differs:
                self._staging.discard(artifact.path)
                self._progress.note(
                    f"{artifact.path}: an installed library encodes differently than upstream's did, "
                    "encoding it again in pure Python, which takes minutes"
                )
                self._write(artifact, trust_native=False)
        except Stopped:
            pass
        except BaseException:
            self._stop.set()  # the others need not end first: one fault ends the run
            raise

    def _write(self, artifact: Artifact, *, trust_native: bool) -> None:
        if artifact.recipe is None:
            return
        with self._staging.file(artifact.path, executable=artifact.executable) as append:
            rebuild(
                artifact,
                artifact.recipe,
                self._spool,
                write=append,
                check=self._check,
                trust_native=trust_native,
            )
        self._progress.advance(artifact.size)

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopped


def _effort(artifact: Artifact) -> int:
    names = artifact.recipe.encoders if artifact.recipe else ()
    return artifact.size * max((_SLOW.get(name, 1) for name in names), default=0)
