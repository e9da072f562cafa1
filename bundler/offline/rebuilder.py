"""All artifacts of a bundle that have recipes, rebuilt on every core as soon as their contents are there."""

from __future__ import annotations

import contextlib
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from bundler.errors import DamagedFault
from bundler.offline.members import REPACK
from bundler.offline.rebuild import Differs, rebuild, slow_encoders

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from bundler.core.index import Artifact
    from bundler.core.progress import Progress
    from bundler.core.recipe import Source
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
        self._missing: dict[str, set[Source]] = {}  # by the path of the artifact
        self._users: dict[Source, list[Artifact]] = {}
        for one in sorted(artifacts, key=_effort, reverse=True):
            if one.recipe:
                self._missing[one.path] = {one.recipe.member, *one.recipe.sources}
                for source in self._missing[one.path]:
                    self._users.setdefault(source, []).append(one)
        self._spool = spool
        self._staging = staging
        self._progress = progress
        self._jobs: list[Future[None]] = []
        self._stop = threading.Event()
        self._turn = threading.Lock()  # pure Python runs on one core, and its encoders take 17 MiB each

    def __enter__(self) -> Rebuilder:  # noqa: PYI034  # typing.Self needs Python 3.11
        self._pool = ThreadPoolExecutor(min(os.cpu_count() or 1, _WORKERS))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def start(self, source: Source) -> None:
        """Begin with every artifact for which the content of `source`, now in the spool, was the last.

        Raises what an artifact that was begun before has failed with: the rest need not be read then.
        """
        for one in self._users.pop(source, ()):
            missing = self._missing[one.path]
            missing.discard(source)
            if not missing:
                del self._missing[one.path]
                self._jobs.append(self._pool.submit(self._job, one))
        if self._stop.is_set():
            self.finish()

    def finish(self) -> None:
        """Return when all of them are done; raises what the first that failed raised."""
        for job in self._jobs:
            job.result()
        if self._missing:  # an index that is whole names nothing that does not come
            raise DamagedFault(f"{min(self._missing)}: not all that it is rebuilt from came", hint=REPACK)

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
        slow = not trust_native or slow_encoders([artifact])
        written = 0
        with (
            self._turn if slow else contextlib.nullcontext(),
            self._staging.file(artifact.path, executable=artifact.executable) as append,
        ):

            def write(data: bytes) -> None:  # tells of every piece: pure Python takes a minute for a file
                nonlocal written
                append(data)
                written += len(data)
                self._progress.advance(len(data))

            try:
                rebuild(
                    artifact,
                    artifact.recipe,
                    self._spool,
                    write=write,
                    check=self._check,
                    trust_native=trust_native,
                )
            except Differs:
                self._progress.advance(-written)  # all of it comes once more
                raise

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopped


def _effort(artifact: Artifact) -> int:
    names = artifact.recipe.encoders if artifact.recipe else ()
    return artifact.size * max((_SLOW.get(name, 1) for name in names), default=0)
