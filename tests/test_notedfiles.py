"""What is wrong with a file is noted where it is read, once, and nothing is raised."""

from __future__ import annotations

from contextlib import closing

import pytest

from bundler.core import ustar
from bundler.volumes import notedfiles
from bundler.volumes.notedfiles import NotedFiles
from bundler.volumes.spots import Spot
from bundler.volumes.survey import Seen

HEADER = ustar.header("blocks/1", 700)
CELL = ustar.member("blocks/1", b"a" * 700)


@pytest.fixture
def lay(tmp_path):
    """Return a function that writes a file with a byte before `data`; it returns the spot of a cell there."""

    def lay(data, *, header=HEADER):
        path = tmp_path / "x.uvb"
        path.write_bytes(b"-" + data)
        at = 1 if header else 1 + ustar.BLOCK
        return Spot(seen=Seen(path=path, size=1 + len(data)), at=at, header=header, size=700)

    return lay


def noted(files):
    return [(harm.first, harm.count) for harm in files.harm.values()]


def test_what_is_as_it_should_be_leaves_no_note(lay):
    with closing(NotedFiles()) as files:
        assert files.content(lay(CELL)) == b"a" * 700
        assert files.content(lay(CELL, header=b"")) == b"a" * 700
        assert files.member(lay(CELL)) == CELL
        assert files.read(lay(CELL).seen, len(CELL) - 1, 9) == CELL[-2:]
        assert noted(files) == []


@pytest.mark.parametrize("at", [0, 511, 512 + 700, len(CELL) - 1])
def test_a_wrong_header_or_padding_is_noted_and_the_content_read_all_the_same(at, lay):
    wrong = bytearray(CELL)
    wrong[at] ^= 1
    with closing(NotedFiles()) as files:
        assert files.content(lay(bytes(wrong))) == b"a" * 700
        assert noted(files) == [("byte 1: the header or the padding of a cell is damaged", 1)]


@pytest.mark.parametrize("what", [NotedFiles.content, NotedFiles.member])
def test_a_file_that_ends_too_early_is_noted_once_whatever_is_read_of_it(what, lay):
    with closing(NotedFiles()) as files:
        spot = lay(CELL[:800])
        assert what(files, spot) is what(files, spot) is None
        assert noted(files) == [("ends at byte 801, expected more", 1)]


def test_a_file_that_was_cut_off_since_it_was_looked_at_is_noted_too(lay):
    spot = lay(CELL)
    spot.seen.path.write_bytes(b"-" + CELL[:800])
    with closing(NotedFiles()) as files:
        assert files.member(spot) is None
        assert noted(files) == [(f"ends at byte {1 + len(CELL)}, expected more", 1)]


def test_what_cannot_be_read_is_noted_with_the_reason(lay):
    spot = lay(CELL)
    spot.seen.path.unlink()
    with closing(NotedFiles()) as files:
        assert files.read(spot.seen, 5, 1) is None
        assert noted(files) == [(f"byte 5: {spot.seen.path}: No such file or directory", 1)]


def test_the_same_is_noted_once_and_of_too_much_only_the_first_of_each_file(tmp_path, monkeypatch):
    monkeypatch.setattr(notedfiles, "_MAX_NOTED", 3)
    files = NotedFiles()
    for name in ("a", "b"):
        seen = Seen(path=tmp_path / name, size=0)
        for number in (1, 1, 2, 3, 4, 5):
            files.note(seen, f"place {number}")
    assert noted(files) == [("place 1", 3), ("place 1", 1)]
