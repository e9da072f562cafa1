"""Times as the format's documents write them: UTC to the second, in one form (FORMAT.md, "Index").

Two such texts compare as the times do.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone

from bundler.core.fault import Fault

_FORM = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z")


def read_time(text: str) -> datetime:
    """Return the time that `YYYY-MM-DDThh:mm:ssZ` names; raises `Fault` where there is none such."""
    found = _FORM.fullmatch(text)
    try:
        if found:
            year, month, day, hour, minute, second = map(int, found.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    except ValueError:
        pass  # a month 13, a 30 February, a second 60
    raise Fault(f"expected a UTC time, YYYY-MM-DDThh:mm:ssZ, found {text[:60]!r}")


def utc_time(text: str) -> str:
    """Return `text` where it is such a time: the parser of a field that stays text."""
    read_time(text)
    return text


def write_time(moment: datetime) -> str:
    """Write a time, which knows its zone, to the second."""
    return moment.astimezone(timezone.utc).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
