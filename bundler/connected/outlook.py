"""What a lock has and what `pack` would carry of it, in lines for people; nothing is fetched for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundler.connected.estimate import estimate
from bundler.core.text import counted, size

if TYPE_CHECKING:
    from collections.abc import Callable

    from bundler.connected.deltalock import Words
    from bundler.connected.lock import Lock
    from bundler.core.metadata import Row
    from bundler.volumes.choosecut import Wished


def in_one_line(lock: Lock) -> str:
    """Return what a lock has: versions of uv, interpreters, platforms, and the bytes of the interpreters."""
    sizes = [item.size for item in lock.pythons] + [item.size for item in lock.builds]
    known = [one for one in sizes if one is not None]
    total = [size(sum(known))] if known else []
    if None in sizes:
        total.append(f"{sizes.count(None)} of unknown size")
    return (
        f"uv {', '.join(lock.uv)}; {counted(len(sizes), 'interpreter')} for "
        f"{counted(len(lock.platforms), 'platform')}, {', '.join(total)}"
    )


def planned(lock: Lock, words: Words, *, level: str | None, wished: Wished) -> list[str]:
    """Return a line for each file, then the totals: before compression, in the bundle, and how it is cut.

    Without a level everything is carried as it is, and no line says so of an archive.
    """
    wheels = [
        (f"uv {one.version} for {one.platform}{words.wheel(one)}", one.wheel.size) for one in lock.wheels
    ]
    of_row: Callable[[Row], str] = words.row if level else lambda _: ""
    pythons = [(f"{item.row.key}{of_row(item.row)}", item.size) for item in lock.pythons]
    builds = [
        (f"{item.row.key} (own build, {item.source}){of_row(item.row)}", item.size) for item in lock.builds
    ]
    everything = [*pythons, *builds, *wheels]
    lines = [f"{size(count) if count is not None else 'unknown':>11}  {what}" for what, count in everything]
    known = sum(count or 0 for _, count in everything)
    unknown = [count for _, count in everything].count(None)
    left = f", and {counted(unknown, 'file')} of unknown size" if unknown else ""
    lines.append(f"{size(known):>11}  in all before compression{left}")
    expected = estimate(words.carried(lock), level=level)
    without = " without those" if unknown else ""
    much = size(expected) if expected else "little"  # an index travels even where all is unchanged
    how = f"--level {level}" if level else "--plain"
    lines.append(f"{much:>11}  in the bundle with {how}, estimated{without}")
    if wished:
        lines.append(f"{'':>11}  in {wished.outlook(expected)}")
    return lines
