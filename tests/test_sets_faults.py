"""Sets on a stick that goes bad: sectors and files that cannot be read, and the stick pulled out at any moment."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bundles import PACKER, archive, make_bundle, small_content, tree, unpack_bytes
from cli import bundler, check_refusal
from faulthost import lean, outside_log
from sticks import unmount
from volumes import BLOCK, make_set

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="needs root on Linux to mount"
)
COMMANDS = {
    "unpack": ("unpack", "stick", "--trust", "trust", "--prefix", "p", "--shell", "sh"),
    "verify": ("verify", "stick", "--trust", "trust"),
    "join": ("join", "stick", "-o", "joined.uvb"),
    "split": ("split", "stick", "-o", "out", "--volume-size", "200K"),
    "repair": ("repair", "stick", "--trust", "trust", "--to", "out"),
    "collect": ("collect", "stick", "--trust", "trust", "--into", "out"),
}


class Stick:
    """A set on a stick, in a folder that also has its packer's key, a prefix with an older generation, and `out`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._ills = folder, folder / "ills"
        archives = [
            archive(small_content(seed, size=4 * BLOCK + 1000), version=(3, 13, seed)) for seed in range(4)
        ]
        self.bundle = make_bundle(archives=archives, block_size=BLOCK, serial=2)
        self.files = make_set(self.bundle, folder / "source", volumes=6, parity=3)
        (folder / "trust").write_text(PACKER.line + "\n")
        unpack_bytes(make_bundle(serial=1), folder / "p")
        (folder / "out").mkdir()
        self.well()

    def well(self):
        """Make all of it readable."""
        self._ills.write_text("")

    def ill(self, *lines):
        """Make it ill in these ways."""
        self._ills.write_text("".join(f"{line}\n" for line in lines))

    def run(self, name):
        """Run the command of this name."""
        with contextlib.chdir(self.folder) if hasattr(contextlib, "chdir") else _chdir(self.folder):
            return bundler(*COMMANDS[name])

    def outside(self):
        """Return what a command may have changed: all but the set, and the log of the prefix."""
        joined = (self.folder / "joined.uvb").exists()
        return tree(self.folder / "out"), joined, outside_log(self.folder / "p")


@contextlib.contextmanager
def _chdir(folder):
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@pytest.fixture
def stick(tmp_path):
    made, place = Stick(tmp_path), tmp_path / "stick"
    place.mkdir()
    server = Path(__file__).with_name("fusefolder.py")
    with subprocess.Popen([sys.executable, server, place, tmp_path / "source", tmp_path / "ills"]) as process:
        try:
            for _ in range(200):
                if os.path.ismount(place):
                    break
                if process.poll() is not None:
                    pytest.skip("needs /dev/fuse")
                time.sleep(0.02)
            yield made
        finally:
            made.well()
            unmount(place)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def places(path):
    """Return where in a volume its index, `VOLUME` and its first cell are."""
    data = path.read_bytes()
    volume = data.index(b"uv-bundler.volume.v1")
    return 600, volume, volume + 1024 + BLOCK // 2


def test_sectors_and_a_file_that_cannot_be_read_are_recovered_and_told_by_name(stick):
    names = [one.name for one in stick.files]
    ills = [
        f"{name} {at - at % 512} {at - at % 512 + 511}"
        for name, path, which in zip(names, stick.files, (0, 1, 2), strict=False)
        for at in places(path)[which : which + 1]
    ]
    stick.ill(*ills, f"{names[4]} -")
    before = tree(stick.folder / "source")
    for command in ("verify", "unpack", "join", "repair"):
        done = stick.run(command)
        assert done.code == 0, (command, done.stderr)
        assert "Input/output error" in done.stderr
        for name in (names[0], names[1], names[2], names[4]):
            assert name in done.stderr, (command, name, done.stderr)
    assert (stick.folder / "joined.uvb").read_bytes() == stick.bundle
    good = {one.name: one.read_bytes() for one in (stick.folder / "out").iterdir()}
    assert good == {name: (stick.folder / "source" / name).read_bytes() for name in good}
    assert {names[0], names[1], names[2], names[4]} <= good.keys()
    assert tree(stick.folder / "source") == before


@pytest.mark.parametrize("command", lean(COMMANDS, "unpack"))
def test_a_stick_pulled_out_at_any_moment_is_told_in_a_line_and_nothing_is_half_done(stick, command):
    before, refused = stick.outside(), 0
    for reads in (*range(40), *range(40, 2000, 15)):
        stick.ill(f"pull {reads}")
        done = stick.run(command)
        if done.code == 0:
            break
        stick.well()
        check_refusal(done, done.code, "")
        assert done.code in (4, 5, 6), done.stderr
        if command != "collect":  # which keeps what it has, for the next time
            assert stick.outside() == before, reads
        assert len(done.stderr.splitlines()) < 20, done.stderr
        refused += 1
    assert done.code == 0
    assert refused > 3
