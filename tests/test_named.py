"""What a person named is looked at once, and what lies beside it is told."""

from __future__ import annotations

import pytest
from losing import judge
from volumes import make_set, small_blocks

from bundler.volumes import named, survey
from bundler.volumes.inventory import gather
from bundler.volumes.named import name_of
from bundler.volumes.opening import opened


@pytest.fixture
def looked(monkeypatch):
    """Return the names of all files that are looked at, as often as they are."""
    real, names = survey.look, []

    def look(path, **how):
        names.append(path.name)
        return real(path, **how)

    monkeypatch.setattr(survey, "look", look)
    return names


def by_opened(paths):
    with opened(paths) as one:
        return one.notes


def by_gather(paths):
    return gather(paths, judge=judge)[0].notes


@pytest.mark.parametrize("notes", [by_opened, by_gather])
def test_files_that_are_named_are_looked_at_once_and_so_are_those_beside_them(tmp_path, looked, notes):
    files = make_set(small_blocks(), tmp_path, volumes=4)
    (told,) = notes(files[:2])
    assert told == f"{tmp_path}: has 2 more files of this bundle; name the folder to read them, too"
    assert looked == [one.name for one in files]
    assert notes(files) == notes([tmp_path]) == ()
    assert looked == [one.name for one in files] * 3


@pytest.mark.parametrize("notes", [by_opened, by_gather])
def test_companions_of_macos_are_told_and_not_looked_at(tmp_path, looked, notes):
    (tmp_path / "._q4.uvb").write_bytes(b"x")
    files = make_set(small_blocks(), tmp_path, volumes=2)
    assert notes([tmp_path]) == (f"{tmp_path / '._q4.uvb'}: is no part of a bundle (macOS makes such files)",)
    assert looked == [one.name for one in files]


def test_beside_files_that_were_named_so_many_others_are_looked_at_and_no_more(tmp_path, looked, monkeypatch):
    monkeypatch.setattr(named, "MAX_BESIDE", 2)
    files = make_set(small_blocks(), tmp_path, volumes=4)
    (told,) = by_opened(files[:1])
    assert "has 2 more files of this bundle" in told
    assert looked == [one.name for one in files[:3]]


def test_messages_name_the_first_path_and_count_the_others(tmp_path):
    assert name_of([tmp_path]) == str(tmp_path)
    assert name_of([tmp_path, tmp_path / "a", tmp_path / "b"]) == f"{tmp_path} and 2 more"
