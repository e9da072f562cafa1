"""How core code tells how far it is; the command layer decides what a person sees of it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of stages and bytes; must be cheap and safe to call from several threads."""

    def stage(self, label: str, total: int | None) -> None:
        """Begin a stage of `total` bytes (None where that is not known)."""

    def advance(self, count: int) -> None:
        """Say that `count` more bytes of the stage are done."""

    def note(self, line: str) -> None:
        """Say one thing that a person should read, such as a retry."""


class Silent:
    """A progress that nobody watches."""

    def stage(self, label: str, total: int | None) -> None:
        """Do nothing."""

    def advance(self, count: int) -> None:
        """Do nothing."""

    def note(self, line: str) -> None:
        """Do nothing."""
