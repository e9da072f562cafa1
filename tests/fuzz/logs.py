"""The audit log: whatever a crash left at its end, the next line ties on, and no later change goes unseen."""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING

from auditlogs import EVENTS, add, log_of

from bundler.core.fault import Fault
from bundler.offline.auditlog import Chain, End, Entry, end_of

from .mutators import byte_level, json_level

if TYPE_CHECKING:
    import random

CHAIN = "?"  # as `previous` of a line in an input: put the right number and digest there


def check_log(data: bytes) -> bool:
    """A log is refused with a `Fault`, or its end is what two readers see, and every bit of it counts."""
    log = _chained(data)
    try:
        lines, chain = _follow(log)
    except Fault:
        return False
    entries = [line for line in lines if isinstance(line, Entry)]
    assert len(lines) == len(log.split(b"\n")) - (not log or log.endswith(b"\n"))
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    assert all(0x20 <= byte < 0x7F for entry in entries for byte in entry.raw)
    assert end_of(log, complete=True) == End(number=len(entries), head=chain.head)
    longer, _ = _follow(add(log, EVENTS[0]))
    assert longer[: len(lines)] == lines
    assert isinstance(longer[-1], Entry)
    at = int.from_bytes(hashlib.sha256(log).digest(), "big") % (len(log) or 1)
    for changed in (log[:at] + bytes([log[at] ^ 1 << at % 8]) + log[at + 1 :], log[:at]) if log else ():
        assert changed == log[:-1] or _head(changed) != chain.head
    return True


def _follow(log: bytes) -> tuple[list[object], Chain]:
    chain = Chain()
    return list(chain.follow(io.BytesIO(log))), chain


def _head(log: bytes) -> str | None:
    try:
        return _follow(log)[1].head
    except Fault:
        return None


def _chained(data: bytes) -> bytes:
    """Tie the lines on that ask for it."""
    log = b""
    for line in data.splitlines(keepends=True):
        try:
            facts = json.loads(line)
        except (ValueError, RecursionError):
            facts = None
        if isinstance(facts, dict) and facts.get("previous") == CHAIN:
            end = end_of(log, complete=True)
            tied = facts | {"number": end.number + 1, "previous": end.head} if end else facts
            log += json.dumps(tied).encode() + line[len(line.rstrip(b"\r\n")) :]
        else:
            log += line
    return log


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Change, drop, double or swap lines, or cut one off."""
    lines = data.splitlines(keepends=True) or [b""]
    at, kind = rng.randrange(len(lines)), rng.randrange(6)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(rng.randint(0, len(lines)), lines[at])
    elif kind == 2:
        lines[at] = lines[at][: rng.randint(0, len(lines[at]))]
    elif kind == 3:
        lines[at] = byte_level(lines[at], rng)
    else:
        lines[at] = json_level(lines[at], rng) + b"\n"
    return b"".join(lines)


def samples() -> dict[str, bytes]:
    """Return logs."""
    whole = log_of(*EVENTS)
    lines = whole.splitlines(keepends=True)
    free = b"".join(json.dumps(json.loads(line) | {"previous": CHAIN}).encode() + b"\n" for line in lines)
    return {
        "ok-whole": whole,
        "ok-free": free,
        "ok-empty": b"",
        "ok-stump": add(log_of(*EVENTS[:2])[:-100], EVENTS[3]),
        "ok-blank": free.replace(b"\n", b"\n\n", 1),
        "ok-cut": free[:-50],
        "no-first": b"".join(lines[1:]),
        "no-middle": lines[0] + b"".join(lines[2:]),
        "no-order": lines[1] + lines[0],
        "no-changed": whole.replace(b'"exit_code": 0', b'"exit_code": 1', 1),
        "no-time": free.replace(b"2026-11-20T", b"2026-13-20T", 1),
    }
