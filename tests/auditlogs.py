"""Audit logs for tests: lines as an unpack writes them, chained, as bytes."""

import hashlib
import io

from bundler.core.fault import Fault
from bundler.offline.auditlog import Chain, Entry, end_of, write_line

BASE = {
    "time": "2026-11-20T20:48:40Z", "user": "root", "uid": 0, "host": "plant7", "tool": "uv-bundler 1", "command": "uv-bundler unpack q4.uvb",
}  # fmt: skip
BUNDLE = {
    "name": "plant-7", "release": "2026Q4", "serial": 2, "index_sha256": "a1" * 32, "file": "/media/usb/q4.uvb",
}  # fmt: skip
EVENTS = (
    {"event": "unpack", "outcome": "begun", "bundle": BUNDLE, "serial_before": 1},
    {"event": "unpack", "outcome": "done", "exit_code": 0, "bundle": BUNDLE, "serial_before": 1, "serial_after": 2,
     "signers": [{"name": "anna", "fingerprint": "SHA256:x"}], "generation_before": 3, "generation_after": 4},
    {"event": "unpack", "outcome": "refused", "exit_code": 8, "message": "q3.uvb: serial is 1, expected at least 2"},
    {"event": "rollback", "outcome": "done", "exit_code": 0, "generation_before": 4, "generation_after": 3, "reason": "no uv"},
)  # fmt: skip


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def add(log, event):
    """Return the log with one more line, as `Log.append` would write it."""
    end = end_of(log, complete=True)
    line = write_line({**BASE, **event}, number=end.number + 1, previous=end.head)
    return log + line if not log or log.endswith(b"\n") else log + b"\n" + line


def log_of(*events):
    log = b""
    for event in events:
        log = add(log, event)
    return log


def follow(log):
    """Return the lines of an intact log, and the chain at its end."""
    chain = Chain()
    return list(chain.follow(io.BytesIO(log))), chain


def verdict(log):
    """Return the message about a broken log, or the head of an intact one."""
    try:
        return follow(log)[1].head
    except Fault as fault:
        return str(fault)


def facts(log):
    """Return what the entries say, without what they leave out."""
    return [
        {key: value for key, value in line.facts.items() if value is not None}
        for line in follow(log)[0]
        if isinstance(line, Entry)
    ]
