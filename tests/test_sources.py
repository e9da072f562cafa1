"""From a canonical URL and the configured sources to the places that are tried, in order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.connected import sources
from bundler.connected.sources import FolderIndex, candidates, folders, local_path
from bundler.core.digest import Digest
from bundler.core.uvnames import PBS_URL, cache_name, own_build_url

NAME = "cpython-3.13.5+20250708-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
ENCODED = NAME.replace("+", "%2B")
DASHED = NAME.replace("+", "-")
URL = f"{PBS_URL}20250708/{ENCODED}"
SHA = Digest.of(b"x")
PYPY = "https://downloads.python.org/pypy/pypy3.11-v7.3.19-linux64.tar.bz2"
GRAAL = "https://github.com/oracle/graalpython/releases/download/graal-24/graalpy-24-linux.tar.gz"


def test_without_mirrors_the_canonical_url_is_the_only_one():
    assert candidates(URL, mirrors=(), sha256=SHA) == (URL,)


def test_a_web_mirror_replaces_the_canonical_place_with_both_spellings_of_plus():
    assert candidates(URL, mirrors=["https://m.example/pbs/"], sha256=SHA) == (
        f"https://m.example/pbs/20250708/{ENCODED}",
        f"https://m.example/pbs/20250708/{NAME}",
    )


def test_several_sources_are_tried_in_order_the_canonical_one_where_it_is_named():
    assert candidates(URL, mirrors=["https://m.example", PBS_URL], sha256=SHA) == (
        f"https://m.example/20250708/{ENCODED}",
        f"https://m.example/20250708/{NAME}",
        URL,
        f"{PBS_URL}20250708/{NAME}",
    )


def test_pypy_and_graalpy_keep_their_own_place_behind_the_mirrors():
    assert candidates(PYPY, mirrors=["https://m.example"], sha256=SHA) == (
        "https://m.example/pypy3.11-v7.3.19-linux64.tar.bz2",
        PYPY,
    )
    assert candidates(GRAAL, mirrors=["https://m.example"], sha256=SHA) == (
        "https://m.example/graal-24/graalpy-24-linux.tar.gz",
        GRAAL,
    )


def test_a_site_that_no_mirror_layout_is_known_for_keeps_its_url():
    assert candidates("https://x.example/p.zip", mirrors=["https://m.example"], sha256=SHA) == (
        "https://x.example/p.zip",
    )


def test_an_own_build_is_never_looked_for_on_github():
    assert candidates(own_build_url("cpython.tar.gz", SHA), mirrors=(), sha256=SHA) == ()


@pytest.mark.parametrize(
    "place",
    [
        *(f"20250708/{name}" for name in (NAME, ENCODED, DASHED)),
        *(NAME, ENCODED, DASHED),
        cache_name(URL, SHA),
    ],
)
@pytest.mark.parametrize("spelling", [Path.as_uri, str])
def test_a_local_mirror_is_read_in_every_layout_that_people_have(tmp_path, place, spelling):
    root = tmp_path / "a mirror #1"
    (root / place).parent.mkdir(parents=True)
    (root / place).write_bytes(b"x")
    found = candidates(URL, mirrors=[spelling(root)], sha256=SHA)
    assert [local_path(url) for url in found] == [root / place]


def test_a_local_mirror_without_the_file_is_named_with_the_place_where_it_is_expected(tmp_path):
    assert candidates(URL, mirrors=[str(tmp_path)], sha256=None) == ((tmp_path / "20250708" / NAME).as_uri(),)


def test_only_local_mirrors_are_searched_by_digest(tmp_path):
    assert folders(["https://m.example", tmp_path.as_uri(), "/b"]) == (tmp_path, Path("/b"))


@given(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0/"), min_size=1))
def test_every_path_survives_the_way_through_its_url(name):
    path = Path("/mirror") / name
    assert local_path(path.as_uri()) == path


def test_files_are_found_by_digest_and_each_is_hashed_at_most_once(tmp_path, monkeypatch):
    hashed = []
    original = sources.hash_file
    monkeypatch.setattr(sources, "hash_file", lambda path: hashed.append(path.name) or original(path))
    for name, data in {"a": b"1", "b": b"22", "c": b"333"}.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "loop").symlink_to(tmp_path)
    index = FolderIndex([tmp_path])
    assert index.find(Digest.of(b"22"), size=2) == tmp_path / "b"
    assert hashed == ["b"]
    assert index.find(Digest.of(b"none")) is None
    assert index.find(Digest.of(b"333")) == tmp_path / "c"
    assert hashed == ["b", "a", "c"]


def test_a_folder_that_is_missing_holds_nothing(tmp_path):
    assert FolderIndex([tmp_path / "none"]).find(SHA) is None
