"""`write-media` on real file systems, made in image files and mounted: what a drive holds when it is pulled out."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import resource
import shutil
import subprocess

import pytest
from bundles import PACKER, archive, make_bundle
from cli import bundler, check_refusal, command, environment
from sticks import (
    KINDS,
    MIB,
    check_image,
    format_disk,
    lying_disk,
    make_image,
    memory,
    need,
    plugged,
    run,
    unmount,
)

from bundler.commands import media
from bundler.core.progress import Silent
from bundler.media import readback, writing
from bundler.media.writing import find_sources, write_media


def volumes(folder, *, count, size, stem="plant-7-7"):
    """Write files that are called as volumes and have bytes of their own, and return them."""
    folder.mkdir(exist_ok=True)
    made = []
    for number in range(1, count + 1):
        path = folder / f"{stem}.{number:04d}-of-{count:04d}.uvb"
        path.write_bytes(random.Random(f"{stem}{number}").randbytes(size))
        made.append(path)
    return made


def write(paths, folder, **options):
    """Write without a command line."""
    options = {"drive": None, "state": None, "progress": Silent(), **options}
    return write_media(find_sources(paths), folder, **options)


def sums_hold(folder):
    """Let coreutils judge what lies on the medium; return the names that it was told of."""
    done = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {line.partition(":")[0] for line in done.stdout.splitlines()}


@pytest.fixture
def place(tmp_path):
    """A folder of this test that is on the disk, with the folder to mount at."""
    (tmp_path / "usb").mkdir()
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_pulled_out_when_it_was_called_safe_is_all_there_by_its_right_name(place, kind, monkeypatch):
    # Without what syncs everything at the end: the order of the single steps has to be enough.
    monkeypatch.delattr(os, "sync")
    monkeypatch.setattr(readback, "_flush_device", lambda _: False)
    bundle = place / "plant-7-7.uvb"
    bundle.write_bytes(make_bundle())
    more = volumes(place / "volumes", count=2, size=MIB + 17)
    pulled = place / "pulled.img"
    with plugged(kind, make_image(kind, place / "usb.img"), place / "usb") as stick:

        def say(line):
            if line.endswith("safe to remove"):
                stick.snapshot(pulled)

        monkeypatch.setattr(media, "say", say)
        done = bundler("write-media", bundle, more[0].parent, "--to", stick.folder)
        assert done.code == 0, done.stderr
        assert done.stdout.splitlines() == [str(stick.folder / one.name) for one in (*more, bundle)]
    check_image(kind, pulled)
    with plugged(kind, pulled, place / "usb") as stick:
        there = {one.name for one in stick.folder.iterdir()} - {"lost+found"}
        assert there == {bundle.name, *(one.name for one in more), "SHA256SUMS"}
        assert sums_hold(stick.folder) == there - {"SHA256SUMS"}
        trust = place / "trust"
        trust.write_text(PACKER.line + "\n")
        verified = bundler("verify", stick.folder / bundle.name, "--trust", trust)
        assert verified.code == 0, verified.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_drive_pulled_out_while_it_was_written_is_finished_by_the_next_run(place, kind):
    paths = volumes(place / "volumes", count=3, size=2 * MIB)
    pulled = place / "pulled.img"

    class Pulled(Silent):
        done = 0

        def advance(self, count):
            self.done += count
            if self.done == 5 * MIB:  # in the middle of the third one
                stick.snapshot(pulled)

    with plugged(kind, make_image(kind, place / "usb.img"), place / "usb") as stick:
        write(paths, stick.folder, progress=Pulled())
    with plugged(kind, pulled, place / "usb") as stick:
        written = write(paths, stick.folder)
        kept = [one.name for one in written.load.kept]
        assert kept == [one.name for one in paths[:2]]
        assert not [one for one in os.listdir(stick.folder) if one.endswith(".part")]
        assert sums_hold(stick.folder) == {one.name for one in paths}


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


@pytest.mark.parametrize("kind", ["FAT", "exFAT"])
def test_a_name_that_differs_in_case_only_is_not_replaced_where_case_is_ignored(place, kind):
    paths = volumes(place / "volumes", count=1, size=100)
    with plugged(kind, make_image(kind, place / "usb.img"), place / "usb") as stick:
        other = stick.folder / paths[0].name.upper()
        other.write_bytes(b"something of somebody")
        done = bundler("write-media", paths[0], "--to", stick.folder)
        check_refusal(
            done, 6, f"has {other.name}, and {paths[0].name} is the same name", f"rename {other.name}"
        )
        assert other.read_bytes() == b"something of somebody"


def test_what_an_earlier_run_wrote_is_read_back_too(place):
    first, second = (volumes(place / stem, count=1, size=MIB, stem=stem)[0] for stem in ("q3-1", "q4-2"))
    with plugged("ext4", make_image("ext4", place / "usb.img"), place / "usb") as stick:
        write([first], stick.folder)
        write([second], stick.folder)
        assert sums_hold(stick.folder) == {first.name, second.name}
        shutil.copyfile(second, stick.folder / first.name)
        done = bundler("write-media", second, "--to", stick.folder)
        check_refusal(
            done, 5, f"{first.name} of an earlier run, expected to be as SHA256SUMS says", "f3probe"
        )
        (stick.folder / first.name).unlink()
        assert bundler("write-media", second, "--to", stick.folder).code == 0
        assert sums_hold(stick.folder) == {second.name}
        line = f"{hashlib.sha256(second.read_bytes()).hexdigest()}  {second.name}\n"
        assert (stick.folder / "SHA256SUMS").read_text() == line
