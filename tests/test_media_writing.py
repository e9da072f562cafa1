"""`write-media` without mounts: what is kept that is there already, and what is left for the next drive."""

from __future__ import annotations

import fcntl
import os
from dataclasses import replace

import pytest
from bundles import make_bundle, tree
from cli import bundler, check_refusal
from mediafiles import three_volumes, with_room, write

from bundler.core.progress import Silent
from bundler.errors import DamagedFault, HostFault, LockedFault, UsageFault
from bundler.media import writing


@pytest.fixture
def usb(tmp_path):
    (tmp_path / "usb").mkdir()
    return tmp_path / "usb"


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "plant-7-7.uvb"
    path.write_bytes(make_bundle())
    return path


@pytest.fixture
def volumes(tmp_path):
    return three_volumes(tmp_path / "volumes")


# --- what is there already --------------------------------------------------------------------------------------


def test_a_second_run_writes_nothing_and_a_spoiled_file_is_written_again(volumes, usb):
    write(volumes, usb)
    before = [(usb / path.name).stat().st_ino for path in volumes]
    again = write(volumes, usb)
    assert (len(again.load.kept), again.load.writing) == (3, ())
    (usb / volumes[1].name).write_bytes(bytes(1 << 20))  # the right size, and not the right bytes
    third = write(volumes, usb)
    assert [one.name for one in third.load.writing] == [volumes[1].name]
    after = [(usb / path.name).stat().st_ino for path in volumes]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True]
    assert (usb / volumes[1].name).read_bytes() == volumes[1].read_bytes()


def test_what_lies_on_the_medium_already_may_be_its_own_source(bundle, usb):
    target = usb / bundle.name
    target.write_bytes(bundle.read_bytes())
    written = write([usb / bundle.name], usb)
    assert (len(written.load.kept), written.load.writing) == (1, ())


def test_what_an_earlier_run_wrote_is_read_back_too(volumes, usb):
    write(volumes[:1], usb)
    (usb / volumes[0].name).write_bytes(bytes(1 << 20))
    with pytest.raises(
        DamagedFault, match=f"{volumes[0].name} of an earlier run, expected to be as SHA256SUMS"
    ):
        write(volumes[1:], usb)


def test_a_file_whose_name_differs_in_case_only_is_not_written_over(volumes, usb, monkeypatch):
    real, other = writing.preflight, usb / volumes[1].name.upper()
    monkeypatch.setattr(writing, "preflight", lambda folder: replace(real(folder), folds_case=True))
    other.write_bytes(b"somebody's")
    with pytest.raises(HostFault, match=f"has {other.name}, and {volumes[1].name} is the same name on this"):
        write(volumes, usb)
    assert os.listdir(usb) == [other.name]


def test_ctrl_c_leaves_nothing_half_written_and_what_was_done_is_kept(volumes, usb):
    class Stopped(Silent):
        done = 0

        def advance(self, count):
            self.done += count
            if self.done == 2 << 20:  # the second file has all its bytes, and not yet its name
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(volumes, usb, progress=Stopped())
    assert os.listdir(usb) == [volumes[0].name]
    assert [one.name for one in write(volumes, usb).load.kept] == [volumes[0].name]


def test_a_list_of_sums_that_is_not_ours_is_left_alone(bundle, usb):
    (usb / "SHA256SUMS").write_text(f"{'0' * 64}  photos/1.jpg\n")
    before = tree(usb)
    check_refusal(
        bundler("write-media", bundle, "--to", usb), 6, f"{usb}/SHA256SUMS: line 1: expected the name of a file beside it",
        "name a folder of its own on the drive with --to",
    )  # fmt: skip
    assert tree(usb) == before


def test_two_runs_at_once_are_not_let_at_one_drive(bundle, usb):
    handle = os.open(usb, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(LockedFault, match="another uv-bundler is writing there"):
            write([bundle], usb)
    finally:
        os.close(handle)
    assert os.listdir(usb) == []


# --- several drives ---------------------------------------------------------------------------------------------


def test_the_next_drive_takes_what_the_first_one_left(volumes, tmp_path, monkeypatch):
    with_room(monkeypatch, for_files=2)
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    on_first = write(volumes, first)
    assert [one.name for one in on_first.load.left] == [volumes[2].name]
    done = bundler("write-media", volumes[0].parent, "--to", second)
    assert done.stdout == f"{second / volumes[2].name}\n"
    assert f"cd {second} && sha256sum -c SHA256SUMS" in done.stderr
    names = [path.name for path in volumes]
    listed = volumes[0].with_name("plant-7-7.drives").read_text()
    assert listed == f"A: {names[0]} {names[1]}\nB: {names[2]}\n"
    assert (second / "plant-7-7.drives").read_text() == listed


def test_volumes_named_in_any_order_are_the_same_set(volumes, usb, monkeypatch):
    with_room(monkeypatch, for_files=2)
    written = write([volumes[2], volumes[0], volumes[1], volumes[0]], usb)
    assert [one.name for one in written.load.held] == [path.name for path in volumes[:2]]


def test_a_drive_that_lost_a_file_gets_it_back(volumes, tmp_path, monkeypatch):
    with_room(monkeypatch, for_files=1)
    drives = [tmp_path / name for name in "ABC"]
    for drive in drives:
        drive.mkdir()
        write(volumes, drive)
    (drives[1] / volumes[1].name).unlink()
    written = write(volumes, drives[1], drive="B")
    assert [one.name for one in written.load.writing] == [volumes[1].name]
    assert str(volumes[0].with_name("plant-7-7.drives").read_text()).count("\n") == 3


def test_what_fits_on_one_drive_has_no_list_and_every_drive_takes_all_of_it(volumes, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert len(write(volumes, tmp_path / name).load.held) == 3
    assert not volumes[0].with_name("plant-7-7.drives").exists()


def test_a_list_that_somebody_spoiled_is_refused_before_anything_is_written(volumes, usb):
    volumes[0].with_name("plant-7-7.drives").write_text("A x\n")
    with pytest.raises(UsageFault, match="plant-7-7.drives: line 1: expected LABEL: FILE FILE"):
        write(volumes, usb)
    assert os.listdir(usb) == []


def test_more_drives_than_a_list_takes_are_refused_before_anything_is_written(volumes, usb):
    listed = "".join(f"d{number}: f{number}\n" for number in range(1000))
    volumes[0].with_name("plant-7-7.drives").write_text(listed)
    with pytest.raises(UsageFault, match="plant-7-7.drives: expected at most 1000 drives, found 1001"):
        write(volumes, usb)
    assert os.listdir(usb) == []


def test_a_label_that_cannot_be_written_into_the_list_is_refused(volumes, usb):
    done = bundler("write-media", *volumes, "--to", usb, "--drive", "the red one")
    check_refusal(done, 2, "--drive: expected a label of 1 to 32 letters", "such as: --drive A")


def test_the_list_is_written_only_after_the_drive_was_read_back(volumes, usb, monkeypatch):
    with_room(monkeypatch, for_files=1)
    real = writing.read_back

    def spoil(*words, **more):
        (usb / volumes[0].name).write_bytes(b"other")
        return real(*words, **more)

    monkeypatch.setattr(writing, "read_back", spoil)
    with pytest.raises(DamagedFault, match="gives others back"):
        write(volumes, usb)
    assert not volumes[0].with_name("plant-7-7.drives").exists()
