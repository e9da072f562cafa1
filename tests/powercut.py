"""Power cuts on real file systems: what is on a disk at every moment of a run, and whether a host can live with it.

A run works on a file system in an image file and is stopped after each system call that may change the disk.
What the image holds then is what a power cut would leave: whatever was not synced is only in the memory of the
kernel. The copies are mounted afterwards, judged, and the same command is run on them again.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from powercut_site import Site
from powercut_steps import run_in_steps, step_by_step

ENDED = "the end of the command"
_NEW_MOUNTS = 0x20000  # CLONE_NEWNS
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
        _said(f"mkfs.{kind.name}", *kind.make, self.start)
        with self.mounted(self.start):
            self.site = Site(folder, self.at / "p", used=used)
        with self.mounted(self._copy(self.start, "done.img")):
            assert self.site.unpack(self.site.bundle).code == 0
            self.site.take_as_done()

    @contextlib.contextmanager
    def mounted(self, image: Path):
        """Mount an image for the block; never two at once: copies of a file system have the same identity."""
        device = _said("losetup", "--find", "--show", image)
        try:
            _said("mount", "-t", self.kind.name, "-o", self.kind.options, device, self.at)
            try:
                yield
            finally:
                _said("umount", self.at)
        finally:
            _said("losetup", "--detach", device)
            self._wait_for_release(device)

    def _wait_for_release(self, device: str) -> None:
        """Return when nothing of a file system is left in memory: the next one would be seen through it."""
        holds = Path("/sys/block", Path(device).name, "loop", "backing_file")
        for _ in range(1000):
            try:
                if not holds.read_text().startswith(str(self.folder)):
                    return
            except OSError:
                return
            time.sleep(0.01)
        raise AssertionError(f"{device} is still in use")

    def cuts(self, start: Path, *, mistake: str | None = None, before: tuple[str, ...] = ()) -> list[Cut]:
        """Run the command on a copy of `start`; return all its moments, the last of them after its end."""
        program = (sys.executable, MUTANT, mistake) if mistake else (sys.executable, "-m", "bundler")
        words = [*before, *step_by_step(self.folder / "calls"), *program, *self.site.words(self.site.bundle)]
        image, found = self._copy(start, "run.img"), []

        def keep(call):
            copy = self._copy(image, "moment.img")
            kept = self.folder / f"{_content(copy)}.img"
            copy.replace(kept)  # most calls change nothing on the disk: such moments share one copy
            found.append(Cut(call=call, disk=kept))

        with self.mounted(image):
            code = run_in_steps(words, self.folder / "calls", keep)
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
        _said("cp", "--sparse=always", "--reflink=auto", image, self.folder / name)
        return self.folder / name


def _said(*words: object) -> str:
    """Run a program and return what it printed."""
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextlib.contextmanager
def own_mounts():
    """Keep the mounts of the block to this process and its children.

    Whoever starts a process with a mount namespace of its own, as `unshare` does, takes all mounts along and
    keeps them mounted: an image would be seen through what is still in memory of its file system.
    """
    libc, here = ctypes.CDLL(None, use_errno=True), Path.cwd()
    with Path("/proc/thread-self/ns/mnt").open("rb") as before:
        if libc.unshare(_NEW_MOUNTS):
            raise OSError(ctypes.get_errno(), "unshare")
        try:
            _said("mount", "--make-rprivate", "/")
            yield
        finally:
            if libc.setns(before.fileno(), _NEW_MOUNTS):
                raise OSError(ctypes.get_errno(), "setns")
            os.chdir(here)


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
