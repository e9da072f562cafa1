import os
import tempfile
from pathlib import Path

import pytest
from bundles import PACKER
from cli import bundler, check_refusal
from forging import with_a_false_signature
from hypothesis import assume, given, settings
from losing import CUTS, files_of, look_at, losses, put

from bundler.core.progress import Silent
from bundler.errors import DamagedFault, SignatureFault, UsageFault
from bundler.offline.front import as_members
from bundler.offline.front import files_of as front_of
from bundler.volumes.needed import needed
from bundler.volumes.repairing import write_good
from bundler.volumes.source import Source

WIDE, BARE, GROUPS, WHOLE = CUTS


@settings(max_examples=40, deadline=None)
@given(losses())
def test_what_is_within_parity_is_written_anew_byte_for_byte(case):
    cut, files = case
    with tempfile.TemporaryDirectory() as scratch:
        folder, good = put(Path(scratch) / "set", files), Path(scratch) / "good"
        try:
            found, inventory = look_at(folder)
        except (DamagedFault, SignatureFault, UsageFault):
            assume(False)
        assume(not needed(inventory).blocks)
        assume(inventory.main.cut == cut)  # with all parity gone, a set of one file is one file
        good.mkdir()
        digest = found.signed.digest
        wanting = inventory.wanting(digest)
        source = Source(
            front=b"".join(as_members(front_of(found.signed))), index=inventory.index, digest=digest
        )
        write_good(good, wanting=wanting, inventory=inventory, source=source, progress=Silent())
        whole = files_of(cut)
        assert {one.name: one.read_bytes() for one in good.iterdir()} == {
            name: data for name, data in whole.items() if files.get(name) != data
        }
        assert {one.name: one.read_bytes() for one in folder.iterdir()} == files


@pytest.fixture
def desk(tmp_path):
    (tmp_path / "packer.pub").write_text(f"{PACKER.key} packer@site\n")
    return tmp_path


def repair(desk, *words):
    return bundler("repair", desk / "set", "--trust", desk / "packer.pub", "--to", desk / "good", *words)


def test_it_says_what_it_repaired(desk):
    files = files_of(WIDE)
    first, second, *_ = files
    put(
        desk / "set",
        {name: data for name, data in files.items() if name != first} | {second: files[second][:-5]},
    )
    done = repair(desk)
    good = desk / "good"
    assert (done.code, done.stdout) == (0, f"{good / first}\n{good / second}\n")
    assert f"{desk / 'set' / second}: cut off: " in done.stderr
    assert f"{good / first}: volume 1 of 5, which was missing\n" in done.stderr
    assert f"{good / second}: volume 2 of 5, which was damaged\n" in done.stderr
    assert {one.name: one.read_bytes() for one in good.iterdir()} == {
        name: files[name] for name in (first, second)
    }


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (with_a_false_signature, "its signatures or trust documents are not those of the other files"),
        (lambda data: data.replace(b"With stock tools", b"With stick tools", 1), "VOLUME is damaged"),
        (lambda data: data[:-1] + b"x", "expected the end at byte "),
        (lambda data: data + b"x", "expected the end at byte "),
    ],
)
def test_what_is_wrong_around_the_blocks_is_told_and_repaired_as_well(desk, spoil, wrong):
    files = files_of(WIDE)
    name = min(files)
    put(desk / "set", files | {name: spoil(files[name])})
    done = repair(desk)
    assert (done.code, done.stdout) == (0, f"{desk / 'good' / name}\n"), done.stderr
    assert f"{desk / 'set' / name}: damaged: {wrong}" in done.stderr
    assert (desk / "good" / name).read_bytes() == files[name]


def test_a_set_that_is_right_is_left_alone(desk):
    put(desk / "set", files_of(WIDE))
    done = repair(desk)
    assert (done.code, done.stdout) == (0, "")
    assert "nothing to repair, every byte is as it was written" in done.stderr
    assert not (desk / "good").exists()


