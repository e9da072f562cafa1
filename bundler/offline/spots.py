"""Places in files where a block of a bundle should lie (FORMAT.md §17)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core import ustar
from bundler.core.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bundler.core.blocks import Blocks
    from bundler.offline.handles import Handles
    from bundler.offline.survey import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a cell should lie: its header at `at`, or None where only its content does; sizes in bytes."""

    seen: Seen
    at: int
    header: bytes
    size: int

    @property
    def end(self) -> int:
        """Where its content ends."""
        return self.at + len(self.header) + self.size


def read_supplement(
    seen: Seen, blocks: Blocks, handles: Handles, *, note: Callable[[Seen, str], None]
) -> Iterator[tuple[int, Spot]]:
    """Yield the blocks of a supplement by their headers, up to the first that is none, which is noted."""
    at, last = seen.start, -1
    while at + ustar.BLOCK <= seen.size:
        try:
            header = handles.read(seen.path, at, ustar.BLOCK)
            if header == bytes(ustar.BLOCK):
                return
            name, size = ustar.parse_header(header)
            block = blocks.parse_name(name)
        except OSError as error:
            note(seen, f"byte {at}: {error.strerror or error}")
            return
        except Fault as fault:
            note(seen, f"byte {at}: {fault}")
            return
        if block <= last or size != blocks.size(block):
            note(seen, f"byte {at}: expected the next block, found {name}")
            return
        yield block, Spot(seen=seen, at=at, header=header, size=size)
        at, last = at + ustar.stored_size(size), block
