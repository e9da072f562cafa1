"""`receive`: files that anybody can make of a bundle that is known, in any number; what they hold counts."""

from __future__ import annotations

import pytest
from forging import false_parity, head, volume
from losing import bundle, files_of, verify
from receivers import Far
from volumes import blocks_of, source_of

from bundler.arriving import receivedset
from bundler.core import ustar
from bundler.core.cut import Cut, Layout
from bundler.core.volumehead import DATA, PARITY, RESEND
from bundler.volumes.crowding import MAX_CUTS

CUT = Cut(volumes=5)


@pytest.fixture
def far(tmp_path):
    side = Far(tmp_path, stalled=0)
    yield side
    side.stop()


def forged(cut, *, number=1, right=1):
    """Return a volume of this cut of which so many blocks are right, and all others zeros."""
    layout, good, cells = Layout(source_of(bundle()).index, cut), list(blocks_of(bundle())), []
    for place, block in enumerate(layout.volume_blocks(number - 1)):
        data = good[block] if place < right else bytes(len(good[block]))
        cells.append(ustar.member(layout.blocks.name(block), data))
    return volume(head(DATA, number, cut), b"".join(cells))


def arrive(far, files):
    for name, data in files.items():
        (far.watch / name).write_bytes(data)
    return far.settle()


def test_a_crowd_of_cuts_makes_no_complete_bundle_unreadable(far):
    for number in range(1, MAX_CUTS + 2):
        cut = Cut(volumes=1, parity=number)
        arrive(far, {"a.uvb": forged(cut), "b.uvb": false_parity(1, cut=cut)})
    report = arrive(far, files_of(CUT))
    assert [(one.state, one.data.total) for one in report.bundles] == [("complete", 5)]
    verify(far.folder())


def test_blocks_in_more_cuts_than_are_read_make_no_bundle_complete(far):
    blocks = len(list(blocks_of(bundle())))
    assert blocks > MAX_CUTS
    for volumes in range(blocks, 2 * blocks):  # one block in each, and another one each time
        arrive(far, {"a.uvb": forged(Cut(volumes=volumes), number=volumes - blocks + 1)})
    (state,) = far.report.bundles
    if not far.announced:
        assert state.state == "receiving"
    else:
        verify(far.folder())


def test_supplements_without_a_block_and_parity_of_none_are_not_kept(far):
    arrive(far, {name: files_of(CUT)[name] for name in list(files_of(CUT))[:1]})
    there = far.here()
    for volumes in range(1, 30):
        arrive(far, {"a.uvb": volume(head(RESEND, 1, Cut(volumes=volumes)))})
        arrive(far, {"a.uvb": volume(head(PARITY, 900 + volumes, Cut(volumes=9000, parity=10, groups=100)))})
    assert far.here() == there


def test_of_damaged_supplements_with_the_same_blocks_so_many_are_kept(far, monkeypatch):
    monkeypatch.setattr(receivedset, "MAX_SUPPLEMENTS", 2)
    layout, good = Layout(source_of(bundle()).index, CUT), list(blocks_of(bundle()))
    for number in range(4):
        right = {block: good[block] if block == number else bytes(len(good[block])) for block in range(4)}
        cells = b"".join(ustar.member(layout.blocks.name(block), data) for block, data in right.items())
        arrive(far, {"a.uvb": volume(head(RESEND, 1, CUT), cells)})
    assert len(far.here()) == 2
    assert far.waiting == []


def test_of_a_crowd_no_more_is_kept_than_brings_something(far, monkeypatch):
    crowd = {f"{number}.uvb": forged(Cut(volumes=20 + number)) for number in range(3 * MAX_CUTS)}
    arrive(far, crowd | {f"p{one}.uvb": false_parity(1, cut=Cut(volumes=one, parity=2)) for one in (2, 3, 4)})
    assert len(far.here()) <= MAX_CUTS
    monkeypatch.setattr(receivedset, "MAX_KEPT", len(far.here()))
    arrive(far, {"p.uvb": false_parity(2, cut=Cut(volumes=2, parity=2))})
    assert len(far.here()) == receivedset.MAX_KEPT
    assert arrive(far, files_of(CUT)).bundles[0].state == "complete"
    verify(far.folder())


def test_a_crowd_that_holds_all_blocks_in_too_many_cuts_gives_way_to_a_set(far):
    blocks = len(list(blocks_of(bundle())))
    for volumes in range(blocks, 2 * blocks):
        arrive(far, {"a.uvb": forged(Cut(volumes=volumes), number=volumes - blocks + 1)})
    assert far.announced == []
    assert arrive(far, files_of(CUT)).bundles[0].state == "complete"
    verify(far.folder())


def bad_header():
    data, source = bytearray(bundle()), source_of(bundle())
    data[len(source.front) + ustar.stored_size(source.index.members[0].size) + 120] ^= 1
    return bytes(data)


@pytest.mark.parametrize("wrong", [bundle()[: -len(ustar.END)], bad_header()], ids=["end", "header"])
def test_a_bundle_in_one_file_of_which_one_byte_is_wrong_is_not_complete_and_a_good_copy_takes_its_place(
    far, wrong
):
    report = arrive(far, {"a.uvb": wrong})
    assert far.announced == []
    assert (report.exit_code, report.bundles[0].data.damaged) == (5, (1,))
    report = arrive(far, {"a.uvb": bundle()})
    assert (report.bundles[0].state, report.bundles[0].files) == ("complete", 1)
    verify(far.folder())
