"""Find the encoder that wrote a deflate stream: try, compare every byte, else say that there is none.

A guess is never believed: what follows from a probe is proved by encoding everything again. Only shortcuts in
native code take part; an encoder whose shortcut is missing here is not found, and its archives travel as
they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final

from bundler.deflate import catalog

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PROBE: Final = 1 << 20  # bytes of content that a probe encodes
_PIECE: Final = 64 << 10  # bytes encoded between two looks at the output: most wrong guesses end early
_USUAL: Final = ("medium-17", "miniz-6", "medium-16", "zlib-6-8", "zlib-9-8")
CANDIDATES: Final = (*_USUAL, *(name for name in catalog.ZLIB_NAMES if name not in _USUAL))


def candidates(extra_flags: int | None = None) -> tuple[str, ...]:
    """Return the names to try, most likely first; `extra_flags` is XFL of a gzip header (RFC 1952, 2.3.1).

    XFL only orders: zlib sets 2 for level 9 and 4 for level 1, Python's gzip module 2 in its older releases
    always.
    """
    first = {2: ("zlib-9-8", "zlib-9-9"), 4: ("zlib-1-8", "zlib-1-9")}.get(extra_flags or 0, ())
    return (*first, *(name for name in CANDIDATES if name not in first))


def probe(content: memoryview, body: bytes, names: Iterable[str]) -> Iterator[str]:
    """Yield the names that encode the begin of `content` to the begin of `body`, as far as that shows.

    `content` is all of it; of the body only what the begin encodes to is needed: the first `PROBE` and a
    little.
    """
    for name in names:
        if _agrees(name, content, body, limit=PROBE):
            yield name


def proves(name: str, content: memoryview, body: BinaryIO, length: int) -> bool:
    """Tell whether `name` encodes `content` to exactly the next `length` bytes of `body`."""
    left = length
    for out in encoded(name, content):
        if len(out) > left or body.read(len(out)) != out:
            return False
        left -= len(out)
    return left == 0 and length > 0


def _agrees(name: str, content: memoryview, body: bytes, *, limit: int) -> bool:
    done = 0
    for out in encoded(name, content[:limit], whole=len(content) <= limit):
        if body[done : done + len(out)] != out[: max(0, len(body) - done)]:
            return False
        done += len(out)
    return catalog.native(name) is not None


def encoded(name: str, content: memoryview, *, whole: bool = True) -> Iterator[bytes]:
    """Yield what `name` encodes the content to, piece by piece; without its end where it is not `whole`."""
    encoder = catalog.native(name)
    if encoder is None:
        return
    for at in range(0, len(content), _PIECE):
        if out := encoder.feed(bytes(content[at : at + _PIECE])):
            yield out
    if whole:
        yield encoder.finish()
