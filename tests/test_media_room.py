"""`write-media` on drives that are small, read-only or hold no large file: refused empty, or the rest is for the next."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import subprocess

import pytest
from bundles import PACKER, archive, make_bundle
from cli import bundler, check_refusal, command, environment
from mediafiles import sums_hold, volumes
from sticks import MIB, make_image, memory, need, plugged, run, unmount


@pytest.fixture
def place(tmp_path):
    """A folder of this test that is on the disk, with the folder to mount at."""
    (tmp_path / "usb").mkdir()
    return tmp_path


def test_a_drive_that_is_mounted_read_only_is_refused(place):
    paths = volumes(place / "volumes", count=1, size=100)
    image = make_image("ext4", place / "usb.img")
    with plugged("ext4", image, place / "usb", options="ro") as stick:
        done = bundler("write-media", paths[0], "--to", stick.folder)
        check_refusal(done, 6, f"{stick.folder}: is mounted read-only", "write-protect switch")
    with plugged("ext4", image, place / "usb") as stick:
        run("mount", "-o", "remount,ro", stick.folder)
        done = bundler("write-media", paths[0], "--to", stick.folder)
        check_refusal(done, 6, f"{stick.folder}: is mounted read-only", f"mount -o remount,rw {stick.folder}")
        (place / "q4.uvb").write_bytes(make_bundle())
        done = bundler("split", place / "q4.uvb", "-o", stick.folder, "--volume-size", "1M")
        check_refusal(done, 6, f"{stick.folder}: Read-only file system", "remount it writable")


def test_a_file_that_fat_cannot_hold_is_refused_before_anything_is_written(place):
    large = place / "plant-7-7.uvb"
    with large.open("wb") as stream:
        stream.truncate(1 << 32)
    with plugged("FAT", make_image("FAT", place / "usb.img"), place / "usb") as stick:
        done = bundler("write-media", large, "--to", stick.folder)
        check_refusal(
            done, 6, "has 4294967296 bytes, expected at most 4294967295: FAT holds no larger file",
            f"uv-bundler split {large} -o FOLDER --volume-size fat32",
        )  # fmt: skip
        assert os.listdir(stick.folder) == []


def test_a_limit_of_the_process_at_4_gib_refuses_a_larger_file(tmp_path):
    large, target = tmp_path / "plant-7-7.uvb", tmp_path / "usb"
    with large.open("wb") as stream:
        stream.truncate(1 << 32)
    target.mkdir()
    limit = (1 << 32) - 1
    done = subprocess.run(
        command("write-media", large, "--to", target), env=environment(), capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (6, "")
    assert "expected at most 4294967295: this process may write no larger file" in done.stderr
    assert os.listdir(target) == []


def test_small_drives_take_what_fits_and_the_list_says_which_has_what(place):
    paths = volumes(place / "volumes", count=4, size=3 * MIB)
    names, listed = [one.name for one in paths], place / "volumes" / "plant-7-7.drives"
    words = ("write-media", place / "volumes", "--to", place / "usb")
    for turn, (label, held, left) in enumerate(
        [("A", names[:1], 3), ("B", names[1:2], 2), ("C", names[2:], 0)]
    ):
        with memory(place / "usb", options=f"size={8 if turn == 2 else 6}m"):
            done = bundler(*words)
            assert done.code == 0, done.stderr
            assert done.stdout.splitlines() == [str(place / "usb" / name) for name in held]
            assert sums_hold(place / "usb") == {*held, listed.name}
            assert (place / "usb" / listed.name).read_text() == listed.read_text()
            assert f"is drive {label}; " in done.stderr
            assert ("run the same command again with the next drive" in done.stderr) == bool(left)
            if turn == 1:
                again = bundler(*words)  # the same drive: it is recognised by what lies on it
                assert "is drive B; " in again.stderr
                assert "0 files written" in again.stderr
    assert listed.read_text() == f"A: {names[0]}\nB: {names[1]}\nC: {names[2]} {names[3]}\n"
    with memory(place / "usb", options="size=8m"):
        check_refusal(bundler(*words), 2, "every file is on a drive already (A, B, C)", "--drive LABEL")
        assert os.listdir(place / "usb") == []
        done = bundler(*words, "--drive", "B")
        assert done.code == 0, done.stderr
        assert os.listdir(place / "usb").count(names[1]) == 1


def test_real_volumes_on_several_drives_are_one_bundle_again(place):
    trust, whole = place / "trust", place / "q4.uvb"
    trust.write_text(PACKER.line + "\n")
    whole.write_bytes(
        make_bundle(archives=[archive(random.Random(1).randbytes(3 * MIB))], block_size=1 << 16)
    )
    (place / "volumes").mkdir()
    done = bundler("split", whole, "-o", place / "volumes", "--volume-size", "1M", "--parity", "1")
    assert done.code == 0, done.stderr
    names = [line.rpartition("/")[2] for line in done.stdout.splitlines() if line.endswith(".uvb")]
    assert len(names) == 5
    drives = [place / label for label in "ABC"]
    with contextlib.ExitStack() as plugged_in:
        for number, drive in enumerate(drives, 1):
            plugged_in.enter_context(memory(drive, options="size=4m"))
            done = bundler("write-media", place / "volumes", "--to", drive)
            assert done.code == 0, done.stderr
            assert [line for line in done.stderr.splitlines() if "no part of a bundle" in line] == []
            verified = bundler("verify", *drives[:number], "--trust", trust)
            assert verified.code == (4 if number == 1 else 0), verified.stderr  # C has the parity
        listed = (drives[-1] / "plant-7-7.drives").read_text()
    assert listed == f"A: {names[0]} {names[1]}\nB: {names[2]} {names[3]}\nC: {names[4]}\n"


def test_a_drive_too_small_for_the_first_file_is_refused_and_stays_empty(place):
    paths = volumes(place / "volumes", count=2, size=3 * MIB)
    with memory(place / "usb", options="size=4m"):
        done = bundler("write-media", *paths, "--to", place / "usb")
        check_refusal(
            done, 6, "4.0 MiB free, expected 5.0 MiB for plant-7-7.0001-of-0002.uvb", "--volume-size SIZE"
        )
        assert os.listdir(place / "usb") == []


def test_a_drive_without_inodes_is_told_as_that(place):
    paths = volumes(place / "volumes", count=2, size=100)
    with memory(place / "usb", options="size=8m,nr_inodes=4"):
        check_refusal(
            bundler("write-media", *paths, "--to", place / "usb"), 6, "inodes free, expected more", "df -i"
        )
        assert os.listdir(place / "usb") == []


def test_where_the_volumes_are_read_only_the_list_needs_a_place(place):
    need("mount")
    paths = volumes(place / "volumes", count=2, size=3 * MIB)
    run("mount", "--bind", place / "volumes", place / "volumes")
    try:
        run("mount", "-o", "remount,bind,ro", place / "volumes")
        with memory(place / "usb", options="size=6m"):
            words = ("write-media", place / "volumes", "--to", place / "usb")
            check_refusal(
                bundler(*words),
                6,
                "plant-7-7.drives: the packing list cannot be kept there",
                "--state FOLDER",
            )
            assert os.listdir(place / "usb") == []
            assert bundler(*words, "--state", place).code == 0
        assert (place / "plant-7-7.drives").read_text() == f"A: {paths[0].name}\n"
    finally:
        unmount(place / "volumes")
