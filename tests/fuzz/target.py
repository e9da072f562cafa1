"""What a target is: a property of a reader that holds for any bytes, and how to get deep into the reader."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

CORPUS = Path(__file__).parent / "corpus"
ACCEPTED, REFUSED = "ok-", "no-"  # how the name of a seed begins: what the reader says of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One reader.

    `check` returns whether the reader takes the bytes. It raises whatever the reader should not have raised,
    and `AssertionError` where the reader takes what it must not. `mutate` knows the form of the bytes, `words`
    are chunks that stand in them, and `seeds` makes the corpus: names that begin with `ok-` or `no-`.
    """

    name: str
    check: Callable[[bytes], bool]
    mutate: Callable[[bytes, random.Random], bytes]
    seeds: Callable[[], dict[str, bytes]]
    words: tuple[bytes, ...] = ()
    max_len: int = 4096  # bytes of an input
    zstd: bool = False  # the seeds are compressed: other releases of zstd write other bytes

    @property
    def corpus(self) -> Path:
        """Where the committed seeds lie."""
        return CORPUS / self.name
