"""Disks that fill up while sets are written, at every step of a ladder: nothing half-done is left (slow)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from bundles import PACKER, archive, make_bundle, small_content, tree
from cli import Done, environment
from faulthost import BLIND
from sticks import resize
from volumes import BLOCK, make_set

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root on Linux to mount"),
]
STEP = 64 << 10  # bytes
COMMANDS = {
    "split": ("split", "q.uvb", "-o", "disk/out", "--volume-size", "200K", "--parity", "2"),
    "split, one file": ("split", "q.uvb", "-o", "disk/out", "--parity", "20%"),
    "join": ("join", "left", "-o", "disk/out/x.uvb"),
    "repair": ("repair", "left", "--trust", "trust", "--to", "disk/out"),
    "collect": ("collect", "left", "--trust", "trust", "--into", "disk/out"),
    "unpack": ("unpack", "left", "--trust", "trust", "--prefix", "disk/p", "--shell", "sh"),
    "resend": ("resend", "q.uvb", "--ticket", "ticket", "-o", "disk/out"),
}


@pytest.fixture
def site(tmp_path):
    archives = [
        archive(small_content(seed, size=4 * BLOCK + 1000), version=(3, 13, seed)) for seed in range(4)
    ]
    bundle = make_bundle(archives=archives, block_size=BLOCK)
    (tmp_path / "q.uvb").write_bytes(bundle)
    (tmp_path / "trust").write_text(PACKER.line + "\n")
    make_set(bundle, tmp_path / "all", volumes=6, parity=2, stem="plant-7-7")
    files = make_set(bundle, tmp_path / "left", volumes=6, parity=2, stem="plant-7-7")
    for one in files[:3]:
        one.unlink()
    done = command("missing", "left", "--trust", "trust", "-o", "ticket", cwd=tmp_path)
    assert done.code == 0, done.stderr
    files[0].write_bytes((tmp_path / "all" / files[0].name).read_bytes())
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m,mode=755", "none", place],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip(f"needs to mount, which is not allowed here: {made.stderr.strip()}")
    (place / "out").mkdir()
    yield tmp_path
    subprocess.run(["umount", "-l", place], check=True)


def command(*words, cwd):
    """Run a command that sees more free space than there is, so that it runs out later."""
    done = subprocess.run(
        [sys.executable, "-c", BLIND, *map(str, words)], cwd=cwd, env=environment(PYTHONDONTWRITEBYTECODE=1),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_disk_that_fills_leaves_nothing_half_done(site, name):
    disk, refused = site / "disk", 0
    before, sources = tree(disk), tree(site / "left")
    for step in range(100):
        used = os.statvfs(disk)
        resize(disk, size=(used.f_blocks - used.f_bfree) * used.f_frsize + step * STEP or 4096)
        done = command(*COMMANDS[name], cwd=site)
        resize(disk, size="64m")
        assert tree(site / "left") == sources
        if done.code == 0:
            break
        assert (done.code, done.stdout) == (6, ""), (step, done.stderr)
        error, hint = done.stderr.splitlines()[-2:]
        assert "No space left on device" in error, (step, done.stderr)
        assert "disk/" in error, error
        assert hint.startswith("uv-bundler: next: make room on that file system"), hint
        left = {path: facts for path, facts in tree(disk).items() if "state/" not in path}
        if name == "collect":  # keeps what is whole, for the next time
            for path in (disk / "out").glob("*.uvb"):
                assert path.read_bytes() == (site / "all" / path.name).read_bytes()
            assert not [path for path in left if path.endswith(".tmp")]
        else:
            assert {path for path in left if not path.startswith("p")} == {
                path for path in before if not path.startswith("p")
            }, step
            assert not (disk / "p" / "current").is_symlink()
        refused += 1
    assert done.code == 0, done.stderr
    assert refused >= 3
