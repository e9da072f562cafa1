"""What a dry run can say of a delta: from the lock and the earlier indexes, before anything is fetched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundler.connected.deltaplan import DeltaPlan, plan_delta
from bundler.connected.estimate import Carried, exception
from bundler.core.index import Content

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bundler.connected.earlier import Earlier
    from bundler.connected.lock import Lock, LockedWheel
    from bundler.core.metadata import Row

_SERIES: Final = re.compile(r"^[a-z]+-(\d+\.\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a line of the plan ends with; nothing where the earlier bundles say nothing of it."""

    plan: DeltaPlan

    def row(self, row: Row) -> str:
        """Return the words on an archive."""
        if known := self._after(row.url):
            return known
        words = exception(row.url, row.platform)
        return f", {words}" if words else ""

    def wheel(self, one: LockedWheel) -> str:
        """Return the words on the programs of a wheel."""
        return self._after(_place(one))

    def known(self, path: str, series: str = "") -> str:
        """Say what earlier bundles have: it, one of its series (`3.13`), of another one, or nothing."""
        if path in self.plan.unchanged:
            return "unchanged"
        found = self.plan.references.get(path)
        if found is None:
            return ""
        return "against" if found.key is None or _SERIES.findall(found.key) == [series] else "other"

    def carried(self, lock: Lock) -> list[Carried]:
        """Return what of the lock is of known size, for an estimate."""
        rows = [(item.row, item.size) for item in lock.pythons] + [
            (item.row, item.size) for item in lock.builds
        ]
        return [
            *(
                Carried(
                    file=row.url,
                    size=size,
                    platform=row.platform,
                    series=f"{row.name}-{row.variant}-{row.version[:2]}",
                    known=self.known(row.url, ".".join(map(str, row.version[:2]))),
                )
                for row, size in rows
                if size is not None
            ),
            *(
                Carried(
                    file=one.wheel.file,
                    size=one.wheel.size,
                    platform=one.platform,
                    series=None,
                    known=self.known(_place(one)),
                )
                for one in lock.wheels
                if one.wheel.size is not None
            ),
        ]

    def _after(self, path: str) -> str:
        words = self.plan.words(path)
        return f", {words}" if words else ""


def words_of(lock: Lock, earlier: Sequence[Earlier]) -> Words:
    """Compare the lock with the earlier bundles; a wheel's programs are known by the name of the wheel."""
    rows = [item.row for item in lock.pythons] + [item.row for item in lock.builds]
    archives = [
        Content(path=row.url, size=0, sha256=row.sha256, role="archive", platform=row.platform, key=row.key)
        for row in rows
        if row.sha256
    ]
    programs = [_program(one, earlier) for one in lock.wheels]
    return Words(plan=plan_delta([*archives, *programs], earlier))


def _place(one: LockedWheel) -> str:
    return f"uv/{one.version}/{one.platform}/uv{'.exe' if one.platform.os == 'windows' else ''}"


def _program(one: LockedWheel, earlier: Sequence[Earlier]) -> Content:
    """Return uv itself, as far as it is known before its wheel is fetched."""
    known = {(other.origin, other.path): other.sha256 for each in earlier for other in each.index.artifacts}
    return Content(
        path=_place(one),
        size=0,
        sha256=known.get((one.wheel.file, _place(one)), one.wheel.sha256),
        role="uv",
        executable=True,
        platform=one.platform,
        uv=one.version,
    )
