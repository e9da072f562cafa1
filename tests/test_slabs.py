"""Streams of a delta: cut so that a reader can hold what stands before them, with few ranges."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from bundles import HOST
from hypothesis import given
from hypothesis import strategies as st
from quarters import tar_of

from bundler.connected import slabs
from bundler.connected.bundlewriter import Ingredient
from bundler.connected.heldcontent import HeldContent
from bundler.connected.pieces import UV, Cut, found
from bundler.connected.prefixzstd import compress_after
from bundler.connected.slabs import Slabs
from bundler.connected.streams import Content
from bundler.connected.tarparts import cut_tar
from bundler.core.decode import decode
from bundler.core.digest import Digest
from bundler.core.indexchecks import reach_of

OWNER = Cut(
    ingredient=Ingredient(
        path="new", size=1, sha256=Digest.of(b"new"), role="archive", platform=HOST, source=Path("x")
    )
)


def held(files):
    """Return a held archive of these files."""
    view = memoryview(tar_of(files))
    entries, _ = cut_tar(view)
    return HeldContent(
        sha256=Digest.of(view), size=1, inflate=True, view=view, entries=entries,
        by_name={one.name: one for one in entries},
    )  # fmt: skip


def contents(sizes, kind=None):
    """Return contents called f0, f1, … of these sizes."""
    made = []
    for number, size in enumerate(sizes):
        piece = found(0, 0, memoryview(bytes(size)), f"f{number}")._replace(kind=kind or "text")
        made.append(Content(owner=OWNER, piece=piece, path=piece.name, mode=0o644, groups={"g"}))
    return made


@pytest.fixture
def small(monkeypatch):
    """A reader that holds 96 KB, of which the window is at most 64."""
    monkeypatch.setattr(slabs, "_WINDOW", 64_000)
    monkeypatch.setattr(slabs, "_REACH", 96_000)


def test_old_versions_stand_before_what_changed_and_near_ones_are_one_range():
    old = held(
        {f"f{number}": bytes(9000) for number in range(4)} | {"far": bytes(600_000), "f4": bytes(9000)}
    )
    (slab,) = Slabs(held={"new": old})(contents([9000] * 5))
    first, last = slab.prefix
    places = {one.name: one.data for one in old.entries}
    assert (first.offset, first.length) == (places["f0"], places["f3"] + 9000 - places["f0"])
    assert (last.offset, last.length) == (places["f4"], 9000)


def test_without_an_old_version_there_is_no_prefix():
    (slab,) = Slabs(held={"new": held({"other": b"x" * 900})})(contents([9000]))
    assert slab.prefix == ()
    (slab,) = Slabs(held={"somebody": held({"f0": b"x" * 900})})(contents([9000]))
    assert slab.prefix == ()


def test_a_range_that_takes_more_of_the_index_than_it_can_save_is_left_out():
    (slab,) = Slabs(held={"new": held({"f0": b"x" * 199})})(contents([9000]))
    assert slab.prefix == ()
    (slab,) = Slabs(held={"new": held({"f0": b"x" * 200})})(contents([9000]))
    assert len(slab.prefix) == 1


@pytest.mark.usefixtures("small")
def test_streams_are_cut_where_a_reader_could_not_hold_more():
    old = held({f"f{number}": bytes(30_000) for number in range(6)})
    made = Slabs(held={"new": old})(contents([10_000] * 6))
    assert [[one.path for one in slab.contents] for slab in made] == [
        ["f0", "f1"],
        ["f2", "f3"],
        ["f4", "f5"],
    ]


@pytest.mark.usefixtures("small")
def test_old_versions_are_in_sight_to_the_end_of_a_stream_and_without_any_it_is_not_cut():
    old = held({f"f{number}": bytes(300) for number in range(6)})
    made = Slabs(held={"new": old})(contents([20_000] * 6))
    assert [len(slab.contents) for slab in made] == [2, 2, 2]
    assert [len(slab.contents) for slab in Slabs(held={})(contents([20_000] * 6))] == [6]


@pytest.mark.usefixtures("small")
def test_of_a_program_that_is_too_large_the_begin_of_the_old_one_is_taken():
    view = memoryview(bytes(90_000))
    old = HeldContent(sha256=Digest.of(view), size=90_000, inflate=False, view=view)
    (slab,) = Slabs(held={"new": old})(contents([90_000], UV))
    assert [(one.offset, one.length) for one in slab.prefix] == [(0, 96_000 - 64_000)]


@pytest.mark.usefixtures("small")
@given(st.lists(st.tuples(st.integers(1, 90_000), st.integers(0, 90_000)), min_size=1, max_size=12))
def test_no_reader_ever_holds_more_and_nothing_is_lost(pairs):
    old = held({f"f{number}": bytes(size) for number, (_, size) in enumerate(pairs)})
    wanted = contents([size for size, _ in pairs])
    made = Slabs(held={"new": old})(wanted)
    assert [one for slab in made for one in slab.contents] == wanted
    for slab in made:
        content = min(64_000, sum(one.piece.length + 2048 for one in slab.contents))
        assert content + sum(one.length for one in slab.prefix) <= 96_000
        assert all(one.offset + one.length <= len(old.view) for one in slab.prefix)


def test_the_room_is_what_the_format_gives():
    assert slabs._REACH < 96 << 20
    assert reach_of(0, ()) == 0


@pytest.mark.parametrize("level", [3, 5, 19])
@pytest.mark.parametrize("size", [1, 100, 300_000])
def test_a_reader_decodes_what_stands_behind_a_prefix(tmp_path, level, size):
    content = random.Random(1).randbytes(size)
    prefix = content[:-9] + b"another" if size > 100 else b"nothing of it"
    (tmp_path / "in").write_bytes(content)
    assert compress_after(
        prefix, tmp_path / "in", size, tmp_path / "out", level=level, advance=lambda _: None
    )
    stored = (tmp_path / "out").read_bytes()
    assert (
        b"".join(decode([stored], encoding="zstd", size=size, prefix=[prefix], reach=len(prefix))) == content
    )
    assert size <= 100 or len(stored) < 1000


@pytest.mark.usefixtures("small")
def test_gaps_are_joined_only_as_far_as_there_is_room():
    old = held(
        {"f0": bytes(10_000), "gap": bytes(100_000), "f1": bytes(10_000), "near": b"", "f2": bytes(900)}
    )
    (slab,) = Slabs(held={"new": old})(contents([10_000, 10_000, 10_000]))
    places = {one.name: one.data for one in old.entries}
    assert [(one.offset, one.length) for one in slab.prefix] == [
        (places["f0"], 10_000),
        (places["f1"], places["f2"] + 900 - places["f1"]),
    ]
