"""The label of a bundle: its name, its serial and its times, as the index says them (FORMAT.md §3)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from bundler.core.times import write_time
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from bundler.core.platforms import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What the index says of the bundle beside its content."""

    name: str
    release: str
    serial: int
    created: str
    expires: str | None
    uv: tuple[str, ...]
    platforms: tuple[Platform, ...]


def packing_time() -> datetime:
    """Return the time that a bundle is labelled with: `SOURCE_DATE_EPOCH` where it is set, else now, in UTC.

    https://reproducible-builds.org/specs/source-date-epoch/; raises `UsageFault` where it is no number.
    """
    named = os.environ.get("SOURCE_DATE_EPOCH")
    if named is None:
        return datetime.now(timezone.utc)
    if not named.isdecimal() or len(named) > 11:
        raise UsageFault(
            f"SOURCE_DATE_EPOCH: expected seconds since 1970, found {named!r}", hint="unset it, or correct it"
        )
    return datetime.fromtimestamp(int(named), timezone.utc)


def label(
    *,
    name: str,
    release: str,
    serial: int | None,
    valid_days: int | None,
    uv: tuple[str, ...],
    platforms: tuple[Platform, ...],
    now: datetime,
) -> Label:
    """Return the label; a serial that the manifest leaves open is the time, `YYYYMMDDhhmmss`.

    The bundle expires `valid_days` after `now`, or never.
    """
    return Label(
        name=name,
        release=release,
        serial=serial_of(serial, now),
        created=write_time(now),
        expires=write_time(now + timedelta(days=valid_days)) if valid_days else None,
        uv=uv,
        platforms=platforms,
    )


def serial_of(serial: int | None, now: datetime) -> int:
    """Return the serial that a bundle packed now gets."""
    return serial if serial is not None else int(now.strftime("%Y%m%d%H%M%S"))
