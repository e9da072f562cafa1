"""`collect`: drives in any order make the same set, what is still needed is told, and a run is continued."""

import json
import os
import shutil
from pathlib import Path

import pytest
from bundles import PACKER, Packer, archive, make_bundle, small_content
from cli import bundler, check_refusal, process
from drives import Desk
from volumes import BLOCK, make_set, small_blocks, source_of

from bundler.arriving import bringing, collecting
from bundler.core.progress import Silent
from bundler.media.drives import PackingList


@pytest.fixture(scope="module")
def bundle():
    return small_blocks()


@pytest.fixture
def desk(tmp_path, bundle):
    return Desk(tmp_path, bundle, volumes=5, parity=2)


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


def test_nothing_is_written_before_the_signature_holds(desk, tmp_path):
    stranger = tmp_path / "stranger.pub"
    stranger.write_text(f"{Packer(2).key} stranger@site\n")
    done = bundler("collect", desk.drive("a", 0), "--into", desk.into, "--trust", stranger)
    check_refusal(done, 3, f"error: {desk.folder / 'a' / desk.files[0].name}: no signature that counts")
    assert not desk.into.exists()


def test_volumes_that_a_stranger_signed_are_told_in_one_line_and_left(desk):
    drive = desk.drive("a", 0)
    strange = make_bundle(
        archives=[archive(small_content(9, size=3 * BLOCK))], packers=[Packer(2)], block_size=BLOCK
    )
    make_set(strange, drive, volumes=2, stem="strange")
    lines = [line for line in desk.collect(drive).stderr.splitlines() if "strange.0" in line]
    assert len(lines) == 1
    told = f"{drive / 'strange.0001-of-0002.uvb'} and 1 more: no signature that counts, expected one by"
    assert told in lines[0]
    assert desk.there() == [desk.name(0)]


def test_the_bundle_that_was_begun_is_the_one_that_is_meant(desk, tmp_path):
    desk.collect(desk.drive("a", 0))
    newer = make_bundle(archives=[archive(small_content(9, size=3 * BLOCK))], serial=8, block_size=BLOCK)
    mixed = desk.drive("b", 1)
    make_set(newer, mixed, volumes=2, stem="newer")
    done = desk.collect(mixed)
    one_line = f"newer.0001-of-0002.uvb and 1 more: are of another bundle than the one that {desk.into} has"
    assert one_line in done.stderr
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
    done = bundler("collect", "--into", tmp_path / "a spool", "--trust", desk.trust)
    check_refusal(done, 4, "nothing of a bundle is here", f"--into '{tmp_path / 'a spool'}'")
    (tmp_path / "gate").mkdir()
    (tmp_path / "gate" / "bundle.json").touch()
    done = desk.collect(tmp_path / "gate")
    check_refusal(done, 4, "nothing of a bundle is here", f"uv-bundler join {tmp_path / 'gate'} -o q4.uvb")
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
