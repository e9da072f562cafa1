import errno
import json
import os
import shutil
from pathlib import Path

import pytest
from bundles import PACKER, Packer, archive, make_bundle, small_content
from cli import bundler, check_refusal, process
from volumes import BLOCK, blocks_of, make_set, small_blocks, source_of

from bundler.arriving import bringing, collecting
from bundler.core import ustar
from bundler.core.blocks import Blocks
from bundler.core.cut import Cut
from bundler.core.progress import Silent
from bundler.core.volumehead import RESEND, Head
from bundler.media.drives import PackingList
from bundler.volumes.handles import Handles

STEM = "plant-7-7"


@pytest.fixture(scope="module")
def bundle():
    return small_blocks()


class Desk:
    """Volumes as they were written, drives with some of them, and the folder in which they come together."""

    def __init__(self, folder, bundle, **cut):
        self.folder, self.into, self.bundle = folder, folder / "into", bundle
        self.trust = folder / "packer.pub"
        self.trust.write_text(f"{PACKER.key} packer@site\n")
        self.files = make_set(bundle, folder / "set", **cut)

    def name(self, number):
        """Return what `collect` calls the file with this place in the set."""
        return self.files[number].name.replace("q4", STEM, 1)

    def drive(self, name, *numbers):
        """Return a drive with these files of the set, by their places, from 0."""
        drive = self.folder / name
        drive.mkdir(exist_ok=True)
        for number in numbers:
            shutil.copy(self.files[number], drive)
        return drive

    def collect(self, *words, **env):
        return bundler("collect", *words, "--into", self.into, "--trust", self.trust, **env)

    def there(self):
        """Return the names of the files in the folder."""
        return sorted(one.name for one in self.into.iterdir() if one.name[0] != ".")

    def same(self, number):
        """Tell whether the folder has this file of the set, byte for byte."""
        return (self.into / self.name(number)).read_bytes() == self.files[number].read_bytes()


@pytest.fixture
def desk(tmp_path, bundle):
    return Desk(tmp_path, bundle, volumes=5, parity=2)


def spoil(path, at, count=1):
    """Change bytes of a file; its time stays, as rot leaves it."""
    facts, data = path.stat(), bytearray(path.read_bytes())
    at = range(len(data))[at]
    for place in range(at, min(at + count, len(data))):
        data[place] ^= 0xFF
    path.write_bytes(data)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def content_of(path, number):
    """Return where the content of that block of a volume lies, by the headers of `tar`."""
    data, at, found = path.read_bytes(), 0, []
    while data[at] != 0:
        name, size = ustar.parse_header(data[at : at + 512])
        if name.startswith(("blocks/", "parity/")):
            found.append(at + 512)
        at += ustar.stored_size(size)
    return found[number]


def test_drives_in_any_order_make_the_same_set(desk, tmp_path):
    a, b, c = desk.drive("a", 0, 2), desk.drive("b", 6, 5), desk.drive("c", 3, 1, 4)
    first = desk.collect(a)
    check_refusal(
        first, 4, "into: 3 of 5 volumes are still needed: 2, 4-5 (", "uv-bundler collect DRIVE --into"
    )
    assert "0 of 2 parity volumes here, so at least 3 of these or of parity 1-2 must still come" in (
        first.stderr
    )
    assert "at least 1 of these must still come" in desk.collect(b).stderr
    done = desk.collect(c)
    assert (done.code, done.stdout) == (0, f"{desk.into}\n")
    assert f"into: complete: uv-bundler unpack {desk.into} --trust {desk.trust}" in done.stderr
    assert desk.there() == sorted(map(desk.name, range(7)))
    assert all(map(desk.same, range(7)))
    desk.into = tmp_path / "other"
    assert desk.collect(c, b, "--quiet").stderr == ""
    assert desk.collect(a).code == 0
    assert all(map(desk.same, range(7)))


def test_what_parity_recovers_is_enough(desk):
    done = desk.collect(desk.drive("a", 0, 2, 3, 5, 6))
    assert (done.code, done.stdout) == (0, f"{desk.into}\n")
    assert "into: enough: volumes 2, 5 are missing, parity recovers that: uv-bundler unpack" in done.stderr
    prefix = desk.folder / "prefix"
    assert bundler("unpack", desk.into, "--trust", desk.trust, "--prefix", prefix).code == 0


