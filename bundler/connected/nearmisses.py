"""What is nearest to a request that nothing matches: another patch, platform, variant or version of uv."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bundler.connected.pyrequest import version_order
from bundler.core.text import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bundler.connected.pyrequest import PythonRequest
    from bundler.core.metadata import Row
    from bundler.core.platforms import Platform

_MAX = 4  # of each kind in one hint


def near_misses(
    request: PythonRequest,
    platform: Platform,
    rows: Sequence[Row],
    elsewhere: Callable[[], Iterable[tuple[str, Sequence[Row]]]] = tuple,
) -> str:
    """Return one line that says what there is near `request` on `platform`, in `rows` and in other lists."""
    here = [row for row in rows if row.platform == platform]
    found = [
        _say(f"other versions for {platform}", _newest(_same_minor(request, here))),
        _say("other variants", sorted({_variant(row) for row in here if _but_for_variant(request, row)})),
        _say("on other platforms", sorted({str(row.platform) for row in rows if _anywhere(request, row)})),
        _say(
            "in the list of uv",
            [
                version
                for version, others in elsewhere()
                if any(row.platform == platform and _anywhere(request, row) for row in others)
            ],
        ),
    ]
    known = [line for line in found if line]
    if not known:
        names = sorted({f"{row.version[0]}.{row.version[1]}" for row in here if _same_name(request, row)})
        names.sort(key=lambda text: tuple(map(int, text.split("."))), reverse=True)
        known = [_say(f"minor versions for {platform}", names) or f"uv's list has nothing for {platform}"]
    return "near misses: " + "; ".join(known)


def _say(what: str, items: Iterable[str]) -> str:
    items = list(items)
    return f"{what}: {listed(items, most=_MAX)}" if items else ""


def _newest(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(row.version_text for row in sorted(rows, key=version_order, reverse=True)))


def _same_name(request: PythonRequest, row: Row) -> bool:
    return row.name == (request.implementation or "cpython") and row.variant == request.variant


def _same_minor(request: PythonRequest, rows: Iterable[Row]) -> Iterable[Row]:
    minor = request.release[:2]
    return (row for row in rows if minor and _same_name(request, row) and row.version[: len(minor)] == minor)


def _but_for_variant(request: PythonRequest, row: Row) -> bool:
    return replace(request, variant=row.variant).matches(row, prereleases=True)


def _variant(row: Row) -> str:
    return f"+{row.variant}" if row.variant else "the default build"


def _anywhere(request: PythonRequest, row: Row) -> bool:
    return replace(request, os="", arch="", libc="").matches(row, prereleases=True)
