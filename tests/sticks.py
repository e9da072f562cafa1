"""Drives made of image files and mounted for real, for tests; each skips where a tool, root or the kernel is missing."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

MIB = 1 << 20
_MAKE = {
    "FAT": ("mkfs.vfat", "-F", "32"),
    "exFAT": ("mkfs.exfat",),
    "NTFS": ("mkntfs", "-F", "-q"),
    "ext4": ("mkfs.ext4", "-q", "-F"),
}
_CHECK = {"FAT": ("fsck.vfat", "-n"), "exFAT": ("fsck.exfat", "-n"), "ext4": ("e2fsck", "-fp")}
KINDS = tuple(_MAKE)


@dataclass(frozen=True)
class Stick:
    """A mounted drive: its kind, the image (or disk) it is made of, and the folder where it is mounted."""

    kind: str
    image: Path
    folder: Path

    def snapshot(self, target: Path) -> Path:
        """Return a copy of what the medium holds at this moment, as if it were pulled out now."""
        shutil.copyfile(self.image, target)
        return target


def need(*tools: str) -> None:
    """Skip where this is no Linux with root, or a tool is missing."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs root on Linux, to mount")
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}, which is not installed")


def run(*words: object) -> None:
    """Run a tool that prepares the test; skip where it is not allowed to do that here."""
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{words[0]} does not work here: {(done.stderr or done.stdout).strip()}")


def make_image(kind: str, image: Path, *, size: int = 48 * MIB) -> Path:
    """Make an empty file system in a sparse file."""
    need(_MAKE[kind][0])
    with image.open("wb") as stream:
        stream.truncate(size)
    run(*_MAKE[kind], image)
    return image


def format_disk(kind: str, device: Path) -> None:
    """Make an empty file system on a device."""
    need(_MAKE[kind][0])
    run(*_MAKE[kind], device)


@contextlib.contextmanager
def plugged(kind: str, image: Path, folder: Path, *, options: str = "rw"):
    """Mount an image; the drive is pulled out in the end."""
    folder.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        if kind == "FAT":
            need("fusefat")
            run("fusefat", "-o", "rw+" if options == "rw" else options, image, folder)
        else:
            device = stack.enter_context(loop(image))
            if kind == "ext4":
                run("mount", "-t", "ext4", "-o", options, device, folder)
            else:
                tool = {"exFAT": "mount.exfat-fuse", "NTFS": "ntfs-3g"}[kind]
                need(tool)
                run(tool, "-o", options, device, folder)
        if not folder.is_mount():
            pytest.skip(f"a {kind} image cannot be mounted here")
        stack.callback(unmount, folder)
        yield Stick(kind, image, folder)


@contextlib.contextmanager
def loop(image: Path):
    """Make a block device of a file."""
    need("losetup")
    done = subprocess.run(["losetup", "-f", "--show", image], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs a loop device: {done.stderr.strip()}")
    device = Path(done.stdout.strip())
    try:
        yield device
    finally:
        subprocess.run(["losetup", "-d", device], check=False)


@contextlib.contextmanager
def memory(folder: Path, *, options: str):
    """Mount a tmpfs."""
    need("mount")
    folder.mkdir(exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", options, "none", folder)
    try:
        yield folder
    finally:
        unmount(folder)


def resize(disk: Path, **options: object) -> None:
    """Give a tmpfs other limits, such as `size` and `nr_inodes`."""
    words = ",".join(f"{name}={value}" for name, value in options.items())
    subprocess.run(["mount", "-o", f"remount,{words}", disk], check=True)


def unmount(folder: Path) -> None:
    """Unmount, at last even where something is still open."""
    for words in (["umount", folder], ["umount", "-l", folder]):
        if subprocess.run(words, capture_output=True, check=False).returncode == 0:
            return


@contextlib.contextmanager
def lying_disk(folder: Path, *, claimed: int, kept: int, mode: str):
    """Return the device of a disk that claims more than it keeps (`fusedisk`)."""
    need("losetup")
    folder.mkdir()
    server = Path(__file__).with_name("fusedisk.py")
    with subprocess.Popen([sys.executable, server, folder, str(claimed), str(kept), mode]) as process:
        try:
            for _ in range(100):
                if (folder / "disk").exists():
                    break
                if process.poll() is not None:
                    pytest.skip("needs /dev/fuse")
                time.sleep(0.02)
            with loop(folder / "disk") as device:
                yield device
        finally:
            unmount(folder)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def check_image(kind: str, image: Path) -> None:
    """Let the file system's own tool check an image, where there is one."""
    if kind in _CHECK and shutil.which(_CHECK[kind][0]):
        done = subprocess.run([*_CHECK[kind], image], capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stdout + done.stderr
