"""Files of more cuts than are read, or of larger ones, beside a set: how large they are proves nothing."""

from __future__ import annotations

import os

import pytest
from bundles import PACKER, Packer
from cli import bundler as run
from forging import false_parity
from losing import bundle, files_of, judge, look_at, put, verify
from volumes import small_blocks, source_of

from bundler.arriving.collecting import collect
from bundler.core.cut import Cut, Layout
from bundler.core.progress import Silent
from bundler.core.volumehead import DATA, RESEND, Head
from bundler.volumes.crowding import MAX_CUTS, kept_cuts, right_blocks
from bundler.volumes.opening import opened
from bundler.volumes.shelf import Shelf
from bundler.volumes.survey import list_files
from bundler.volumes.survey import look_at as look_at_files

CUT = Cut(volumes=5, parity=2)
LOST = "q4.0002-of-0005.uvb"


def holed(path, cut, *, kind=DATA, size=1 << 40):
    """Make a file that says it is a volume of this cut, and has a hole in place of its cells."""
    source = source_of(bundle())
    path.write_bytes(source.opening(Head(kind=kind, number=1, cut=cut, index=source.digest)))
    os.truncate(path, size)


@pytest.fixture
def drive(tmp_path):
    """A good set, one volume of which parity has to give."""
    return put(tmp_path / "drive", {name: data for name, data in files_of(CUT).items() if name != LOST})


def check(drive, into):
    """Assert that the set is read as if nothing lay beside it."""
    verify(drive)
    _, inventory = look_at(drive)
    assert inventory.main.cut == CUT
    made = collect([drive], into, trust=PACKER.trust, progress=Silent())
    assert made.stock.layout.cut == CUT
    assert made.stock.shortage() == 0


@pytest.mark.parametrize("name", ["a", "z"])
def test_a_crowd_of_holes_pushes_no_set_out(drive, tmp_path, name):
    for number in range(MAX_CUTS + 4):
        holed(drive / f"{name}{number}.uvb", Cut(volumes=20 + number))
    check(drive, tmp_path / "into")
    assert run("join", drive, "-o", tmp_path / "one.uvb").code == 0  # nobody is asked who signed it
    assert (tmp_path / "one.uvb").read_bytes() == bundle()


@pytest.mark.parametrize("kind", [DATA, RESEND])
def test_one_large_hole_beside_a_set_decides_no_cut(drive, tmp_path, kind):
    holed(drive / "a.uvb", Cut(volumes=9, parity=1), kind=kind)
    check(drive, tmp_path / "into")


def test_parity_that_looks_right_decides_no_cut(drive, tmp_path):
    for number in range(1, 31):
        path = drive / f"a{number}.uvb"
        path.write_bytes(false_parity(number, cut=Cut(volumes=6, parity=30)))
    check(drive, tmp_path / "into")


def test_of_each_cut_about_as_many_blocks_are_right_as_are_there(drive):
    source = source_of(bundle())
    holed(drive / "a.uvb", Cut(volumes=3))
    (drive / "whole.uvb").write_bytes(bundle())
    files = look_at_files(list_files([drive]))
    blocks = sum(len(member.blocks) for member in source.index.members)
    right = right_blocks(files, source.index)
    assert right.pop(None) == blocks
    assert right.pop(Cut(volumes=3)) == 0
    assert 0.6 * blocks < right.pop(CUT) < blocks
    assert not right
    assert kept_cuts(files, source.index) == kept_cuts(files, None) == {CUT, Cut(volumes=3)}


@pytest.mark.parametrize("supplement", [False, True])
def test_a_bundle_in_one_file_with_one_wrong_block_costs_no_parity(drive, tmp_path, supplement):
    if supplement:
        holed(drive / "b.uvb", Cut(volumes=6, parity=2, whole=True), kind=RESEND, size=20_000)
    data = bytearray(bundle())
    data[-5000] ^= 1  # a block that parity has to give
    (drive / "a.uvb").write_bytes(data)
    (drive / "q4.0005-of-0005.uvb").unlink()
    verify(drive)
    made = collect([drive], tmp_path / "into", trust=PACKER.trust, progress=Silent())
    assert made.stock.layout.cut == CUT
    assert made.stock.shortage() == 0
    verify(tmp_path / "into")


def test_a_supplement_may_be_the_only_file_that_says_how_the_bundle_is_cut(tmp_path):
    drive = put(tmp_path / "drive", {"a.uvb": bundle()[:-70_000]})
    cut = Cut(volumes=6, parity=2, whole=True)
    holed(drive / "b.uvb", cut, kind=RESEND, size=20_000)
    made = collect([drive], tmp_path / "into", trust=PACKER.trust, progress=Silent())
    assert made.stock.layout.cut == cut
    assert made.stock.shortage() > 0


def test_a_cut_whose_parity_gave_a_row_is_asked_first_for_the_next_one(drive, monkeypatch):
    for number in range(1, 5):
        for volumes in (6, 7, 8):
            path = drive / f"a{volumes}-{number}.uvb"
            path.write_bytes(false_parity(number, cut=Cut(volumes=volumes, parity=4)))
    asked, parity = [], Shelf.parity

    def noted(self, cut, group, row, column, **only):
        asked.append(cut)
        return parity(self, cut, group, row, column, **only)

    monkeypatch.setattr(Shelf, "parity", noted)
    with opened([drive], judge=judge) as found:
        reader, index = found.source, source_of(bundle()).index
        reader.begin(index)
        for member in index.members:
            list(reader.blocks(member, block_size=index.block_size))
    rows = Layout(index, CUT).rows(0)
    first = asked.index(CUT)
    assert first > 0
    assert set(asked[first:]) == {CUT}
    assert len(asked) - first >= rows - 1


def test_a_file_of_somebody_else_that_has_a_volume_s_name_is_not_written_over(drive, tmp_path):
    other = files_of(CUT)
    stranger = small_blocks(archives=1, blocks=1, packers=(Packer(9, name="mallory@site"),))
    into = put(
        tmp_path / "into",
        {
            "plant-7-7.0001-of-0005.uvb": b"mine",
            "plant-7-7.0003-of-0005.uvb": stranger,
            "plant-7-7.0004-of-0005.uvb": other["q4.0004-of-0005.uvb"][:-90_000],
        },
    )
    for _ in range(2):
        made = collect([drive], into, trust=PACKER.trust, progress=Silent())
        assert made.stock.shortage() == 0
        assert (into / "plant-7-7.0001-of-0005.uvb").read_bytes() == b"mine"
        assert (into / "plant-7-7.0003-of-0005.uvb").read_bytes() == stranger
        assert (into / "plant-7-7.0004-of-0005.uvb").read_bytes() == other["q4.0004-of-0005.uvb"]
        assert len([one for one in into.iterdir() if one.suffix == ".uvb"]) == 8
    verify(into)
