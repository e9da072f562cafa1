"""The audit log on disk: each event appended with one write and one sync, never changed (FORMAT.md §10)."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from bundler import __version__
from bundler.core.durable import host_faults, sync_folder, write_all
from bundler.core.times import write_time
from bundler.errors import BundlerError, DamagedFault, HostFault
from bundler.offline.auditlog import End, end_of, write_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from bundler.core.index import Index
    from bundler.offline.actor import Actor
    from bundler.signing.judging import Signer

_TAIL = 1 << 20  # bytes at the end in which the last entry must lie: 16 of the longest lines
_REFUSED = (3, 4, 5, 8)  # exit codes of what was looked at and not accepted; others are failures
_MODE = 0o644
_NO_LOG = (
    "name the log itself; what lies in the place of a prefix's log, move away: the next run begins a new one"
)


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True, slots=True)
class Log:
    """The audit log of a prefix, to append to; the caller holds the prefix's lock."""

    path: Path
    who: Actor = field(kw_only=True)
    command: str = field(kw_only=True)
    now: Callable[[], datetime] = field(kw_only=True, default=_now)

    def append(self, event: str, outcome: str, **facts: Any) -> None:
        """Write one line; it is durable afterwards, and so is the file's name.

        Facts that are None are left out. Raises `HostFault` where the line cannot be written; then a stump
        may be left, and the next line ties on to it. Raises `DamagedFault` where it finds no end to tie to.
        """
        with host_faults(self.path):
            handle = open_log(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
            try:
                size = os.fstat(handle).st_size
                if not size:
                    if hasattr(os, "fchmod"):
                        os.fchmod(handle, _MODE)
                    sync_folder(self.path.parent)
                tail = _read_tail(handle, size)
                line = self._line(self._end(tail, size), {**facts, "event": event, "outcome": outcome})
                write_all(handle, line if not tail or tail.endswith(b"\n") else b"\n" + line)
                os.fsync(handle)
            finally:
                os.close(handle)

    def _end(self, tail: bytes, size: int) -> End:
        end = end_of(tail, complete=len(tail) == size)
        if end is None:
            raise DamagedFault(
                f"{self.path}: the last {_TAIL} bytes hold no whole line, expected an audit log",
                hint=f"keep it for whoever looks into this, and go on with a new one: mv {self.path} …",
            )
        return end

    def _line(self, end: End, facts: dict[str, Any]) -> bytes:
        who = self.who
        about = {
            "time": write_time(self.now()),
            "user": who.user,
            "uid": who.uid,
            "sudo_user": who.sudo_user,
            "host": who.host,
            "tool": f"uv-bundler {__version__}",
            "command": self.command,
        }
        return write_line({**about, **facts}, number=end.number + 1, previous=end.head)

    @contextlib.contextmanager
    def recording(self, event: str, **facts: Any) -> Iterator[Recording]:
        """Write down how the block ends: `done`, what it set as `outcome`, `refused` or `failed`.

        An error is told with its exit code and message and goes on, whether or not the log can take that
        line. Where the log cannot take the line of a good end, that is raised.
        """
        recording = Recording(self, event, facts)
        try:
            yield recording
        except BaseException as error:
            code, message = _how_it_ended(error)
            outcome = "refused" if code in _REFUSED else "failed"
            with contextlib.suppress(Exception):  # the error of the block is the one to tell
                recording.write(outcome, exit_code=code, message=message)
            raise
        recording.write(recording.outcome, exit_code=0)


class Recording:
    """One event under way: what is known of it so far, and how it ends if it ends well."""

    def __init__(self, log: Log, event: str, facts: dict[str, Any]) -> None:
        self.outcome = "done"
        self._log, self._event, self._facts = log, event, dict(facts)

    def facts(self, **facts: Any) -> None:
        """Add to what the lines from now on say."""
        self._facts.update(facts)

    def begin(self) -> None:
        """Write down that it begins, before anything is changed."""
        self.write("begun")

    def write(self, outcome: str, **facts: Any) -> None:
        """Write a line with all that is known."""
        self._log.append(self._event, outcome, **{**self._facts, **facts})


def _how_it_ended(error: BaseException) -> tuple[int, str]:
    """Return exit code and message as the command layer will have them."""
    if isinstance(error, BundlerError):
        return error.exit_code, error.message
    if isinstance(error, KeyboardInterrupt):
        return 130, "stopped by Ctrl-C"
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 1
        return code, f"stopped by signal {code - 128}" if code > 128 else "stopped"
    return HostFault.exit_code if isinstance(error, OSError) else 1, f"{type(error).__name__}: {error}"


def bundle_facts(index: Index, *, index_sha256: str, file: str) -> dict[str, Any]:
    """Return what the log says of a bundle, as the fact `bundle`."""
    return {
        "name": index.name,
        "release": index.release,
        "serial": index.serial,
        "index_sha256": index_sha256,
        "file": file,
    }


def signer_facts(signers: Sequence[Signer]) -> list[dict[str, str]]:
    """Return what the log says of those who signed, as the fact `signers`."""
    return [{"name": one.principal, "fingerprint": one.fingerprint} for one in signers]


def open_log(path: Path, flags: int) -> int:
    """Open a log, which must be a file of its own; raises `HostFault`, or `FileNotFoundError`."""
    if path.is_symlink():
        raise HostFault(f"{path}: is a symbolic link, expected an audit log", hint=_NO_LOG)
    if path.is_dir():
        raise HostFault(f"{path}: is no regular file, expected an audit log", hint=_NO_LOG)
    extra = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
    handle = os.open(path, flags | extra, _MODE)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise HostFault(f"{path}: is no regular file, expected an audit log", hint=_NO_LOG)
    return handle


def _read_tail(handle: int, size: int) -> bytes:
    os.lseek(handle, max(0, size - _TAIL), os.SEEK_SET)
    tail = bytearray()
    while data := os.read(handle, _TAIL):
        tail += data
    return bytes(tail)
