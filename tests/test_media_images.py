"""`write-media` on real file systems, made in image files and mounted: what a drive holds when it is pulled out."""

from __future__ import annotations

import hashlib
import os
import shutil

import pytest
from bundles import PACKER, make_bundle
from cli import bundler, check_refusal
from mediafiles import sums_hold, volumes, write
from sticks import KINDS, MIB, check_image, make_image, plugged

from bundler.commands import media
from bundler.core.progress import Silent
from bundler.media import readback


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
