"""Prove recipes at pack time: run each program over the streams, and compare the artifact's sha256.

The recipe is what a host runs, and the streams are the bytes that it will decode. Only the bodies of zip
members are not encoded again: `bundler.connected.zipparts` has done that, and a digest of the content finds
the body.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from bundler.core.digest import Digest
from bundler.core.program import Copy, Encode, parse_program
from bundler.deflate import catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bundler.connected.bundlewriter import Ingredient
    from bundler.connected.zipparts import Proof
    from bundler.core.recipe import Recipe

_BATCH: Final = 256 << 10  # bytes handed to an encoder or a hash at a time


class _Sink:
    """Takes what an encoder, or the artifact itself, is made of, in batches."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take, self._held, self._size = take, list[memoryview | bytes](), 0

    def put(self, data: memoryview | bytes) -> None:
        self._held.append(data)
        self._size += len(data)
        if self._size >= _BATCH:
            self.flush()

    def flush(self) -> None:
        if self._held:
            self._take(b"".join(self._held))
            self._held, self._size = [], 0


def holds(
    one: Ingredient,
    recipe: Recipe,
    contents: Mapping[str, memoryview],
    proved: Mapping[Proof, memoryview],
    advance: Callable[[int], None],
) -> bool:
    """Tell whether the recipe gives the ingredient's bytes; `contents` are those of members, by path."""
    program = bytes(contents[recipe.member][recipe.offset : recipe.offset + recipe.length])
    sources = [contents[str(source)] for source in recipe.sources]
    state, total = hashlib.sha256(), 0

    def hash_more(data: bytes) -> None:
        nonlocal total
        state.update(data)
        total += len(data)
        advance(len(data))

    sinks = [_Sink(hash_more)]
    ends: list[Callable[[], None]] = []
    for step in parse_program(
        program, sources=[len(source) for source in sources], encoders=len(recipe.encoders)
    ):
        if isinstance(step, Copy):
            sinks[-1].put(sources[step.source][step.offset : step.offset + step.length])
        elif isinstance(step, Encode):
            begun = _begin(recipe.encoders[step.encoder], sinks[-1], proved, nested=len(sinks) > 1)
            if begun is None:
                return False
            sinks.append(begun[0])
            ends.append(begun[1])
        else:
            sinks.pop().flush()
            ends.pop()()
    sinks.pop().flush()
    return (Digest(state.hexdigest()), total) == (one.sha256, one.size)


def _begin(
    name: str, out: _Sink, proved: Mapping[Proof, memoryview], *, nested: bool
) -> tuple[_Sink, Callable[[], None]] | None:
    """Return what takes the content to encode, and what to call at its end; None without an encoder."""
    if nested:
        held: list[bytes] = []

        def found() -> None:
            content = b"".join(held)
            body = proved.get((hashlib.sha256(content).digest(), name))
            out.put(body if body is not None else _encode(name, content))

        return _Sink(held.append), found
    encoder = catalog.native(name)
    if encoder is None:
        return None
    return _Sink(lambda data: out.put(encoder.feed(data))), lambda: out.put(encoder.finish())


def _encode(name: str, content: bytes) -> bytes:
    encoder = catalog.native(name)
    return encoder.feed(content) + encoder.finish() if encoder else b""
