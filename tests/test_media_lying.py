"""`write-media` on a medium that lies, changes or fails: it is found out as far as the level claims."""

from __future__ import annotations

import os
import subprocess

import pytest
from cli import bundler, check_refusal
from mediafiles import volumes, write
from sticks import KINDS, MIB, format_disk, lying_disk, make_image, need, plugged, run, unmount

from bundler.media import readback, writing


@pytest.fixture
def place(tmp_path):
    """A folder of this test that is on the disk, with the folder to mount at."""
    (tmp_path / "usb").mkdir()
    return tmp_path


LEVELS = {"FAT": "cached", "exFAT": "device", "NTFS": "device", "ext4": "device"}


@pytest.mark.parametrize("root", [True, False], ids=["root", "not root"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_level_is_claimed_only_where_a_medium_that_changed_is_found_out(place, kind, root, monkeypatch):
    paths = volumes(place / "volumes", count=2, size=MIB)
    image = make_image(kind, place / "usb.img")
    if not root:  # who may not open the device
        monkeypatch.setattr(readback, "_flush_device", lambda _: False)
    real = writing.read_back

    def spoil_and_read(*words, **more):
        os.sync()  # what is written later would mend it
        data = image.read_bytes()
        at = data.index(paths[0].read_bytes()[5000:5100])
        with image.open("r+b") as stream:
            stream.seek(at)
            stream.write(bytes([data[at] ^ 1]))
        results.append(real(*words, **more))
        return results[-1]

    results = []
    monkeypatch.setattr(writing, "read_back", spoil_and_read)
    with plugged(kind, image, place / "usb") as stick:
        try:
            write(paths, stick.folder)
            found = False
        except writing.DamagedFault as fault:
            found = paths[0].name in fault.message
            assert paths[1].name not in fault.message
    expected = LEVELS[kind] if root else {"ext4": "dropped"}.get(kind, "cached")
    assert results[0].level.value == expected
    assert found or expected == "cached"


@pytest.mark.parametrize("mode", ["drop", "wrap"])
def test_a_drive_that_claims_more_than_it_keeps_is_found_out(place, mode):
    need("mount.exfat-fuse")
    volumes(place / "volumes", count=4, size=4 * MIB)
    with lying_disk(place / "disk", claimed=512 * MIB, kept=12 * MIB, mode=mode) as device:
        format_disk("exFAT", device)
        run("mount.exfat-fuse", device, place / "usb")
        try:
            done = bundler("write-media", place / "volumes", "--to", place / "usb")
        finally:
            unmount(place / "usb")
    check_refusal(
        done,
        5,
        "the medium says it took",
        "probably a fake-capacity stick, or a broken one: test it with `f3probe`",
    )
    assert "0004-of" in done.stderr.splitlines()[-2] or mode == "wrap"
    assert "safe to remove" not in done.stderr


def test_f3probe_finds_the_same_disk_to_be_counterfeit(place):
    need("f3probe")
    with lying_disk(place / "disk", claimed=512 * MIB, kept=64 * MIB, mode="drop") as device:
        done = subprocess.run(
            ["f3probe", "--destructive", device], capture_output=True, text=True, check=False
        )
    assert "counterfeit of type limbo" in done.stdout


def test_a_device_that_fails_is_never_called_safe(place):
    need("mount.exfat-fuse")
    volumes(place / "volumes", count=4, size=4 * MIB)
    with lying_disk(place / "disk", claimed=512 * MIB, kept=12 * MIB, mode="fail") as device:
        format_disk("exFAT", device)
        run("mount.exfat-fuse", device, place / "usb")
        try:
            done = bundler("write-media", place / "volumes", "--to", place / "usb")
        finally:
            unmount(place / "usb")
    check_refusal(done, 6, "Input/output error", "check the medium")
    assert "safe to remove" not in done.stderr