def test_a_drive_that_was_brought_already_is_not_read_again(desk, monkeypatch):
    drive = desk.drive("a", 0, 1)
    desk.collect(drive)
    monkeypatch.setattr(bringing, "mend", None)
    assert "0 B written; has 2 of 5 volumes" in desk.collect(drive).stderr


def test_without_a_drive_it_says_what_is_needed(desk):
    desk.collect(desk.drive("a", 0, 1, 2, 3))
    before = {one: (desk.into / one).stat().st_mtime_ns for one in desk.there()}
    check_refusal(desk.collect(), 4, "1 of 5 volumes is still needed: 5 (")
    assert {one: (desk.into / one).stat().st_mtime_ns for one in desk.there()} == before


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


def test_what_was_copied_by_hand_is_taken_under_its_own_name(desk):
    desk.into.mkdir()
    shutil.copy(desk.files[0], desk.into / "first.uvb")
    spoil(desk.into / "first.uvb", content_of(desk.files[0], 1))
    assert desk.collect(desk.drive("a", 0, 1, 2, 3, 4)).code == 0
    assert desk.there() == sorted(["first.uvb", *map(desk.name, range(1, 5))])
    assert (desk.into / "first.uvb").read_bytes() == desk.files[0].read_bytes()


def test_what_stands_behind_the_end_of_a_file_here_goes(desk):
    desk.into.mkdir()
    (desk.into / desk.name(0)).write_bytes(desk.files[0].read_bytes() + b"more")
    desk.collect(desk.drive("a", 1))
    assert desk.same(0)


