"""`collect` from drives with bad blocks, damaged volumes and wrong names: each right block is used, once."""

import errno
import os
import shutil

import pytest
from bundles import PACKER
from cli import check_refusal
from drives import Desk, content_of, spoil
from volumes import BLOCK, small_blocks

from bundler.arriving import collecting
from bundler.core.progress import Silent
from bundler.volumes.handles import Handles


@pytest.fixture(scope="module")
def bundle():
    return small_blocks()


@pytest.fixture
def desk(tmp_path, bundle):
    return Desk(tmp_path, bundle, volumes=5, parity=2)


def test_recheck_reads_again_what_was_found_good(desk):
    drive = desk.drive("a", 0, 1, 2, 3, 4)
    assert desk.collect(drive).code == 0
    path = desk.into / desk.name(1)
    spoil(path, content_of(path, 1))
    assert desk.collect(drive).code == 0
    assert not desk.same(1)
    assert desk.collect(drive, "--recheck").code == 0
    assert desk.same(1)


def test_a_file_that_was_changed_since_is_read_again(desk):
    drive = desk.drive("a", 0, 1, 2, 3, 4)
    desk.collect(drive)
    path = desk.into / desk.name(1)
    spoil(path, content_of(path, 1))
    path.touch()
    assert desk.collect(drive).code == 0
    assert desk.same(1)


@pytest.mark.parametrize("parity", [False, True], ids=["data", "parity"])
def test_two_damaged_copies_make_a_good_one(desk, parity):
    number = 5 if parity else 1
    a, b = desk.drive("a", number), desk.drive("b", 0, 2, 3, 4, number)
    for drive, cell in ((a, 0), (b, 2)):
        path = drive / desk.files[number].name
        spoil(path, content_of(path, cell))
    first = desk.collect(a)
    assert not desk.same(number)
    what = "parity cell 1 of row 1" if parity else "block 1 of"
    assert f"warning: {a / desk.files[number].name}: {what}" in first.stderr
    assert desk.collect(b).code == 0
    assert desk.same(number)


def test_a_damaged_volume_is_kept_for_what_is_right_in_it(tmp_path, bundle):
    desk = Desk(tmp_path, bundle, volumes=3)
    drive = desk.drive("a", 0, 1, 2)
    spoil(drive / desk.files[1].name, content_of(desk.files[1], 2), count=9)
    check_refusal(desk.collect(drive), 4, "1 of 3 volumes is damaged: 2 (1 block, ")
    before = (desk.into / desk.name(1)).read_bytes()
    assert len(before) == desk.files[1].stat().st_size
    assert sum(one != other for one, other in zip(before, desk.files[1].read_bytes(), strict=True)) > 900
    spoil(drive / desk.files[1].name, content_of(desk.files[1], 1))
    check_refusal(desk.collect(drive, "--recheck"), 4, "(1 block, ")
    assert (desk.into / desk.name(1)).read_bytes() == before


def test_of_a_damaged_volume_only_what_is_wrong_is_looked_at_again(desk):
    class Counted(Silent):
        count = 0

        def advance(self, count):
            self.count += count

    a, b, progress = desk.drive("a", 1), desk.drive("b", 1), Counted()
    spoil(a / desk.files[1].name, content_of(desk.files[1], 1))
    desk.collect(a)
    collecting.collect([b], desk.into, trust=PACKER.trust, progress=progress)
    assert desk.same(1)
    assert progress.count == BLOCK


def test_what_cannot_be_read_is_a_bad_block_and_not_the_end(desk, monkeypatch):
    drive, read = desk.drive("a", 0, 1, 2, 3, 4, 5), Handles.read
    broken = content_of(desk.files[1], 2)

    def failing(self, path, at, count):
        if path.parent == drive and path.name == desk.files[1].name and at <= broken < at + count:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(self, path, at, count)

    monkeypatch.setattr(Handles, "read", failing)
    done = desk.collect(drive)
    assert done.code == 0
    assert "enough: volume 2 is damaged, parity recovers that" in done.stderr
    assert f"{os.strerror(errno.EIO)}" in done.stderr
    monkeypatch.undo()
    assert "complete" in desk.collect(drive).stderr
    assert desk.same(1)


def test_a_drive_that_is_gone_leaves_what_was_read(desk, monkeypatch):
    drive, read, calls = desk.drive("a", 0, 1), Handles.read, []

    def pulled(self, path, at, count):
        calls.append(path)
        if len(calls) > 4:  # two for each cell
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(self, path, at, count)

    monkeypatch.setattr(Handles, "read", pulled)
    assert desk.collect(drive).code == 4
    assert desk.there() == [desk.name(0)]  # of the second one nothing was read
    monkeypatch.undo()
    desk.collect(drive)
    assert desk.same(0)
    assert desk.same(1)


def test_truncated_renamed_capital_and_double_files_are_used_for_what_is_right(desk):
    a = desk.drive("a", 0, 1, 3, 4)
    (a / desk.files[0].name).rename(a / "Q4~1.UVB")
    (a / desk.files[1].name).rename(a / desk.files[4].name.upper())
    shutil.copy(desk.files[2], a / "copy of something.uvb")
    with (a / "copy of something.uvb").open("r+b") as stream:
        stream.truncate(desk.files[2].stat().st_size - 2000)
    (a / "._q4.0001-of-0005.uvb").write_bytes(b"\0\5\x16\7")
    b = desk.drive("b", 2)
    spoil(b / desk.files[2].name, content_of(desk.files[2], 0))
    done = desk.collect(a, b)
    assert done.code == 0, done.stderr
    assert desk.there() == sorted(map(desk.name, range(5)))
    assert all(map(desk.same, range(5)))


def test_a_volume_with_a_damaged_front_is_used_and_gets_a_good_one(desk):
    drive = desk.drive("a", 0, 1, 2, 3, 4)
    spoil(drive / desk.files[2].name, 0, count=5000)
    done = desk.collect(drive)
    assert done.code == 0, done.stderr
    assert desk.same(2)
    spoil(desk.into / desk.name(2), 0, count=5000)
    assert desk.collect("--recheck").code == 0
    assert desk.same(2)
