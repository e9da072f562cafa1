"""Files of a bundle, read at places: what is wrong with one is noted, and stops no reader (FORMAT.md §17)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core import ustar
from bundler.core.text import counted
from bundler.volumes.handles import Handles

if TYPE_CHECKING:
    from pathlib import Path

    from bundler.volumes.spots import Spot
    from bundler.volumes.survey import Seen

_MAX_NOTED = 200_000  # places that are wrong: of more in all files together only each file's first is noted


@dataclass(slots=True)
class Harm:
    """What is wrong with a file: how many cells, and the first of them in words."""

    count: int
    first: str

    def __str__(self) -> str:
        more = f", and {counted(self.count - 1, 'place')} more" if self.count > 1 else ""
        return f"{self.first}{more}"


class NotedFiles:
    """Places in, bytes out, unverified, or None where there are none; `harm` says why, file by file."""

    def __init__(self) -> None:
        self.harm: dict[Path, Harm] = {}
        self._noted: set[int] = set()
        self._short: set[Path] = set()  # that end too early
        self._handles = Handles()

    def note(self, seen: Seen, what: str) -> None:
        """Note that something is wrong with the file, once however often it is read."""
        if len(self._noted) >= _MAX_NOTED and seen.path in self.harm:
            return
        if (key := hash((seen.path, what))) not in self._noted:
            self._noted.add(key)
            harm = self.harm.setdefault(seen.path, Harm(0, what))
            harm.count += 1

    def read(self, seen: Seen, at: int, count: int) -> bytes | None:
        """Return up to `count` bytes of a file, or None where it cannot be read there, which is noted."""
        try:
            return self._handles.read(seen.path, at, count)
        except OSError as error:
            self.note(seen, f"byte {at}: {error.strerror or error}")
            return None

    def content(self, spot: Spot) -> bytes | None:
        """Return what lies in a spot; None where the file ends before. Notes a wrong header."""
        if self._ends_within(spot):
            return None
        if spot.header:  # by themselves: what is wrong with them costs no content, which is not copied
            self._expect(spot, spot.at, spot.header)
            self._expect(spot, spot.end, ustar.padding(spot.size))
        return self._exactly(spot.seen, spot.at + len(spot.header), spot.size)

    def member(self, spot: Spot) -> bytes | None:
        """Return what lies in a spot with its header and its padding; None where the file ends before."""
        if self._ends_within(spot):
            return None
        return self._exactly(spot.seen, spot.at, ustar.stored_size(spot.size))

    def close(self) -> None:
        """Close the files."""
        self._handles.close()

    def _expect(self, spot: Spot, at: int, expected: bytes) -> None:
        """Note where what stands beside a cell's content is not what is expected there."""
        found = self.read(spot.seen, at, len(expected)) if expected else b""
        if found is not None and found != expected:
            self.note(spot.seen, f"byte {spot.at}: the header or the padding of a cell is damaged")

    def _exactly(self, seen: Seen, at: int, count: int) -> bytes | None:
        data = self.read(seen, at, count)
        if data is not None and len(data) < count:
            self._note_short(seen)
            return None
        return data

    def _ends_within(self, spot: Spot) -> bool:
        """Tell whether the file ends before the spot's content does, and note it."""
        if spot.end <= spot.seen.size:
            return False
        self._note_short(spot.seen)
        return True

    def _note_short(self, seen: Seen) -> None:
        """Note that a file ends too early: of all the cells that it lacks once."""
        if seen.path not in self._short:
            self._short.add(seen.path)
            self.note(seen, f"ends at byte {seen.size}, expected more")
