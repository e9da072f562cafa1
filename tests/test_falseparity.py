"""`verify --strict`: nothing is missing, nothing is damaged, and the parity would recover what it should."""

from __future__ import annotations

import contextlib
import hashlib

import pytest
from bundles import PACKER
from cli import bundler as run
from forging import CUT, false_parity, head, volume
from losing import CUTS, bundle, files_of, put
from volumes import BLOCK, source_of

from bundler.core import erasure, ustar
from bundler.core.cut import Cut, Layout, parity_name
from bundler.core.progress import Silent
from bundler.core.volumehead import DATA
from bundler.volumes import falseparity
from bundler.volumes.shelf import Shelf
from bundler.volumes.survey import list_files, look_at

WITH_PARITY = [cut for cut in CUTS if cut.parity]


@pytest.fixture
def strictly(tmp_path):
    """Lend a function that runs `verify --strict` on files in a folder."""
    (tmp_path / "trust").write_text(PACKER.line + "\n")

    def verify(files, *more):
        put(tmp_path / "set", files)
        return run("verify", tmp_path / "set", "--trust", tmp_path / "trust", *more)

    return lambda files: verify(files, "--strict")


def volumes_of(cut):
    return [name for name in files_of(cut) if name.endswith(".uvb")]


def names_of_parity(cut):
    return [name for name in volumes_of(cut) if ".p0" in name or ".parity." in name]


def flipped(cut, name, *, back=2000):
    """Return the files with one bit of one of them changed, so many bytes before its end."""
    files = files_of(cut)
    data = files[name]
    return files | {name: data[:-back] + bytes([data[-back] ^ 1]) + data[-back + 1 :]}


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_a_set_as_it_was_written_passes(strictly, cut):
    done = strictly(files_of(cut))
    assert (done.code, done.stdout) == (0, ""), done.stderr
    assert "every byte is as signed" in done.stderr


@pytest.mark.parametrize("cut", WITH_PARITY, ids=str)
def test_a_volume_that_parity_would_recover_is_missing_all_the_same(strictly, cut):
    files = files_of(cut)
    del files[names_of_parity(cut)[0] if cut.whole else min(volumes_of(cut))]
    done = strictly(files)
    assert done.code == (0 if cut.whole else 4), done.stderr  # a bundle in one file is whole without parity
    assert cut.whole or "missing: 1" in done.stderr


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_one_flipped_bit_in_a_block_is_damage_all_the_same(strictly, cut):
    name = min(set(volumes_of(cut)) - set(names_of_parity(cut)))
    done = strictly(flipped(cut, name, back=300_000 if cut.whole else 2000))
    assert (done.code, done.stdout) == (5, ""), done.stderr
    assert not cut.parity or "1 block recovered from parity" in done.stderr


def test_one_flipped_bit_between_the_members_of_one_file_is_damage_too(strictly):
    done = strictly(flipped(CUTS[3], "q4.uvb"))
    assert (done.code, done.stdout) == (5, ""), done.stderr
    assert "q4.uvb: byte 802816: the header or the padding of payload/uv/0.13.8/" in done.stderr


@pytest.mark.parametrize("cut", WITH_PARITY, ids=str)
def test_one_flipped_bit_in_parity_is_damage_all_the_same(strictly, cut):
    name = names_of_parity(cut)[-1]
    done = strictly(flipped(cut, name))
    assert (done.code, done.stdout) == (5, ""), done.stderr
    assert f"{name}: parity cell " in done.stderr
    assert (
        "1 file damaged, expected none" in done.stderr
    )  # and not of no use, though that would be told as well


@pytest.mark.parametrize("cut", WITH_PARITY, ids=str)
def test_parity_that_would_recover_nothing_is_told_by_its_name(strictly, cut):
    files, names = files_of(cut), names_of_parity(cut)
    files[names[-1]] = false_parity(len(names), cut=cut)
    done = strictly(files)
    assert (done.code, done.stdout) == (5, ""), done.stderr
    error, step = done.stderr.splitlines()[-2:]
    assert "1 parity file of no use, expected none: " in error
    assert f"{names[-1]}: parity cell " in error
    assert step.startswith("uv-bundler: next: copy these files once more")


@pytest.mark.parametrize("cut", WITH_PARITY, ids=str)
def test_one_false_cell_is_enough(strictly, cut):
    names, layout = names_of_parity(cut), Layout(source_of(bundle()).index, cut)
    *_, (group, row, column) = layout.parity_cells(len(names) - 1)
    size, good = layout.row_size(group, row), files_of(cut)[names[-1]]
    cell = bytes(size)
    name = parity_name(group, row, column, hashlib.sha256(cell).hexdigest())
    bad = good[: -ustar.stored_size(size) - len(ustar.END)] + ustar.member(name, cell) + ustar.END
    done = strictly(files_of(cut) | {names[-1]: bad})
    assert done.code == 5, done.stderr
    assert f"{names[-1]}: parity cell {column + 1} of row {row + 1} " in done.stderr


def test_without_strict_parity_is_compared_with_its_own_digests_alone(strictly, tmp_path):
    files = files_of(CUT)
    files["q4.p0002-of-0002.uvb"] = false_parity(2)
    strictly(files)
    done = run("verify", tmp_path / "set", "--trust", tmp_path / "trust")
    assert done.code == 0, done.stderr


def test_a_false_cell_is_found_where_not_all_columns_of_a_row_are_made_at_once(strictly, monkeypatch):
    monkeypatch.setattr("bundler.volumes.rowmemory.ROW_BYTES", BLOCK)
    cut = Cut(volumes=5, parity=3)
    assert strictly(files_of(cut)).code == 0
    for number in (1, 2, 3):
        name = f"q4.p{number:04d}-of-0003.uvb"
        done = strictly(files_of(cut) | {name: false_parity(number, cut=cut)})
        assert (done.code, f"{name}: parity cell {number} of row 1 " in done.stderr) == (5, True), done.stderr


def test_parity_of_which_no_file_is_there_is_not_made(tmp_path, monkeypatch):
    made = []

    class Counting(erasure.Encoder):
        def __init__(self, *, parity, size):
            made.append(len(parity))
            super().__init__(parity=parity, size=size)

    monkeypatch.setattr(erasure, "Encoder", Counting)
    put(tmp_path, files_of(CUT) | {"a.uvb": volume(head(DATA, 1, Cut(volumes=100, parity=100)))})
    with contextlib.closing(Shelf(source_of(bundle()).index, look_at(list_files([tmp_path])))) as shelf:
        assert falseparity.false_parity(shelf, Silent()) == {}
    assert set(made) == {CUT.parity}
