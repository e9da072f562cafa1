"""How long a fetch waits, how often it tries again, and how much it takes."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})  # RFC 9110 and RFC 6585: may go well later


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Limits of one fetch; times in seconds, sizes in bytes."""

    attempts: int = 5  # in a row without progress
    first_wait: float = 0.5
    longest_wait: float = 30.0
    longest_asked_wait: float = 120.0  # a server that asks for more (Retry-After) counts as failed
    connect_timeout: float = 15.0
    stall_timeout: float = 30.0  # without a single byte
    slow_window: float = 60.0  # in which at least `slow_bytes` must arrive
    slow_bytes: int = 16 << 10
    progress_bytes: int = 256 << 10  # an attempt that brings that much was not in vain
    largest: int = 4 << 30  # of a file whose size nobody has told; the largest Python archive has 0.2 GiB

    def wait_after(self, failures: int, retry_after: str | None = None) -> float | None:
        """Return the seconds to wait after failure 1, 2, …; None where the server asks for too long."""
        if retry_after is not None and (asked := _seconds(retry_after)) is not None:
            return asked if asked <= self.longest_asked_wait else None
        longest = min(self.longest_wait, self.first_wait * 2.0 ** (failures - 1))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards nothing


def _seconds(text: str) -> float | None:
    """Read a Retry-After field (RFC 9110, 10.2.3): seconds or a date; None for anything else."""
    if text.strip().isdecimal():
        return float(text[:12])
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=timezone.utc)
    return max(0.0, (date - datetime.now(timezone.utc)).total_seconds())
