"""A file that is still growing, hashed as it grows; with facts beside it that let a later run continue it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any

from bundler.connected.cache import VARIABLE
from bundler.core.digest import Digest, read_chunks
from bundler.errors import HostFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_MAX_FACTS = 4096  # bytes: a digest and a validator


class Partial:
    """The beginning of a file at `path`; `size` bytes of it are there and hashed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._facts_path = path.with_suffix(".json")
        self._state = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> Digest:
        """The digest of what is there so far."""
        return Digest(self._state.copy().hexdigest())

    def take_up(self) -> dict[str, str]:
        """Hash what an earlier attempt left; return its facts, or begin with nothing where there are none."""
        self._state, self.size = hashlib.sha256(), 0
        facts = self._read_facts()
        if facts:
            with contextlib.suppress(FileNotFoundError):
                for data in read_chunks(self.path):
                    self._state.update(data)
                    self.size += len(data)
        return facts

    def begin(self, facts: Mapping[str, str]) -> None:
        """Start with nothing, and remember what a later run needs to know to continue."""
        self.discard()
        with host_faults(self._facts_path):
            self._facts_path.write_text(json.dumps(facts))

    def discard(self) -> None:
        """Forget and remove everything."""
        with host_faults(self.path):
            self.path.unlink(missing_ok=True)
            self._facts_path.unlink(missing_ok=True)
        self._state, self.size = hashlib.sha256(), 0

    def complete(self) -> None:
        """Remove the facts: the file is whole and about to be moved away."""
        self._facts_path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def appending(self) -> Iterator[Callable[[bytes], None]]:
        """Lend a function that appends bytes; raises `HostFault` where they cannot be stored."""
        with host_faults(self.path):
            stream = self.path.open("ab", buffering=0)

        def append(data: bytes) -> None:
            with host_faults(self.path):
                rest = memoryview(data)
                while rest:  # an unbuffered write may take a part
                    rest = rest[stream.write(rest) :]
            self._state.update(data)
            self.size += len(data)

        with stream:
            yield append

    def _read_facts(self) -> dict[str, str]:
        try:
            facts: Any = json.loads(self._facts_path.read_bytes()[:_MAX_FACTS])
        except (OSError, ValueError):
            return {}
        fit = isinstance(facts, dict) and all(isinstance(value, str) for value in facts.values())
        return facts if fit else {}


@contextlib.contextmanager
def host_faults(path: Path) -> Iterator[None]:
    """Turn an `OSError` of the block, which works on `path`, into a `HostFault`."""
    try:
        yield
    except OSError as error:
        raise HostFault(
            f"{path}: cannot be written: {error.strerror or error}",
            hint=f"free some space, or name another folder in {VARIABLE}",
        ) from error