def test_a_file_here_keeps_the_signatures_that_it_has(tmp_path):
    once, twice = small_blocks(), small_blocks(packers=(PACKER, Packer(2)))
    desk = Desk(tmp_path, once, volumes=2)
    desk.into.mkdir()
    mine, drive = desk.into / "signed twice.uvb", tmp_path / "drive"
    mine.write_bytes(twice)
    spoil(mine, len(twice) // 2)
    drive.mkdir()
    (drive / "bundle.uvb").write_bytes(once)
    assert desk.collect(drive).code == 0
    assert desk.there() == [mine.name]
    assert mine.read_bytes() == twice


def test_a_bundle_in_one_file_with_parity_beside_it(tmp_path, bundle):
    desk = Desk(tmp_path, bundle, volumes=5, parity=1, whole=True)
    check_refusal(desk.collect(desk.drive("b", 1)), 4, f"{STEM}.uvb is still needed (")
    a = desk.drive("a", 0)
    spoil(a / "q4.uvb", len(bundle) // 2)
    done = desk.collect(a)
    assert f"enough: {STEM}.uvb is damaged, parity recovers that" in done.stderr
    assert desk.there() == [f"{STEM}.parity.uvb", f"{STEM}.uvb"]
    spoil(tmp_path / "a" / "q4.uvb", len(bundle) // 2)
    spoil(tmp_path / "a" / "q4.uvb", len(bundle) // 3)
    assert "complete" in desk.collect(a).stderr
    assert (desk.into / f"{STEM}.uvb").read_bytes() == bundle


def test_a_bundle_in_one_file_needs_no_volumes(tmp_path, bundle):
    desk = Desk(tmp_path, bundle, volumes=2)
    drive = tmp_path / "drive"
    drive.mkdir()
    (drive / "bundle.uvb").write_bytes(bundle)
    spoil(drive / "bundle.uvb", len(bundle) // 2)
    check_refusal(desk.collect(drive), 4, f"another copy of {STEM}.uvb is needed: of this one 1 block cannot")
    (drive / "bundle.uvb").write_bytes(bundle)
    assert desk.collect(drive / "bundle.uvb").code == 0
    assert (desk.into / f"{STEM}.uvb").read_bytes() == bundle


def test_volumes_of_another_cut_give_their_blocks(tmp_path, bundle):
    desk, other = Desk(tmp_path, bundle, volumes=3), tmp_path / "other"
    desk.collect(desk.drive("a", 0, 1))
    make_set(bundle, other, volumes=7)
    assert desk.collect(other).code == 0
    assert desk.there() == sorted(map(desk.name, range(3)))
    assert desk.same(2)


def write_supplement(desk, path, blocks, cut):
    source, contents = source_of(desk.bundle), list(blocks_of(desk.bundle))
    names = Blocks(source.index)
    members = (
        ustar.header(names.name(one), len(contents[one])) + contents[one] + ustar.padding(len(contents[one]))
        for one in blocks
    )
    head = Head(kind=RESEND, number=1, cut=cut, index=source.digest)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join((source.opening(head), *members, ustar.END)))


def test_a_supplement_mends_what_is_there_and_is_kept_for_what_is_not(tmp_path, bundle):
    desk = Desk(tmp_path, bundle, volumes=3)
    drive, cut = desk.drive("a", 0, 1), Cut(volumes=3)
    spoil(drive / desk.files[1].name, content_of(desk.files[1], 2))
    desk.collect(drive)
    count = len(Blocks(source_of(bundle).index))
    third = list(range(2, count, 3))
    write_supplement(desk, tmp_path / "s1" / "x.resend.uvb", [7, *third[3:]], cut)
    check_refusal(desk.collect(tmp_path / "s1"), 4, "1 of 3 volumes is still needed: 3")
    assert desk.same(1)
    assert f"{STEM}.resend.uvb" in desk.there()
    before = desk.there()
    desk.collect(tmp_path / "s1")
    assert desk.there() == before
    write_supplement(desk, tmp_path / "s2" / "x.resend.uvb", third[:4], cut)
    done = desk.collect(tmp_path / "s2")
    assert (done.code, done.stdout) == (0, f"{desk.into}\n")
    assert desk.there() == sorted([*before, f"{STEM}-2.resend.uvb"])
    assert bundler("verify", desk.into, "--trust", desk.trust).code == 0


def test_nothing_is_written_before_the_signature_holds(desk, tmp_path):
    stranger = tmp_path / "stranger.pub"
    stranger.write_text(f"{Packer(2).key} stranger@site\n")
    done = bundler("collect", desk.drive("a", 0), "--into", desk.into, "--trust", stranger)
    check_refusal(done, 3, "no signature that counts")
    assert not desk.into.exists()


def test_the_bundle_that_was_begun_is_the_one_that_is_meant(desk, tmp_path):
    desk.collect(desk.drive("a", 0))
    newer = make_bundle(archives=[archive(small_content(9, size=3 * BLOCK))], serial=8, block_size=BLOCK)
    mixed = desk.drive("b", 1)
    make_set(newer, mixed, volumes=2, stem="newer")
    done = desk.collect(mixed)
    assert "newer.0001-of-0002.uvb: is volume 1 of 2 of another bundle than the one that" in done.stderr
    assert desk.there() == [desk.name(0), desk.name(1)]
    shutil.copy(mixed / "newer.0001-of-0002.uvb", desk.into)
    assert "has 2 of 5 volumes" in desk.collect(mixed).stderr
    desk.into = tmp_path / "fresh"
    done = desk.collect(mixed)
    assert desk.there() == ["plant-7-8.0001-of-0002.uvb", "plant-7-8.0002-of-0002.uvb"]
    assert "stale: serial 7, the newest here is 8" in done.stderr


def test_a_stopped_run_is_continued(desk):
    class Stopped(Silent):
        left = 8

        def advance(self, count):
            self.left -= count > 0
            if not self.left:
                raise KeyboardInterrupt

    drive = desk.drive("a", 0, 1)
    with pytest.raises(KeyboardInterrupt):
        collecting.collect([drive], desk.into, trust=PACKER.trust, progress=Stopped())
    assert desk.there() == [desk.name(0)]
    part = desk.into / ".collect" / f"{desk.name(1)}.part"
    begun = part.stat().st_size
    assert begun > BLOCK
    done = collecting.collect([drive], desk.into, trust=PACKER.trust, progress=Silent())
    assert desk.same(1)
    assert not part.exists()
    assert done.written == desk.files[1].stat().st_size - begun


def test_a_file_is_synced_before_it_gets_its_name_and_the_folder_after_it(desk, monkeypatch):
    done, fsync, replace, sync_folder = [], os.fsync, Path.replace, bringing.sync_folder
    monkeypatch.setattr(os, "fsync", lambda one: [done.append(os.fstat(one).st_size), fsync(one)])
    monkeypatch.setattr(Path, "replace", lambda one, to: [done.append(to.name), replace(one, to)])
    monkeypatch.setattr(bringing, "sync_folder", lambda one: [done.append(one.name), sync_folder(one)])
    desk.collect(desk.drive("a", 0))
    size = desk.files[0].stat().st_size
    at = done.index(size)
    assert [one for one in done[at:] if one in (size, desk.name(0), ".collect", "into", "state.json")] == [
        size, desk.name(0), ".collect", "into", "state.json",
    ]  # fmt: skip


def test_too_little_room_is_told_before_anything_is_copied(desk, monkeypatch):
    free = shutil.disk_usage(desk.folder)._replace(free=(16 << 20) + 300_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    assert desk.collect(desk.drive("a", 0)).code == 4
    check_refusal(desk.collect(desk.drive("b", 1, 2)), 6, "16.3 MiB are free, expected 16.4 MiB", "make room")
    assert desk.there() == [desk.name(0)]


def test_the_packing_list_tells_the_drive(desk):
    names = [one.name for one in desk.files]
    packing = PackingList().with_drive("A", names[:2]).with_drive("B", names[2:4])
    a = desk.drive("a", 0, 1)
    (a / "q4.drives").write_bytes(packing.to_bytes())
    check_refusal(desk.collect(a), 4, "by the packing list 3-4 on drive B")
    (a / "q4.drives").write_bytes(PackingList().with_drive("C", names[4:]).to_bytes())
    desk.collect(a)
    check_refusal(desk.collect(), 4, "by the packing list 3-4 on drive B, 5 on drive C")
    desk.collect(desk.drive("c", 2, 3))
    desk.into.joinpath(desk.name(0)).unlink()
    desk.into.joinpath(desk.name(1)).unlink()
    check_refusal(desk.collect(), 4, "by the packing list 1-2 on drive A, 5 on drive C")


@pytest.mark.parametrize(
    "content",
    [b"\xff\0", b"A: ../x\n", b"x" * 5_000_000, b"A: q4.0003-of-0040.uvb\n"],
    ids=["bytes", "path", "long", "of another cut"],
)
def test_a_packing_list_that_is_none_is_passed_over(desk, content):
    drive = desk.drive("a", 0)
    (drive / "q4.drives").write_bytes(content)
    done = desk.collect(drive)
    assert done.code == 4
    assert "packing list" not in done.stderr


@pytest.mark.parametrize("content", [b"{", b'{"index": 7}', b"\xff"])
def test_notes_that_cannot_be_read_are_as_none(desk, content):
    drive = desk.drive("a", 0, 1, 2, 3, 4)
    desk.collect(drive)
    state = desk.into / ".collect" / "state.json"
    assert json.loads(state.read_bytes())["index"] == source_of(desk.bundle).digest
    state.write_bytes(content)
    assert desk.collect().code == 0


def test_what_collect_refuses(desk, tmp_path):
    check_refusal(desk.collect(), 4, "into: nothing of a bundle is here or on a drive that was named")
    check_refusal(desk.collect(tmp_path / "none"), 2, "none: no such file or folder")
    assert not desk.into.exists()
    drive = desk.drive("a", 0)
    check_refusal(bundler("collect", drive, "--into", drive, "--trust", desk.trust), 2, "expected two places")
    desk.collect(drive)
    (tmp_path / "empty").mkdir()
    assert f"{tmp_path / 'empty'}: has no file of a bundle" in desk.collect(tmp_path / "empty").stderr
    with collecting._alone(desk.into):
        check_refusal(desk.collect(drive), 9, "another uv-bundler is collecting there")


def test_help_has_an_example_and_the_folder_has_a_variable(desk):
    assert "uv-bundler collect /media/usb --into" in bundler("collect", "--help").stdout
    desk.drive("a", 0, 1, 2, 3, 4)
    env = {"UV_BUNDLER_INTO": desk.into, "UV_BUNDLER_TRUST": desk.trust}
    done = process("collect", desk.folder / "a", env=env)
    assert (done.code, done.stdout) == (0, f"{desk.into}\n")
    assert f"complete: uv-bundler unpack {desk.into}\n" in done.stderr
