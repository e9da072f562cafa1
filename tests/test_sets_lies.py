"""Parity that lies beside the true one, and how much of a row is recovered at once."""

from __future__ import annotations

import pytest
from bundles import PACKER
from cli import bundler as run
from forging import CUT, false_parity
from losing import bundle, files_of, put, verify
from volumes import BLOCK, source_of

from bundler.core.cut import Cut
from bundler.errors import DamagedFault


@pytest.mark.parametrize(
    ("cut", "lost", "false"),
    [
        (CUT, (0,), (1,)),
        (CUT, (0,), (1, 2)),
        (CUT, (0, 3), (1,)),
        (CUT, (1, 2), (2,)),
        (CUT, (1, 2), (1, 2)),
        (Cut(volumes=5, parity=4), (0, 1, 2), (2, 3)),
        (Cut(volumes=7, parity=1, groups=2), (0, 1), (1, 2)),
    ],
)
@pytest.mark.parametrize("name", ["a", "z"])
def test_parity_that_is_a_lie_beside_the_true_one_recovers_as_if_it_was_not_there(
    tmp_path, cut, lost, false, name
):
    files = files_of(cut)
    for number in lost:
        del files[sorted(files_of(cut))[number]]
    lies = {f"{name}{number}.uvb": false_parity(number, cut=cut) for number in false}
    assert verify(put(tmp_path, files | lies)).index == source_of(bundle()).index


@pytest.mark.parametrize("lie", [1, 2, 3])
def test_one_lie_in_the_place_of_parity_is_survived_where_there_is_one_cell_more(tmp_path, lie):
    cut = Cut(volumes=5, parity=3)
    files = files_of(cut)
    del files["q4.0002-of-0005.uvb"], files["q4.0004-of-0005.uvb"]
    files[f"q4.p{lie:04d}-of-0003.uvb"] = false_parity(lie, cut=cut)
    verify(put(tmp_path, files))


def test_no_more_of_a_row_is_recovered_than_packers_let_it_have(tmp_path, monkeypatch):
    files = files_of(CUT)
    del files["q4.0001-of-0005.uvb"], files["q4.0004-of-0005.uvb"]
    put(tmp_path, files)
    monkeypatch.setattr("bundler.volumes.rowmemory.ROW_BYTES", 2 * BLOCK)
    verify(tmp_path)
    monkeypatch.setattr("bundler.volumes.rowmemory.ROW_BYTES", 2 * BLOCK - 1)
    with pytest.raises(DamagedFault, match="too little of its row is left"):
        verify(tmp_path)


@pytest.mark.parametrize("cut", [Cut(volumes=5, parity=2), Cut(volumes=6, parity=2, whole=True)], ids=str)
def test_parity_of_a_row_is_made_again_a_part_at_a_time_where_all_of_it_is_too_much(
    tmp_path, monkeypatch, cut
):
    monkeypatch.setattr("bundler.volumes.rowmemory.ROW_BYTES", BLOCK)
    files = files_of(cut)
    lost = [name for name in files if ".p0" in name or "parity" in name]
    folder = put(tmp_path / "set", {name: data for name, data in files.items() if name not in lost})
    if cut.whole:  # the cut is known by a parity file alone
        put(folder, {lost[0]: files[lost[0]][:-3000] + bytes(3000)})
    (tmp_path / "trust").write_text(PACKER.line + "\n")
    done = run("repair", folder, "--to", tmp_path / "good", "--trust", tmp_path / "trust")
    assert done.code == 0, done.stderr
    assert {one.name: one.read_bytes() for one in (tmp_path / "good").iterdir()} == {
        name: files[name] for name in lost
    }
