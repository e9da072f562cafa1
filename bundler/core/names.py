"""Which names a bundle may contain: safe on Linux, Windows, macOS and FAT alike (FORMAT.md, "Names")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bundler.core.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_SEGMENT = 100  # characters: the name field of a ustar header
MAX_PATH = 240  # characters: leaves room for a prefix below Windows' 260
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


def portable_path(text: str) -> str:
    """Return `text` where it is a relative path that every file system takes as it is; else raise `Fault`."""
    if not text.isascii() or len(text) > MAX_PATH:
        raise Fault(f"expected a relative path of at most {MAX_PATH} ASCII characters, found {text!r}")
    for segment in text.split("/"):
        if not _SEGMENT.fullmatch(segment) or segment.endswith("."):
            raise Fault(f"expected a path of letters, digits and ._+-, found {text!r}")
        if len(segment) > MAX_SEGMENT:
            raise Fault(f"expected names of at most {MAX_SEGMENT} characters, found {segment!r}")
        if _DEVICES.fullmatch(segment):
            raise Fault(f"expected a name that Windows does not keep for itself, found {segment!r}")
    return text


def check_distinct(paths: Iterable[str]) -> None:
    """Raise `Fault` where two paths clash, on a case-blind file system too, or one lies below another."""
    seen: dict[str, str] = {}
    for path in paths:
        folded = path.casefold()
        if folded in seen:
            raise Fault(f"{path!r} and {seen[folded]!r} are one name on some file systems")
        seen[folded] = path
    for folded, path in seen.items():
        above = folded
        while "/" in above:
            above = above.rpartition("/")[0]
            if above in seen:
                raise Fault(f"{path!r} lies below {seen[above]!r}, which is a file")
