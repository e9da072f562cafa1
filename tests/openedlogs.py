"""Audit logs as files, written by the code that writes real ones."""

from datetime import datetime, timezone

from bundler.offline.actor import Actor
from bundler.offline.audit import Log
from bundler.offline.auditread import opened, verify_log

ROOT = Actor(user="root", uid=0, sudo_user="alice", host="plant7")


def log_in(folder):
    """Return a log of a known person at a known time, that is not there yet."""
    return Log(
        folder / "log.jsonl", who=ROOT, command="uv-bundler unpack q4.uvb",
        now=lambda: datetime(2026, 11, 20, 20, 48, 40, 999, tzinfo=timezone.utc),
    )  # fmt: skip


def verified(path, **options):
    with opened(path) as stream:
        return verify_log(stream, path, **options)
