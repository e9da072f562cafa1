"""SHA-256 digests, the only kind this format knows (FORMAT.md, "Digests")."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from bundler.core.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from bundler.core.progress import Progress

_HEX = re.compile(r"[0-9a-f]{64}")
_SIZE = 32  # bytes of a digest that is not written as text
CHUNK = 1 << 20  # bytes read at a time; one MiB keeps Python out of the inner loop


@dataclass(frozen=True, slots=True)
class Digest:
    """A SHA-256 digest as 64 lowercase hexadecimal digits."""

    hex: str

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.hex):
            raise Fault(f"expected 64 lowercase hexadecimal digits, found {self.hex!r}")

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read the 64 digits; raises `Fault` for anything else, upper case included."""
        return cls(text)

    @classmethod
    def of(cls, data: bytes | memoryview) -> Digest:
        """Hash `data`."""
        return cls(hashlib.sha256(data).hexdigest())

    def __str__(self) -> str:
        return self.hex

    @property
    def short(self) -> str:
        """The first nine digits, as uv puts them before a cached archive's name (uv 0.7.0 to 0.13.8)."""
        return self.hex[:9]


class Digests(Sequence[Digest]):
    """Digests in a row, in 32 bytes each: an index may name hundreds of thousands of blocks."""

    __slots__ = ("_joined",)

    def __init__(self, digests: Iterable[Digest]) -> None:
        self._joined = b"".join(bytes.fromhex(one.hex) for one in digests)

    def __len__(self) -> int:
        return len(self._joined) // _SIZE

    @overload
    def __getitem__(self, place: int) -> Digest: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Digest, ...]: ...
    def __getitem__(self, place: int | slice) -> Digest | tuple[Digest, ...]:
        if isinstance(place, slice):
            return tuple(self[one] for one in range(len(self))[place])
        at = range(len(self))[place] * _SIZE
        return Digest(self._joined[at : at + _SIZE].hex())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digests | tuple) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Digests({list(self)})"


def read_chunks(path: Path, *, chunk: int = CHUNK) -> Iterator[bytes]:
    """Yield the file's bytes, at most `chunk` at a time."""
    with path.open("rb", buffering=0) as stream:
        while data := stream.read(chunk):
            yield data


def hash_file(path: Path, *, progress: Progress | None = None) -> tuple[Digest, int]:
    """Return the digest and the size in bytes of the file at `path`, in flat memory; raises `OSError`."""
    state, size = hashlib.sha256(), 0
    for data in read_chunks(path):
        state.update(data)
        size += len(data)
        if progress:
            progress.advance(len(data))
    return Digest(state.hexdigest()), size
