"""Sets on real file systems, made in image files and mounted read-only: read back, recovered, never written to."""

import hashlib
import shutil

import pytest
from bundles import PACKER, tree
from cli import bundler, check_refusal
from losing import bundle, files_of, put
from sticks import KINDS, MIB, make_image, memory, need, plugged, run, unmount

from bundler.core.cut import Cut

CUT = Cut(volumes=5, parity=2)


@pytest.fixture
def place(tmp_path):
    """A folder with a set, who may sign it, and a folder to mount at."""
    put(tmp_path / "set", files_of(CUT))
    (tmp_path / "usb").mkdir()
    (tmp_path / "trust").write_text(PACKER.line + "\n")
    return tmp_path


def sha256(image):
    """Return the digest of a whole medium."""
    return hashlib.sha256(image.read_bytes()).hexdigest()


def spoil(image, content):
    """Flip a bit of the medium where these bytes lie."""
    data = image.read_bytes()
    at = data.find(content)
    assert at >= 0
    with image.open("r+b") as stream:
        stream.seek(at)
        stream.write(bytes([content[0] ^ 1]))


def check_readable(place, *folders):
    """Assert that what lies there verifies, joins to the same bytes, and unpacks."""
    trust = ("--trust", place / "trust")
    verified = bundler("verify", *folders, *trust)
    assert verified.code == 0, verified.stderr
    assert bundler("join", *folders, "-o", place / "joined.uvb").code == 0
    assert (place / "joined.uvb").read_bytes() == bundle()
    done = bundler("unpack", *folders, *trust, "--prefix", place / "prefix", "--shell", "sh")
    assert done.code == 0, done.stderr
    return verified.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_medium_that_lost_volumes_and_sectors_is_read_and_left_as_it_is(place, kind):
    image = make_image(kind, place / "usb.img")
    with plugged(kind, image, place / "usb") as stick:
        done = bundler("write-media", place / "set", "--to", stick.folder)
        assert done.code == 0, done.stderr
        (stick.folder / "q4.0002-of-0005.uvb").unlink()
    good = files_of(CUT)["q4.0004-of-0005.uvb"]
    spoil(image, good[len(good) // 2 :][:100])
    before = sha256(image)
    with plugged(kind, image, place / "usb", options="ro") as stick:
        told = check_readable(place, stick.folder)
        assert "1 of 5 volumes is missing: 2" in told
        assert "q4.0004-of-0005.uvb: block " in told
        collected = bundler("collect", stick.folder, "--into", place / "into", "--trust", place / "trust")
        assert "enough: volume 2 is missing, volume 4 is damaged, parity recovers that" in collected.stderr
    assert sha256(image) == before


def test_short_names_in_capitals_are_known_by_what_the_files_are(place):
    need("mcopy")
    image = make_image("FAT", place / "usb.img")
    for number, path in enumerate(sorted((place / "set").iterdir())):
        run("mcopy", "-i", image, path, f"::Q4{number}.UVB")
    before = sha256(image)
    with plugged("FAT", image, place / "usb", options="ro") as stick:
        assert {one.name for one in stick.folder.iterdir()} == {f"Q4{number}.UVB" for number in range(7)}
        check_readable(place, stick.folder)
    assert sha256(image) == before


def test_a_squashfs_and_a_tmpfs_together_have_the_bundle(place):
    need("mksquashfs", "mount")
    files = sorted((place / "set").iterdir())
    put(place / "half", {one.name: one.read_bytes() for one in files[:3]})
    run("mksquashfs", place / "half", place / "half.img", "-quiet", "-no-progress")
    run("mount", "-t", "squashfs", "-o", "loop,ro", place / "half.img", place / "usb")
    try:
        with memory(place / "memory", options="size=8m") as folder:
            put(folder, {one.name: one.read_bytes() for one in files[4:6]})
            run("mount", "-o", "remount,ro", folder)
            before = tree(folder)
            told = check_readable(place, folder, place / "usb")
            assert "1 of 5 volumes is missing: 4" in told
            assert tree(folder) == before
    finally:
        unmount(place / "usb")


def test_three_sticks_one_after_the_other_in_one_socket(place):
    files, into = sorted((place / "set").iterdir()), place / "into"
    ends = []
    for kind, numbers in (("FAT", (5, 1)), ("exFAT", (0, 3)), ("NTFS", (2, 4, 6))):
        image = make_image(kind, place / f"{kind}.img")
        with plugged(kind, image, place / "usb") as stick:
            for number in numbers:
                shutil.copyfile(files[number], stick.folder / files[number].name)
        with plugged(kind, image, place / "usb", options="ro") as stick:
            ends.append(bundler("collect", stick.folder, "--into", into, "--trust", place / "trust"))
    assert [one.code for one in ends] == [4, 4, 0]
    assert "1 of 2 parity volumes here" in ends[0].stderr
    assert {one.read_bytes() for one in into.glob("*.uvb")} == {one.read_bytes() for one in files}


def test_a_disk_that_fills_leaves_what_fits_and_the_next_run_goes_on(place, monkeypatch):
    with memory(place / "full", options=f"size={MIB}") as folder:
        (folder / "other").write_bytes(bytes(MIB // 3))
        into = folder / "into"
        words = ("collect", place / "set", "--into", into, "--trust", place / "trust")
        check_refusal(bundler(*words), 6, "are free, expected", "make room")
        assert not list(into.glob("*.uvb"))
        free = shutil.disk_usage(folder)._replace(free=1 << 40)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
        check_refusal(bundler(*words), 6, "No space left on device", "make room")
        before = {one.name: one.read_bytes() for one in into.glob("*.uvb")}
        assert before
        assert set(before.values()) <= set(files_of(CUT).values())
        run("mount", "-o", "remount,size=8m", folder)
        done = bundler(*words)
        assert done.code == 0, done.stderr
        assert {one.read_bytes() for one in into.glob("*.uvb")} == set(files_of(CUT).values())