def test_damaged_copies_beside_good_ones_need_no_repair_and_it_says_so(desk):
    files = files_of(WIDE)
    first, second, *_ = files
    put(desk / "set", files | {f"old-{one}": files[one][:-5] for one in (first, second)})
    done = repair(desk)
    assert (done.code, done.stdout) == (0, "")
    assert f"old-{first}: cut off: " in done.stderr
    assert "nothing to repair: the bundle is whole without the 2 damaged files, which can go\n" in done.stderr
    assert "every byte" not in done.stderr
    assert not (desk / "good").exists()


def test_a_file_in_the_place_of_the_folder_is_told_before_anything_is_read(desk):
    (desk / "good").touch()
    told = f"{desk / 'good'}: is a file, expected a folder for good copies"
    check_refusal(repair(desk), 2, told, "name a folder with --to")


def test_too_little_is_refused_with_the_next_step_and_nothing_is_written(desk):
    files = files_of(WIDE)
    put(desk / "set", dict(list(files.items())[3:]))
    done = repair(desk)
    check_refusal(done, 4, "more than parity recovers", f"uv-bundler missing {desk / 'set'}")
    assert not (desk / "good").exists()


def test_too_much_rot_is_damage(desk):
    files = files_of(BARE)
    name = next(iter(files))
    files[name] = files[name][:-9000] + b"x" + files[name][-8999:]
    put(desk / "set", files)
    check_refusal(repair(desk), 5, "1 block lost", "uv-bundler missing")


def test_good_copies_are_not_written_to_the_medium_nor_over_other_files(desk):
    files = files_of(WIDE)
    first = next(iter(files))
    put(desk / "set", dict(list(files.items())[1:]))
    done = bundler("repair", desk / "set", "--trust", desk / "packer.pub", "--to", desk / "set")
    check_refusal(
        done, 2, "holds files of the bundle itself, expected a folder elsewhere", "nothing is written"
    )
    put(desk / "good", {first: b"mine"})
    check_refusal(repair(desk), 2, f"{desk / 'good' / first}: is there already", "name another folder")
    assert os.listdir(desk / "good") == [first]
    assert sorted(os.listdir(desk / "set")) == sorted(list(files)[1:])


def test_renamed_volumes_count_and_are_not_repaired(desk):
    files = {f"{number}.uvb": data for number, data in enumerate(files_of(GROUPS).values())}
    put(desk / "set", files)
    done = repair(desk)
    assert (done.code, done.stdout) == (0, "")
    put(desk / "set", {"5.uvb": b""})
    done = repair(desk)
    assert [Path(line).name for line in done.stdout.splitlines()] == ["plant-7-7.0006-of-0007.uvb"]


def test_somebody_who_is_not_trusted_is_not_repaired(desk):
    put(desk / "set", dict(list(files_of(WIDE).items())[1:]))
    from bundles import Packer

    (desk / "packer.pub").write_text(f"{Packer(2).key} packer@site\n")
    check_refusal(repair(desk), 3, "no signature that counts")
    assert not (desk / "good").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows takes none of these names")
@pytest.mark.parametrize(
    "stem", [b"\x1b[31mred\nline", b"\xff\xfe", b"L" * 235, "\u202eabc".encode(), b"a\\b"]
)
def test_a_name_that_somebody_gave_to_all_volumes_is_kept_only_where_people_can_read_it(desk, stem):
    files = files_of(WIDE)
    put(
        desk / "set",
        {name.replace("q4", os.fsdecode(stem)): files[name] for name in list(files)[1:]},
    )
    done = repair(desk)
    assert done.code == 0, done.stderr
    assert [one.name for one in (desk / "good").iterdir()] == ["plant-7-7.0001-of-0005.uvb"]
    assert not set(done.stdout + done.stderr) & set("\x1b\u202e\udcff")
