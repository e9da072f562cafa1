"""`unpack --scan-cmd`: a site's own scanner reads a generation before it is installed (FORMAT.md §10).

The scanner is a judge and no cleaner: what it changed in place would be installed under a digest that nobody
signed, so any change of what it was shown is refused as well.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from bundler.core.durable import host_faults
from bundler.core.text import listed
from bundler.errors import PolicyFault, UsageFault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bundler.core.progress import Progress

PLACE: Final = "{}"  # what stands for the folder in a command
_LINE = 1000  # bytes of a line that are told as one: less than what a line of ours is cut at
_GRACE = 5.0  # seconds that a scanner has to end when the run is stopped
_LAST_WORDS = 1.0  # seconds to wait for what it said, where something that it left behind holds the pipe
_TICK = 0.05  # seconds in which a file system's clock moves on, so that a change has another time
_NOT_INSTALLED = "nothing was installed: read what it said (without --quiet), and follow the site's rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanCommand:
    """A command that exists, as it was typed, and in words."""

    text: str
    words: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> ScanCommand:
        """Split a command as a POSIX shell would, without running one; raises `UsageFault`.

        On Windows a backslash is a part of a path, and quotes only hold words together.
        """
        try:
            words = shlex.split(text, posix=os.name != "nt")
        except ValueError as error:
            raise UsageFault(
                f"--scan-cmd: {text!r}: {str(error).lower()}, expected a command",
                hint=f"quote it as a whole: --scan-cmd 'clamscan -r --no-summary {PLACE}'",
            ) from None
        if os.name == "nt":
            words = [one[1:-1] if one[:1] == one[-1:] == '"' and len(one) > 1 else one for one in words]
        if not words or not shutil.which(words[0]):
            raise UsageFault(
                f"--scan-cmd: {(words or [text])[0]!r}: no such program, expected one to scan with",
                hint="install it, or name it with its whole path",
            )
        return cls(text=text, words=tuple(words))

    def words_for(self, folder: Path) -> list[str]:
        """Return the words with the folder in its place, which is the end where the command has none."""
        words = self.words if any(PLACE in one for one in self.words) else (*self.words, PLACE)
        return [one.replace(PLACE, str(folder)) for one in words]


def scan(folder: Path, command: ScanCommand, *, record: Callable[[str], object], progress: Progress) -> None:
    """Run the command over `folder`, tell what it says, and `record` how it ended, for the log.

    Afterwards it ended with 0 and every file is what it was. Raises `PolicyFault` otherwise. The command ends
    with this run, whatever ends that.
    """
    progress.stage("scan", None)
    progress.note(f"scans with {command.text}")
    before = _snapshot(folder)
    time.sleep(_TICK)
    try:
        status, said = _run(command.words_for(folder), progress)
    except OSError as error:
        result, said = f"could not be started ({error.strerror or error})", ""
    else:
        result = _result(status)
    record(f"{command.text}: {result}")
    words = f"; it said last: {said}" if said else ""
    if result != _result(0):
        raise PolicyFault(
            f"--scan-cmd {command.text}: {result}, expected exit code 0{words}", hint=_NOT_INSTALLED
        )
    after = _snapshot(folder)
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    if changed:
        record(f"{command.text}: {result}, but it changed {changed[0]}")
        raise PolicyFault(
            f"--scan-cmd {command.text}: changed what it scanned, expected it to read only: "
            f"{listed(changed)}",
            hint="have it report only: no disinfection, no quarantine, no report in that folder; files that "
            "the active generation has too were changed there: uv-bundler doctor",
        )


def _snapshot(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return kind, mode, size, times and identity of all that lies in `folder`, and of the folder itself.

    Who writes to a file cannot set its time of change back, so contents need no second reading.
    """
    found: dict[str, tuple[int, ...]] = {}
    ahead = [folder]
    while ahead:
        path = ahead.pop()
        with host_faults(path), contextlib.suppress(FileNotFoundError):
            facts = path.lstat()
            found[str(path.relative_to(folder))] = (
                facts.st_mode,
                facts.st_size,
                facts.st_mtime_ns,
                facts.st_ctime_ns,
                facts.st_ino,
            )
            if path.is_dir() and not path.is_symlink():
                ahead += path.iterdir()
    return found


def _run(words: list[str], progress: Progress) -> tuple[int, str]:
    """Run the command to its end; return its status as `subprocess` has it, and the last line that it said.

    It has a session of its own: Ctrl-C reaches it through us, and what it started ends with it.
    """
    said: deque[str] = deque(maxlen=1)
    child = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=os.name != "nt",
    )
    teller = threading.Thread(target=_tell, args=(child.stdout, said, progress), daemon=True)
    try:
        teller.start()
        status = child.wait()
    except BaseException:
        _end(child)
        raise
    finally:
        if teller.ident is not None:  # it was started
            teller.join(_LAST_WORDS)
    return status, said[0] if said else ""


def _tell(stream: IO[bytes], said: deque[str], progress: Progress) -> None:
    with stream:
        while raw := stream.readline(_LINE):
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if line.strip():
                said.append(line)
                progress.note(f"scan: {line}")


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the command and what it started: with a word first, then without."""
    for gently in (True, False):
        if os.name == "nt":
            child.kill()
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGTERM if gently else signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE)
            return


def _result(status: int) -> str:
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"
