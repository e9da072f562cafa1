"""Room that ends somewhere: bytes, inodes and the largest file, at every step of a ladder (slow)."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest
from cli import Done, command, environment
from faulthost import BLIND, UMASK, Host, check_refused
from sticks import resize

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux limits and mounts"),
]


def run(host, *, blind=False, limits=()) -> Done:
    """Unpack, under limits of the process."""

    def limit():
        for what, value in limits:
            resource.setrlimit(what, (value, value))

    words = [sys.executable, "-c", BLIND, *map(str, host.words)] if blind else command(*host.words)
    done = subprocess.run(
        words, cwd=host.folder, env=environment(PYTHONDONTWRITEBYTECODE=1), preexec_fn=limit, umask=UMASK,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def climb(host, ladder, run_at):
    """Run at every step of the ladder until one is enough; yield those that were not."""
    for step in ladder:
        host.restore()
        done = run_at(step)
        host.check_old_or_new(done, at=step)
        if done.code == 0:
            assert done.stdout == host.exports
            return
        check_refused(done, at=step)
        yield step
    pytest.fail("the ladder is too short")


@pytest.fixture
def disk(tmp_path):
    """A tmpfs with room for now; `resize` gives it as much as is used, and so much more."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount")
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m,nr_inodes=4096,mode=755", "none", place],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip(f"needs to mount, which is not allowed here: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.parametrize("blank", [False, True])
def test_a_disk_without_inodes_at_every_count(tmp_path, disk, blank):
    host = Host(tmp_path, blank=blank, prefix=disk / "p")

    def with_inodes(more):
        used = os.statvfs(disk)
        resize(disk, nr_inodes=used.f_files - used.f_ffree + more)
        return run(host)

    steps = []
    for step in climb(host, range(100), with_inodes):
        resize(disk, nr_inodes=4096)
        host.check_converged(at=step)
        steps.append(step)
    assert len(steps) > 10


@pytest.mark.parametrize("blank", [False, True])
def test_a_disk_that_fills_at_every_page(tmp_path, disk, blank):
    host, page = Host(tmp_path, blank=blank, prefix=disk / "p"), resource.getpagesize()

    def with_pages(more):
        used = os.statvfs(disk)
        resize(disk, size=(used.f_blocks - used.f_bfree) * used.f_frsize + more * page or page)
        return run(host, blind=True)

    steps = []
    for step in climb(host, range(1000), with_pages):
        resize(disk, size="64m")
        host.check_converged(at=step)
        steps.append(step)
    assert len(steps) > 5


@pytest.mark.parametrize("blank", [False, True])
def test_a_limit_on_the_size_of_files_at_every_size(tmp_path, blank):
    host = Host(tmp_path, blank=blank)
    sizes = (0, 1, 100, 127, 128, 200, 266, 300, 400, 512, 1000, 2000, 2999, 3000, 3300, 4096, 1 << 20)
    steps = []
    for step in climb(host, sizes, lambda size: run(host, limits=[(resource.RLIMIT_FSIZE, size)])):
        host.check_converged(at=step)
        steps.append(step)
    assert len(steps) > 10
