"""What a scalar without quotes means: only what every YAML reader agrees about.

YAML 1.1 and 1.2 disagree about `3.10`, `no`, `012`, `12:30` and `2026-11-20`. Here such a scalar is
neither the one nor the other: it becomes an `Unquoted`, which no shape takes, so that the reader can
say to quote it where a string was expected.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")  # 18 digits are always below 2**63
_SIMPLE: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_DOUBTFUL = (  # what YAML 1.1 (its type repository) or the YAML 1.2 core schema takes for something else
    ("the truth value", re.compile(r"y|yes|n|no|true|false|on|off", re.IGNORECASE)),
    ("the null value", re.compile(r"null", re.IGNORECASE)),
    ("the number", re.compile(r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+)")),
    ("the number", re.compile(r"[-+]?[0-9][0-9_]*")),
    ("the number", re.compile(r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?")),
    ("the number", re.compile(r"[-+]?\.inf|\.nan", re.IGNORECASE)),
    ("the base-60 number", re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")),
    (
        "the date",
        re.compile(
            r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
            r"(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?"
            r"[ \t]*(?:Z|[-+][0-9]{1,2}(?::?[0-9]{2})?)?)?"
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Unquoted:
    """A scalar without quotes that YAML readers disagree about: its text, and what some take it for."""

    text: str
    kind: str

    @property
    def found(self) -> str:
        """Name it for a message, as `core.shapes.found` asks: `the number 3.10`."""
        return f"{self.kind} {self.text if len(self.text) <= 60 else self.text[:60] + '…'}"


def resolve(text: str) -> str | int | bool | Unquoted | None:
    """Return what the plain scalar `text` means.

    `true`, `false`, whole numbers of up to 18 decimal digits, and nothing (empty, `~`, `null`) are
    themselves; what some YAML reader takes for a number, truth value or date is an `Unquoted`; all
    else is a string.
    """
    if text in _SIMPLE:
        return _SIMPLE[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    for kind, pattern in _DOUBTFUL:
        if pattern.fullmatch(text):
            return Unquoted(text, kind)
    return text


def quoted(value: object) -> str | None:
    """Return how a person would have to write `value` for it to be a string, or None where it is none."""
    if isinstance(value, Unquoted):
        return f'"{value.text}"' if len(value.text) <= 60 else '"…"'
    if isinstance(value, bool):
        return f'"{str(value).lower()}"'
    return f'"{value}"' if isinstance(value, int) else None
