"""Files of a set, read at places: as many as a set may have, and few of them open."""

from __future__ import annotations

import os

import pytest

from bundler.volumes import handles
from bundler.volumes.handles import Handles


@pytest.fixture
def files(tmp_path):
    """Write six files, and return their paths."""
    paths = [tmp_path / f"{number}.uvb" for number in range(6)]
    for number, path in enumerate(paths):
        path.write_bytes(b"%d" % number * 100)
    return paths


@pytest.fixture
def opened(monkeypatch):
    """Return the names of the files that are opened, in their order."""
    names, real = [], handles.open_regular
    monkeypatch.setattr(handles, "open_regular", lambda path: (names.append(path.name), real(path))[1])
    return names


def test_any_number_of_files_is_read_and_the_one_not_read_for_longest_is_closed(files, opened, monkeypatch):
    monkeypatch.setattr(handles, "MAX_OPEN", 2)
    held = Handles()
    for number in (0, 1, 0, 2, 0, 1):
        assert held.read(files[number], 98, 9) == b"%d" % number * 2
        assert len(held._open) <= 2
    held.close()
    assert opened == ["0.uvb", "1.uvb", "2.uvb", "1.uvb"]
    assert held._open == {}


def test_what_is_no_file_is_an_error_of_the_system(tmp_path):
    held = Handles()
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(OSError, match=path.name):
            held.read(path, 0, 1)
    held.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no open file")
def test_a_file_that_stays_open_is_the_one_that_it_was(files):
    held = Handles()
    assert held.read(files[0], 0, 1) == b"0"
    files[1].replace(files[0])
    assert held.read(files[0], 0, 1) == b"0"
    held.close()
    assert held.read(files[0], 0, 1) == b"1"
    held.close()
