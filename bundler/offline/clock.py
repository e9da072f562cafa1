"""What time it is on a host whose clock may be wrong: never before what it has proof of (FORMAT.md §10)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from bundler.core.times import read_time, write_time

if TYPE_CHECKING:
    from bundler.core.index import Index
    from bundler.signing.trustdoc import TrustDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The time to judge by, in UTC; `held_up_by` says what a clock that stands too early was raised to."""

    now: datetime
    held_up_by: str | None = None

    def not_before(self, moment: str, *, of: str) -> Clock:
        """Return the clock, at least at `moment` (`YYYY-MM-DDThh:mm:ssZ`), which is proved by `of`."""
        floor = read_time(moment)
        return Clock(now=floor, held_up_by=f"{of} ({moment})") if floor > self.now else self

    def not_before_making(self, index: Index, document: TrustDocument | None) -> Clock:
        """Return the clock, not before a verified bundle and the trust document that judged it were made."""
        clock = self.not_before(index.created, of="the making of this bundle")
        return (
            clock.not_before(document.created, of="the making of the trust document") if document else clock
        )

    def is_past(self, moment: str) -> bool:
        """Tell whether `moment` lies in the past."""
        return self.now > read_time(moment)

    def __str__(self) -> str:
        return write_time(self.now)


def system_clock() -> Clock:
    """Return what this machine's clock says."""
    return Clock(now=datetime.now(timezone.utc))
