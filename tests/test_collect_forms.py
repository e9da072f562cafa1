"""`collect` where blocks come in other forms: files copied by hand, one file, another cut, a supplement."""

import shutil

import pytest
from bundles import PACKER, Packer
from cli import bundler, check_refusal
from drives import STEM, Desk, content_of, spoil
from volumes import blocks_of, make_set, small_blocks, source_of

from bundler.core import ustar
from bundler.core.blocks import Blocks
from bundler.core.cut import Cut
from bundler.core.volumehead import RESEND, Head


@pytest.fixture(scope="module")
def bundle():
    return small_blocks()


@pytest.fixture
def desk(tmp_path, bundle):
    return Desk(tmp_path, bundle, volumes=5, parity=2)


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
