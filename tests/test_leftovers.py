"""What runs that were killed have left is removed by the next one, and nothing else is."""

from __future__ import annotations

import os
import sys

import pytest

from bundler.volumes.fileset import whole_files
from bundler.volumes.leftovers import swept

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked on Windows")
OURS = ".q4.0001-of-0006.uvb.0w4ktrgm.tmp"


def leave(folder, *names, age=3600.0):
    for name in names:
        (folder / name).write_bytes(b"half")
        then = (folder / name).stat().st_mtime - age
        os.utime(folder / name, (then, then))


def names(folder):
    return sorted(one.name for one in folder.iterdir())


def test_half_written_files_of_a_killed_run_are_removed(tmp_path):
    leave(tmp_path, OURS, ".q4.SHA256SUMS.abcdefgh.tmp")
    with whole_files(tmp_path) as files:
        files.create("q4.uvb").finish()
    assert names(tmp_path) == ["q4.uvb"]


def test_files_of_others_and_young_ones_stay(tmp_path):
    others = [
        ".notes.abcdefgh.tmp",
        "q4.uvb.0w4ktrgm.tmp",
        ".q4.uvb.part",
        ".q4.uvb.0w4ktrgm.tmp.txt",
        "q4.uvb",
    ]
    leave(tmp_path, *others)
    leave(tmp_path, OURS, age=60)
    (tmp_path / ".dir.uvb.abcdefgh.tmp").mkdir()
    with swept(tmp_path):
        pass
    assert names(tmp_path) == sorted([*others, OURS, ".dir.uvb.abcdefgh.tmp"])


def test_nothing_is_removed_while_another_run_is_at_work_there(tmp_path):
    with swept(tmp_path):
        leave(tmp_path, OURS)
        with swept(tmp_path):
            assert names(tmp_path) == [OURS]
    with swept(tmp_path):
        assert names(tmp_path) == []


def test_a_folder_that_is_not_there_is_no_matter(tmp_path):
    with swept(tmp_path / "none"):
        pass
