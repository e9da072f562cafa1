"""What is wrong with a value, and where in its document.

A `Fault` knows a key path, not a file: whoever read the file adds its name, line and column,
and decides which category of `bundler.errors` it is.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST_KEY = 100  # characters of a key that a message shows
KeyPath = tuple[str | int, ...]


class Fault(ValueError):
    """A value that does not fit: `message` says what was found and what was expected."""

    def __init__(self, message: str, *, path: KeyPath = (), hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.hint = hint

    def under(self, path: KeyPath) -> Fault:
        """Return the same fault, seen from a document in which the value lies at `path`."""
        return type(self)(self.message, path=(*path, *self.path), hint=self.hint)

    def __str__(self) -> str:
        where = show_path(self.path)
        return f"{where}: {self.message}" if where else self.message


class UnknownKey(Fault):
    """A key that nobody knows: the fault lies with the key, not with its value."""


def show_path(path: KeyPath) -> str:
    """Write a key path as people do: `pythons[0].version`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            part = part if len(part) <= _LONGEST_KEY else f"{part[:_LONGEST_KEY]}…"  # noqa: PLW2901
            text += f".{part}" if text else part
    return text


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most like `word`, or None where none is alike.

    A word of more than 200 characters is like none: comparing takes memory and time by its length.
    """
    if len(word) > 200:
        return None
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return found[0] if found else None
