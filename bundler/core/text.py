"""Foreign text made printable, and numbers as people read them."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NAMED = 12  # numbers, or spans of them, in one message
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def printable(text: str, *, limit: int = 2000) -> str:
    """Return `text` with control, bidi and unassigned characters escaped, cut at `limit` characters.

    What comes back is one line and moves no cursor, whatever a hostile document put into it.
    """
    shown = "".join(
        char if char == " " or unicodedata.category(char)[0] not in "CZ" else _escape(char)
        for char in text[:limit]
    )
    return shown if len(text) <= limit else shown + "…"


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode() if ord(char) != 0xA0 else "\\xa0"


def size(count: int) -> str:
    """Write a count of bytes with a binary unit: `27.4 MiB`."""
    value = float(count)
    for unit in _UNITS:
        if value < 1024 or unit == _UNITS[-1]:
            return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError


def counted(count: int, noun: str) -> str:
    """Write a count with its noun, which takes an s for more than one: `1 file`, `2 files`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def are(count: int) -> str:
    """Return the verb for so many things: `is` or `are`."""
    return "is" if count == 1 else "are"


def listed(things: Iterable[object], *, most: int = 1) -> str:
    """Write the first ones of things, and how many more there are: `a`, `a and 3 more`, `a, b and 2 more`."""
    names = [str(one) for one in things]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def numbers(found: Iterable[int]) -> str:
    """Write numbers as people read them out: `7, 19, 31-33`; many of them are cut short."""
    spans: list[list[int]] = []
    for one in found:
        if spans and one == spans[-1][1] + 1:
            spans[-1][1] = one
        else:
            spans.append([one, one])
    return listed((low if low == high else f"{low}-{high}" for low, high in spans), most=_NAMED)


def span(numbers: Sequence[int]) -> str:
    """Write consecutive numbers by their ends: `3`, `2 to 4`."""
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def duration(seconds: float) -> str:
    """Write a time span: `0.4 s`, `12 s`, `3 min 05 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
