"""Prove at pack time that recipes give the upstream bytes back.

In two steps, so that the long one need not wait for the streams. Encoding the content of an archive, with its
literals around it, gives the archive's sha256. And the program, run over the very bytes of the streams,
yields exactly this content and these literals. Bodies of zip members are not encoded twice: `zipparts` has
proved them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from bundler.connected.encodersearch import encoded
from bundler.connected.pieces import Body
from bundler.core.digest import Digest
from bundler.core.program import Copy, Encode, parse_program
from bundler.deflate import catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bundler.connected.pieces import Cut
    from bundler.connected.zipparts import Proof
    from bundler.core.recipe import Recipe

_BATCH: Final = 256 << 10  # bytes joined, compared or encoded at a time


def encodes(cut: Cut, advance: Callable[[int], None]) -> bool:
    """Tell whether the bodies are what their encoders make, and these with the literals the whole file.

    Ends at the first byte that differs. What was not gzip has no bodies; its parts are the file.
    """
    state, size = hashlib.sha256(), 0
    with cut.ingredient.source.open("rb") as source:
        for part in cut.parts:
            if isinstance(part, Body):
                content = cut.views[0][part.content : part.content + part.size]
                source.seek(part.offset)
                for data in encoded(part.encoder, content):
                    if source.read(len(data)) != data:
                        return False
                    state.update(data)
                    size += len(data)
                    advance(len(data))
            else:
                state.update(cut.views[0][part.content : part.content + part.size])
                size += part.size
                advance(part.size)
    return (Digest(state.hexdigest()), size) == (cut.ingredient.sha256, cut.ingredient.size)


def yields(
    cut: Cut, recipe: Recipe, contents: Mapping[str, memoryview], proved: Mapping[Proof, memoryview]
) -> bool:
    """Tell whether the recipe's program yields the parts of the cut, and encodes its bodies as was proved.

    `contents` are those of what the recipe names: members by their paths, held artifacts by their digests.
    """
    program = bytes(contents[recipe.member][recipe.offset : recipe.offset + recipe.length])
    sources = [contents[str(source)] for source in recipe.sources]
    wanted = _Wanted(cut)
    nested: list[memoryview] | None = None
    depth, name, bodies = 0, "", any(isinstance(part, Body) for part in cut.parts)
    for step in parse_program(program, sources=[len(one) for one in sources], encoders=len(recipe.encoders)):
        if isinstance(step, Copy):
            data = sources[step.source][step.offset : step.offset + step.length]
            if nested is None:
                wanted.put(data)
            else:
                nested.append(data)
        elif isinstance(step, Encode):
            depth += 1
            name = recipe.encoders[step.encoder]
            if bodies and depth == 1:
                wanted.begin(name)
            else:
                nested = []
        else:
            if nested is not None:
                wanted.put(_body(name, b"".join(nested), proved))
                nested = None
            else:
                wanted.end()
            depth -= 1
    return wanted.met()


class _Wanted:
    """Compares what a program yields with the parts of a cut, in batches."""

    def __init__(self, cut: Cut) -> None:
        self._view = cut.views[0]
        self._parts = list(cut.parts)
        self._at = 0  # bytes of the first part that were yielded
        self._held: list[memoryview | bytes] = []
        self._size = 0
        self._good = True

    def put(self, data: memoryview | bytes) -> None:
        """Take what is yielded next."""
        self._held.append(data)
        self._size += len(data)
        if self._size >= _BATCH:
            self._compare()

    def begin(self, encoder: str) -> None:
        """Take that the next part is encoded."""
        self._compare()
        part = self._parts[0] if self._parts else None
        self._good &= isinstance(part, Body) and part.encoder == encoder and self._at == 0

    def end(self) -> None:
        """Take that the part which is encoded ends."""
        self._compare()
        part = self._parts.pop(0) if self._parts else None
        self._good &= isinstance(part, Body) and self._at == part.size
        self._at = 0

    def met(self) -> bool:
        """Tell whether everything was yielded, and nothing else."""
        self._compare()
        return self._good and not self._parts

    def _compare(self) -> None:
        data, self._held, self._size = b"".join(self._held), [], 0
        at = 0
        while self._good and at < len(data):
            if not self._parts:
                self._good = False
                return
            part = self._parts[0]
            taken = min(part.size - self._at, len(data) - at)
            begin = part.content + self._at
            self._good &= data[at : at + taken] == bytes(self._view[begin : begin + taken])
            at, self._at = at + taken, self._at + taken
            if isinstance(part, Body):
                self._good &= at == len(data)  # ends where the program says, not here
            elif self._at == part.size:
                self._parts.pop(0)
                self._at = 0


def _body(name: str, content: bytes, proved: Mapping[Proof, memoryview]) -> memoryview | bytes:
    body = proved.get((hashlib.sha256(content).digest(), name))
    if body is not None:
        return body
    encoder = catalog.native(name)
    return encoder.feed(content) + encoder.finish() if encoder else b""
