"""`send`: which files go, in which order and rounds, and what is said of those that are not here."""

import shutil
from dataclasses import replace
from itertools import pairwise

import pytest
from losing import bundle, supplement
from senders import all_of, short
from volumes import make_set, small_blocks, source_of

from bundler.connected.parcels import gather, one_round, parse_only, rounds
from bundler.core.cut import Cut
from bundler.core.ticket import Ticket
from bundler.errors import DamagedFault, IncompleteFault, UsageFault


@pytest.fixture(scope="module")
def set_of(tmp_path_factory):
    """Six volumes in two groups, each with a parity volume of its own."""
    folder = tmp_path_factory.mktemp("made") / "set"
    make_set(small_blocks(), folder, volumes=6, parity=1, groups=2)
    return folder


def test_what_a_shell_makes_of_a_star_is_understood(set_of):
    assert all_of(*set_of.iterdir()) == all_of(set_of)


def test_volumes_go_as_they_count_and_parity_last(set_of):
    assert short(one_round(all_of(set_of), interleave=False)) == ["+", *"123456", "p1", "p2"]


def test_interleaved_parity_stands_between_the_volumes_and_groups_take_turns(set_of):
    ordered = one_round(all_of(set_of), interleave=True)
    assert short(ordered) == ["+", "1", "2", "3", "4", "p1", "p2", "5", "6"]
    volumes = ordered[1:]
    assert all(one.group != other.group for one, other in pairwise(volumes))


def test_rounds_are_whole_and_keep_two_copies_as_far_apart_as_can_be(set_of):
    sequence = [parcel for _, parcel in rounds(all_of(set_of), repeat=3, interleave=False)]
    assert sequence == one_round(all_of(set_of), interleave=False) * 3


@pytest.mark.parametrize(("files", "few"), [(7, 0), (8, 1), (20, 1), (30, 1), (60, 1), (96, 7)])
def test_what_loses_every_nth_file_does_not_lose_the_same_ones_in_each_interleaved_round(set_of, files, few):
    (one,) = all_of(set_of)
    data = tuple(replace(one.data[0], number=number) for number in range(files))
    many = replace(one, loose=(), data=data, parity=())
    sequence = [parcel.number for _, parcel in rounds([many], repeat=2, interleave=True)]
    assert sorted(sequence) == sorted([*range(files)] * 2)
    for every in range(2, files // 2):
        for first in range(every):
            come = {number for place, number in enumerate(sequence) if place % every != first}
            assert files - len(come) <= few, (every, first)


def test_only_the_volumes_that_were_asked_for_are_sent(set_of):
    wanted = all_of(set_of, only=parse_only("5, 2-3,p2"))
    assert short(one_round(wanted, interleave=False)) == ["2", "3", "5", "p2"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("7", [("data", 7)]),
        ("p1-3", [("parity", 1), ("parity", 2), ("parity", 3)]),
        ("p1-p2,1-2,1", [("parity", 1), ("parity", 2), ("data", 1), ("data", 2)]),
    ],
)
def test_lists_of_volumes_are_read_as_people_write_them(text, meant):
    assert list(parse_only(text)) == meant


@pytest.mark.parametrize("text", ["", "0", "7,", "3-1", "1-p2", "q1", "p", "1..3", "00001", "-1"])
def test_other_lists_are_refused(text):
    with pytest.raises(UsageFault, match="--only: expected numbers of volumes such as 7,19,p2,31-33, found"):
        parse_only(text)


def test_a_volume_that_the_set_does_not_have_or_that_is_not_here_is_refused(set_of, tmp_path):
    with pytest.raises(UsageFault, match="volume 7 was asked for, but the set has 6 volumes"):
        all_of(set_of, only=parse_only("7"))
    some = tmp_path / "some"
    shutil.copytree(set_of, some)
    (some / "q4.0003-of-0006.uvb").unlink()
    with pytest.raises(IncompleteFault, match="volume 3 was asked for, and is not here"):
        all_of(some, only=parse_only("3"))


def test_what_is_not_here_is_said_and_the_others_are_sent(set_of, tmp_path):
    some, said = tmp_path / "some", []
    shutil.copytree(set_of, some)
    (some / "q4.0003-of-0006.uvb").unlink()
    (some / "q4.p0001-of-0002.uvb").unlink()
    (some / "junk.uvb").write_bytes(b"no bundle")
    (one,) = gather([some], only=None, note=said.append)
    assert short(one.parcels) == ["+", "1", "2", "4", "5", "6", "p2"]
    assert [line.removeprefix("warning: ").removeprefix(str(some)) for line in said] == [
        (
            "/junk.uvb: not sent: ends at byte 9 within a member's header, which needs 503 bytes more: the file is "
            "cut off, or is no bundle"
        ),
        ": 1 of 6 volumes is missing, and not sent: 3",
        ": 1 of 2 parity volumes is missing, and not sent: 1",
    ]
    with pytest.raises(DamagedFault, match="junk.uvb: ends at byte 9"):
        all_of(some / "junk.uvb")


def test_a_supplement_is_sent_alone_and_nothing_is_said_of_the_volumes(tmp_path):
    ticket = Ticket(index=source_of(bundle()).digest, cut=Cut(volumes=6), blocks=(range(2),))
    said = []
    (one,) = gather([supplement(tmp_path / "s.uvb", ticket)], only=None, note=said.append)
    assert (len(one.loose), one.data, one.parity, said) == (1, (), (), [])


def test_two_bundles_are_sent_one_after_the_other_but_not_two_cuts_or_two_of_a_name(set_of, tmp_path):
    other = tmp_path / "other"
    make_set(small_blocks(serial=8), other, volumes=2, stem="q5")
    assert short(one_round(all_of(set_of, other), interleave=False)) == [
        "+",
        *"123456",
        "p1",
        "p2",
        "+",
        "1",
        "2",
    ]
    with pytest.raises(UsageFault, match="--only: expected files of one bundle, found those of 2"):
        all_of(set_of, other, only=parse_only("1"))
    for stem in ("q4", "Q4"):  # what takes them on may not tell them apart
        same = tmp_path / f"same {stem}"
        make_set(small_blocks(serial=9), same, volumes=6, parity=1, groups=2, stem=stem)
        with pytest.raises(UsageFault, match="has the name of .*, expected names that differ"):
            all_of(set_of, same)
    again = tmp_path / "again"
    make_set(small_blocks(), again, volumes=3)
    with pytest.raises(UsageFault, match="are of the same bundle, cut in two ways"):
        all_of(set_of, again)
