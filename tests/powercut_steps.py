"""A program that stops after each system call that may change a disk, by strace.

`strace` sends SIGSTOP, which stops all threads once the call is done. A SIGKILL at a call would need one run for
each call, and closes the files of the program, which a power cut does not.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from cli import environment

if TYPE_CHECKING:
    from pathlib import Path

_CALLS = (
    "fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat,symlink,symlinkat,link,linkat,unlink,unlinkat,rmdir,"
    "chmod,fchmod,fchmodat,ftruncate"
)
_STUCK = 60  # seconds without a further stop


def step_by_step(log: Path) -> tuple[object, ...]:
    """Return the words to put before a program's own, for `run_in_steps` with the same log."""
    return ("strace", "-f", "-qq", "-y", "-s", "200", "-e", f"trace={_CALLS}", "-e", f"inject={_CALLS}:signal=SIGSTOP", "-o", log)  # fmt: skip


def run_in_steps(words: list, log: Path, at_stop) -> int:
    """Run a program that stops after each of `_CALLS`; call `at_stop` while all its threads stand still."""
    log.write_bytes(b"")
    steps, last = _Steps(log), time.monotonic()
    program = subprocess.Popen(
        [*map(str, words)], env=environment(PYTHONDONTWRITEBYTECODE="1"), stdout=subprocess.DEVNULL
    )
    try:
        while program.poll() is None:
            news = steps.read()
            if steps.all_stopped():
                at_stop(steps.call)
                last = time.monotonic()
                steps.go_on()
            assert time.monotonic() < last + _STUCK, f"stuck after {steps.call}"
            if not news:
                time.sleep(0.0005)
    finally:
        if program.poll() is None:
            if steps.program:
                os.kill(steps.program, signal.SIGKILL)
            program.kill()
            program.wait()
    return program.returncode


class _Steps:
    """What strace writes of a program: which of its threads stand still, and after which call."""

    def __init__(self, log: Path) -> None:
        self.program = 0  # its process id, which is its first thread
        self.call = ""
        self._log, self._read, self._rest = log, 0, ""
        self._last_call, self._stopped = {}, set()

    def read(self) -> bool:
        """Take in what is new, if there is something."""
        with self._log.open() as stream:
            stream.seek(self._read)
            new = stream.read()
            self._read = stream.tell()
        *lines, self._rest = (self._rest + new).split("\n")
        for line in lines:
            thread, said = line.split(maxsplit=1)
            self.program = self.program or int(thread)
            if said.startswith("--- SIGSTOP"):
                self.call = self._last_call.get(thread, "")
            elif said.startswith("--- stopped by SIGSTOP"):
                self._stopped.add(thread)
            elif not said.startswith(("---", "<...")):
                self._last_call[thread] = said
        return bool(lines)

    def all_stopped(self) -> bool:
        """Say whether no thread runs."""
        return bool(self._stopped) and self._stopped >= set(os.listdir(f"/proc/{self.program}/task"))

    def go_on(self) -> None:
        """Let the program run to its next stop."""
        self._stopped.clear()
        os.kill(self.program, signal.SIGCONT)
