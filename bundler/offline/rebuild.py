"""Rebuild an artifact by its recipe: the exact upstream bytes, or a fault (FORMAT.md §15).

Native encoders are believed only as far as the artifact's sha256 goes: where it differs, the reference
encoders do the same again.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from bundler.core.fault import Fault
from bundler.core.program import Copy, Encode, End, parse_program
from bundler.deflate import catalog
from bundler.errors import DamagedFault
from bundler.offline.members import REPACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bundler.core.index import Artifact
    from bundler.core.recipe import Recipe
    from bundler.deflate.catalog import Encoder
    from bundler.offline.spool import Spool

_MOST_PER_BYTE = 1100  # deflate makes at most 1032 bytes into one (RFC 1951); a program may ask for no more
_FREE = 1 << 20  # bytes that any program may put into encoders
_PER_STREAM = 1 << 14  # bytes that beginning an encoder counts as: it takes a millisecond without any content
_BATCH = 1 << 17  # bytes handed to an encoder at a time, or a piece of content more


class Differs(Exception):
    """A native encoder gave other bytes than upstream's; the reference has to do it again."""


def rebuild(
    artifact: Artifact,
    recipe: Recipe,
    spool: Spool,
    *,
    write: Callable[[bytes], object],
    check: Callable[[], None],
    trust_native: bool = True,
) -> None:
    """Hand the artifact's bytes to `write` and compare its sha256; `check` may raise to stop.

    What was written is worth nothing after any fault: `Differs` where native encoders were in use, else
    `DamagedFault`.
    """
    encoders = [_Maker(name, native=trust_native) for name in recipe.encoders]
    state, size = hashlib.sha256(), 0
    try:
        for data in _yielded(artifact, recipe, spool, encoders, check):
            size += len(data)
            state.update(data)
            write(data)
            if size > artifact.size:
                break
    except Fault as fault:
        raise DamagedFault(f"{artifact.path}: its recipe: {fault}", hint=REPACK) from None
    if (size, state.hexdigest()) == (artifact.size, artifact.sha256.hex):
        return
    if any(one.used_native for one in encoders):
        raise Differs
    raise DamagedFault(
        f"{artifact.path}: rebuilt as {size} bytes with sha256 {state.hexdigest()}, expected {artifact.size} "
        f"with {artifact.sha256}",
        hint=REPACK,
    )


def _yielded(
    artifact: Artifact,
    recipe: Recipe,
    spool: Spool,
    encoders: Sequence[_Maker],
    check: Callable[[], None],
) -> Iterator[bytes]:
    """Run the program; yield what it yields, which nobody compared yet. Raises `Fault`."""
    fed, allowed = 0, _FREE + _MOST_PER_BYTE * artifact.size
    stack: list[Encoder] = []
    for step in _batched(recipe, spool, encoders=len(encoders)):
        check()
        if isinstance(step, Encode):
            stack.append(encoders[step.encoder].make())
            fed += _PER_STREAM
            continue
        data = step if isinstance(step, bytes) else stack.pop().finish()
        for encoder in reversed(stack):
            fed += len(data)
            data = encoder.feed(data)
        if fed > allowed:
            raise Fault(f"expected at most {allowed} bytes put into encoders, found more")
        if data:
            yield data


def _batched(recipe: Recipe, spool: Spool, *, encoders: int) -> Iterator[bytes | Encode | End]:
    """Yield the steps of the program, with what copies in a row give joined: most have 512 bytes."""
    program = b"".join(spool.read(recipe.member, recipe.offset, recipe.length))
    sizes = [spool.size(one) for one in recipe.sources]
    held: list[bytes] = []
    count = 0
    for step in parse_program(program, sources=sizes, encoders=encoders):
        if not isinstance(step, Copy):
            if held:
                yield b"".join(held)
                held, count = [], 0
            yield step
            continue
        for piece in spool.read(recipe.sources[step.source], step.offset, step.length):
            held.append(piece)
            count += len(piece)
            if count >= _BATCH:
                yield b"".join(held)
                held, count = [], 0
    if held:
        yield b"".join(held)


class _Maker:
    """Makes encoders of one name, and remembers whether any of them was native."""

    def __init__(self, name: str, *, native: bool) -> None:
        self._name = name
        self._native = native
        self.used_native = False

    def make(self) -> Encoder:
        try:
            encoder = catalog.native(self._name) if self._native else None
        except (MemoryError, OSError):  # this host lacks something, which is to be told
            raise
        except Exception:  # noqa: BLE001  # foreign code, or no thread to be had
            raise Differs from None
        if encoder is None:
            return catalog.reference(self._name)
        self.used_native = True
        return _Guarded(encoder)


class _Guarded:
    """A native encoder whose failures are like other bytes: the reference has to do it again."""

    def __init__(self, inner: Encoder) -> None:
        self._inner = inner

    def feed(self, data: bytes) -> bytes:
        return self._guarded(lambda: self._inner.feed(data))

    def finish(self) -> bytes:
        return self._guarded(self._inner.finish)

    @staticmethod
    def _guarded(call: Callable[[], bytes]) -> bytes:
        try:
            return call()
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001  # foreign code
            raise Differs from None


def slow_encoders(artifacts: Iterable[Artifact]) -> dict[str, str]:
    """Return the encoders that these artifacts need and that have no shortcut here, each with the reason."""
    names = {name for one in artifacts if one.recipe for name in one.recipe.encoders}
    reasons = {name: catalog.why_not_native(name) for name in sorted(names)}
    return {name: reason for name, reason in reasons.items() if reason}
