"""Encode what is new against what hosts have of earlier bundles (FORMAT.md §16).

Copies of held content are proved like all others: `bundler.connected.proving` runs each program over the very
bytes that a host has. A frame with a prefix is decoded again as a reader does it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundler.connected import prefixzstd, streamzstd
from bundler.connected.against import against
from bundler.connected.bundlewriter import Stored, measure
from bundler.connected.slabs import Slabs
from bundler.connected.streams import Layout, group_of
from bundler.core.digest import read_chunks
from bundler.core.index import BLOCK_SIZE, ZSTD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bundler.connected.heldcontent import HeldContent
    from bundler.connected.pieces import Cut
    from bundler.connected.streams import Stream
    from bundler.core.recipe import Range

_SMALL: Final = 4 << 20  # bytes of content: below, a prefix and its ranges may cost more than they save
_RANGE: Final = 170  # bytes of the index that a range takes
_MAX_OTHERS: Final = 16  # further held archives that one is searched for in: a recipe has 64 sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What new artifacts are encoded against, by their paths in a generation."""

    held: Mapping[str, HeldContent]

    @property
    def contents(self) -> dict[str, memoryview]:
        """The contents by the sha256 of what has them, as recipes name them."""
        return {one.sha256.hex: one.view for one in self.held.values()}

    def memory(self, level: int) -> int:
        """Return the bytes that one compressor takes at zstd's `level`."""
        return max(streamzstd.memory(level), prefixzstd.memory(level) if self.held else 0)

    def layouts(self, cuts: Sequence[Cut]) -> list[Layout]:
        """Return a layout for each platform: hosts of one have nothing of the others to copy from."""
        if not self.held:
            return [Layout(cuts)]
        groups: dict[str, list[Cut]] = {}
        for one in cuts:
            groups.setdefault(group_of(one), []).append(one)
        slabs = Slabs(held=self.held)
        return [Layout(self._against(own), slabs=slabs, trees=False) for _, own in sorted(groups.items())]

    def _against(self, cuts: Sequence[Cut]) -> list[Cut]:
        known = {
            held.sha256.hex: held
            for cut in cuts
            if (held := self.held.get(cut.ingredient.path)) and held.entries
        }
        others = [known[name] for name in sorted(known)][:_MAX_OTHERS]
        done = []
        for one in cuts:
            own = self.held.get(one.ingredient.path)
            first = [own] if own and own.entries else []
            done.append(against(one, [*first, *(other for other in others if other not in first)]))
        return done

    def store(self, one: Stream, file: Path, *, level: int, advance: Callable[[int], None]) -> Stored:
        """Compress a stream after its prefix, or without where that is smaller."""
        after = prefixzstd.compress_after(
            self._join(one.prefix), one.file, one.size, file, level=level, advance=advance
        )
        cost = file.stat().st_size + _RANGE * len(one.prefix)
        prefix = one.prefix
        if not after or one.size <= _SMALL:
            with tempfile.TemporaryDirectory(dir=file.parent) as folder:
                plain = Path(folder) / "plain"
                streamzstd.compress(one.file, one.size, plain, level=level, advance=lambda _: advance(0))
                if not after or plain.stat().st_size <= cost:
                    plain.replace(file)
                    prefix = ()
        member = measure(one.path, read_chunks(file, chunk=BLOCK_SIZE), encoding=ZSTD)
        return Stored(member=replace(member, content=one.size, prefix=prefix), artifact=None, file=file)

    def _join(self, prefix: Sequence[Range]) -> bytes:
        contents = self.contents
        return b"".join(contents[str(one.source)][one.offset : one.offset + one.length] for one in prefix)
