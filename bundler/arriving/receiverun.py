"""Look once, as a timer does, or again and again: how often a receiver looks, and what stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundler.core.text import counted, duration
from bundler.errors import HostFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from bundler.arriving.receivestatus import Report
    from bundler.arriving.receiving import Receiver


def look_once(
    receiver: Receiver,
    *,
    settle: int,
    poll: float,
    sleep: Callable[[float], object],
    note: Callable[[str], object],
) -> Report:
    """Look until every file has come to rest, or has had the time for it, and return the last report.

    Where nothing arrived that is one look; `note` is given a line about the wait. Raises `HostFault`.
    """
    report = receiver.poll()
    for done in range(settle):
        if not receiver.moving:
            break
        if not done:
            note(
                "waiting: what arrived may still grow: it is looked at again up to "
                f"{counted(settle, 'time')}, {duration(poll)} apart"
            )
        sleep(poll)
        report = receiver.poll()
    return report


def look_on(
    receiver: Receiver,
    *,
    poll: float,
    sleep: Callable[[float], object],
    tell: Callable[[Report], object],
    complain: Callable[[HostFault], object],
) -> None:
    """Look for ever; `tell` is given each report. What ends it is an exception, such as a signal makes.

    A host that cannot work from the beginning raises `HostFault`. Later that may pass, such as a full disk or
    a share that is away: it is told, once until something changes, and tried again.
    """
    complaint: str | None = None
    first = True
    while True:
        try:
            tell(receiver.poll())
            complaint = None
        except HostFault as fault:
            if first:
                raise
            if fault.message != complaint:
                complaint = fault.message
                complain(fault)
        first = False
        sleep(poll)
