"""What a receiver tells monitoring: a state for each bundle, and an exit code (FORMAT.md §17, "Diodes")."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from bundler.arriving.tally import NOTHING, Count, say_present
from bundler.core.durable import whole_file
from bundler.core.text import counted
from bundler.core.ticket import ranges_of, show_ranges
from bundler.core.times import write_time
from bundler.errors import DamagedFault, IncompleteFault, SignatureFault

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = "uv-bundler.receive.v1"
RECEIVING, RECOVERABLE, COMPLETE, STALE, UNTRUSTED = (
    "receiving",
    "recoverable",
    "complete",
    "stale",
    "untrusted",
)
MAX_NAMED = 100  # files of others that are named, so that they cannot make the document long


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleState:
    """One bundle; of one that nobody trusted has signed nothing is known but what its files claim.

    `beyond`: all volumes are there, and too many of their blocks are damaged. Times are in seconds of Unix.
    """

    state: str
    index_sha256: str
    name: str | None = None
    serial: int | None = None
    data: Count = NOTHING
    parity: Count = NOTHING
    files: int = 0
    size: int = 0
    beyond: bool = False
    first_seen: float | None = None
    last_arrival: float | None = None
    ticket: str | None = None
    folder: str | None = None
    unpack: str | None = None
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Write it for the document."""
        return {
            "name": self.name,
            "serial": self.serial,
            "index_sha256": self.index_sha256,
            "state": self.state,
            "volumes": _counted(self.data),
            "parity": _counted(self.parity),
            "send_only": only(self.data, self.parity) if self.state == RECEIVING else None,
            "ticket": self.ticket,
            "files": self.files,
            "bytes": self.size,
            "damaged_beyond_parity": self.beyond,
            "first_seen": _time(self.first_seen),
            "last_arrival": _time(self.last_arrival),
            "folder": self.folder,
            "unpack": self.unpack,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is known after one look: bundles, files that still grow, and files that nobody can read."""

    bundles: tuple[BundleState, ...] = ()
    growing: tuple[Path, ...] = ()
    unreadable: tuple[tuple[Path, str], ...] = ()

    @property
    def exit_code(self) -> int:
        """5: damage that only the sender can mend; 4: something is incomplete; 3: untrusted files; or 0."""
        if self.unreadable or any(one.beyond for one in self.bundles):
            return DamagedFault.exit_code
        if self.growing or any(one.state == RECEIVING for one in self.bundles):
            return IncompleteFault.exit_code
        if any(one.state == UNTRUSTED for one in self.bundles):
            return SignatureFault.exit_code
        return 0

    def to_json(self, *, watch: Path, spool: Path, moment: datetime) -> str:
        """Write the document."""
        document = {
            "format": FORMAT,
            "time": write_time(moment),
            "watch": str(watch),
            "spool": str(spool),
            "exit_code": self.exit_code,
            "bundles": [one.to_dict() for one in self.bundles],
            "growing": [one.name for one in self.growing[:MAX_NAMED]],
            "unreadable": [
                {"file": path.name, "reason": reason} for path, reason in self.unreadable[:MAX_NAMED]
            ],
        }
        return json.dumps(document, indent=1) + "\n"


def only(data: Count, parity: Count) -> str:
    """Return the volumes that are not there, or not right, as `send --only` takes them: `7,31-33,p2`."""
    said = [
        mark + part
        for mark, count in (("", data), ("p", parity))
        for part in show_ranges(ranges_of(sorted({*count.missing, *count.damaged}))).split(",")
        if part
    ]
    return ",".join(said)


def describe(report: Report) -> list[str]:
    """Return a line for each thing that is not as it should be, for people."""
    lines = [_line(one) for one in report.bundles if one.state in (RECEIVING, UNTRUSTED)]
    lines += [f"{path}: still growing, or cut off" for path in report.growing[:MAX_NAMED]]
    lines += [f"{path}: left alone: {reason}" for path, reason in report.unreadable[:MAX_NAMED]]
    return lines


def _line(one: BundleState) -> str:
    if one.state == UNTRUSTED:
        return f"{counted(one.files, 'file')} of a bundle that is not trusted, left alone: {one.reason}"
    ask = f"; read out to the sender: {one.ticket}" if one.ticket else ""
    return f"{one.name}-{one.serial}: incomplete: {say_present(one.data, one.parity)}{ask}"


def write_status(path: Path, text: str) -> None:
    """Replace the status file; whoever reads it finds the old one or the new one. Raises `HostFault`."""
    with whole_file(path) as out:
        out.write(text.encode())


def _counted(count: Count) -> dict[str, Any]:
    return {
        "total": count.total,
        "present": count.present,
        "missing": list(count.missing),
        "damaged": list(count.damaged),
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else write_time(datetime.fromtimestamp(max(0, seconds), tz=timezone.utc))
