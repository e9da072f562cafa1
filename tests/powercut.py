"""Power cuts on real file systems: what is on a disk at every moment of a run, and whether a host can live with it.

A run works on a file system in an image file and is stopped after each system call that may change the disk.
What the image holds then is what a power cut would leave: whatever was not synced is only in the memory of the
kernel. The copies are mounted afterwards, judged, and the same command is run on them again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from cli import environment
from powercut_site import Site

_CALLS = (
    "fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat,symlink,symlinkat,link,linkat,unlink,unlinkat,rmdir,"
    "chmod,fchmod,fchmodat,ftruncate"
)
ENDED = "the end of the command"
_STRACE = (
    "strace", "-f", "-qq", "-y", "-s", "200", "-e", f"trace={_CALLS}", "-e", f"inject={_CALLS}:signal=SIGSTOP", "-o",
)  # fmt: skip
_STUCK = 60  # seconds without a further stop
MUTANT = Path(__file__).with_name("powercut_mutant.py")


@dataclass(frozen=True, kw_only=True)
class FileSystem:
    """A file system that forgets: nothing is written before somebody asks for it, or 15 minutes have passed."""

    name: str
    size: int  # MiB
    make: tuple[str, ...]
    options: str


FILE_SYSTEMS = (
    FileSystem(
        name="ext4", size=32, make=("-q", "-E", "lazy_itable_init=0,lazy_journal_init=0"),
        options="commit=900,noauto_da_alloc,data=writeback",
    ),
    FileSystem(name="xfs", size=300, make=("-q",), options="defaults"),
    FileSystem(name="btrfs", size=128, make=("-q",), options="commit=900"),
)  # fmt: skip


def missing(kind: FileSystem, *programs: str) -> str | None:
    """Return why power cuts cannot be played here, or None."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs Linux, and root to mount"
    for program in ("strace", f"mkfs.{kind.name}", *programs):
        if shutil.which(program) is None:
            return f"needs {program}"
    return None


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One moment of a run: the call that had just ended, and the disk as it was."""

    call: str
    disk: Path


class Disk:
    """An image with a file system, to be mounted at one place; a site is in it."""

    def __init__(self, folder: Path, kind: FileSystem, *, used: bool) -> None:
        self.folder, self.kind, self.at = folder, kind, folder / "disk"
        self.at.mkdir()
        self.start = folder / "start.img"
        with self.start.open("wb") as stream:
            stream.truncate(kind.size << 20)
        subprocess.run([f"mkfs.{kind.name}", *kind.make, self.start], check=True, capture_output=True)
        with self.mounted(self.start):
            self.site = Site(folder, self.at / "p", used=used)
        with self.mounted(self._copy(self.start, "done.img")):
            assert self.site.unpack(self.site.bundle).code == 0
            self.site.take_as_done()

    @contextlib.contextmanager
    def mounted(self, image: Path):
        """Mount an image for the block; never two at once: copies of a btrfs have the same identity."""
        subprocess.run(
            ["mount", "-t", self.kind.name, "-o", f"loop,{self.kind.options}", image, self.at],
            check=True, capture_output=True,
        )  # fmt: skip
        try:
            yield
        finally:
            for _ in range(50):
                if not subprocess.run(["umount", self.at], capture_output=True, check=False).returncode:
                    break
                time.sleep(0.1)
            else:
                subprocess.run(["umount", "-l", self.at], check=True)

    def cuts(self, start: Path, *, mistake: str | None = None, before: tuple[str, ...] = ()) -> list[Cut]:
        """Run the command on a copy of `start`; return all its moments, the last of them after its end."""
        program = (sys.executable, MUTANT, mistake) if mistake else (sys.executable, "-m", "bundler")
        words = [*before, *_STRACE, self.folder / "calls", *program, *self.site.words(self.site.bundle)]
        image, found = self._copy(start, "run.img"), []

        def keep(call):
            copy = self._copy(image, "moment.img")
            kept = self.folder / f"{_content(copy)}.img"
            copy.replace(kept)  # most calls change nothing on the disk: such moments share one copy
            found.append(Cut(call=call, disk=kept))

        with self.mounted(image):
            code = _run_in_steps(words, self.folder / "calls", keep)
            keep(ENDED)
        assert code == 0, code
        return found

    def judge(self, cuts: list[Cut]) -> list[tuple[Cut, str]]:
        """Return the moments that a host cannot live with, and why."""
        verdicts, bad = {}, []
        for cut in cuts:
            done = cut.call == ENDED
            if (cut.disk, done) not in verdicts:
                with self.mounted(self._copy(cut.disk, "judged.img")):
                    found = self.site.faults(done=done) + self.site.faults_after_rerun()
                verdicts[cut.disk, done] = "; ".join(found)
            if verdicts[cut.disk, done]:
                bad.append((cut, verdicts[cut.disk, done]))
        return bad

    def _copy(self, image: Path, name: str) -> Path:
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", image, self.folder / name], check=True)
        return self.folder / name


def _run_in_steps(words: list, log: Path, at_stop) -> int:
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


def _content(image: Path) -> str:
    """Return the digest of what an image holds; holes are passed over."""
    digest, place = hashlib.sha256(), 0
    with image.open("rb") as stream:
        while True:
            try:
                place = os.lseek(stream.fileno(), place, os.SEEK_DATA)
            except OSError:  # nothing but a hole is left
                return digest.hexdigest()[:32]
            end = os.lseek(stream.fileno(), place, os.SEEK_HOLE)
            stream.seek(place)
            digest.update(b"%d %d " % (place, end))
            while place < end:
                data = stream.read(min(1 << 20, end - place))
                digest.update(data)
                place += len(data)
