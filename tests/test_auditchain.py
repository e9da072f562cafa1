"""The lines of an audit log hold each other: changes, lines that are gone, and crashes at every byte are told."""

import json

import pytest
from auditlogs import EVENTS, add, facts, follow, log_of, sha256, verdict
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.offline.auditlog import START, End, Stump, end_of

LOG = log_of(*EVENTS)
LINES = LOG.splitlines(keepends=True)
HEAD = follow(LOG)[1].head


def test_each_line_holds_the_sha256_of_the_one_before():
    assert [json.loads(line)["previous"] for line in LINES] == [
        START, *(sha256(line.rstrip(b"\n")) for line in LINES[:-1])
    ]  # fmt: skip
    lines, chain = follow(LOG)
    assert [line.raw for line in lines] == LOG.splitlines()
    assert (chain.head, chain.entries, chain.stumps) == (sha256(LINES[-1].rstrip(b"\n")), 4, 0)


def test_an_empty_log_has_no_entries_and_its_head_is_zeros():
    lines, chain = follow(b"")
    assert (lines, chain.entries, chain.head) == ([], 0, START)


def check_detected(changed, at):
    """Assert that a change is told, or that it shows in the head: the former wherever a later entry covers it."""
    found = verdict(changed)
    assert found != HEAD, at
    covered = (
        at < len(LOG) - len(LINES[-1]) - 1
    )  # the newline before the last entry: without it there is none
    assert found.startswith("line ") or not covered, at


def test_every_flipped_byte_is_told_and_in_the_last_line_it_shows_in_the_head():
    for at in range(len(LOG) - 1):
        for flip in (1 << at % 8, LOG[at] ^ 0x0A or 0x80, LOG[at] ^ 0x22 or 0x80):
            changed = bytearray(LOG)
            changed[at] ^= flip
            check_detected(bytes(changed), at)


@pytest.mark.slow
def test_every_byte_with_every_other_value_is_told():
    for at in range(len(LOG) - 1):
        for flip in range(1, 256):
            changed = bytearray(LOG)
            changed[at] ^= flip
            check_detected(bytes(changed), at)


def test_every_inserted_and_every_removed_byte_is_told_and_in_the_last_line_it_shows_in_the_head():
    for at in range(len(LOG) - 1):
        check_detected(LOG[:at] + LOG[at + 1 :], at)
        for byte in (b"\n", b"\0", b" ", b"1"):
            check_detected(LOG[:at] + byte + LOG[at:], at)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ((1, 2, 3), "line 1: number is 2, expected 1"),
        ((0, 2, 3), "line 2: number is 3, expected 2"),
        ((0, 1, 3), "line 3: number is 4, expected 3"),
        ((1, 0, 2, 3), "line 1: number is 2, expected 1"),
        ((0, 2, 1, 3), "line 2: number is 3, expected 2"),
        ((0, 0, 1, 2, 3), "line 2: number is 1, expected 2"),
        ((0, 1, 2, 2, 3), "line 4: number is 3, expected 4"),
    ],
)
def test_lines_removed_reordered_or_doubled_are_told(order, message):
    assert verdict(b"".join(LINES[number] for number in order)) == message


def test_a_line_exchanged_for_one_that_fits_is_told_at_the_next_one():
    before = b"".join(LINES[:2])
    forged = add(before, {**EVENTS[2], "message": "all is well"})
    found, expected = sha256(LINES[2].rstrip(b"\n")), sha256(forged[len(before) :].rstrip(b"\n"))
    assert verdict(forged + LINES[3]) == f"line 4: previous is {found}, expected {expected}"


def test_a_log_cut_off_anywhere_is_a_shorter_log_with_another_head():
    heads = {follow(b"".join(LINES[:count]))[1].head: count for count in range(len(LINES) + 1)}
    for size in range(len(LOG) - 1):
        lines, chain = follow(LOG[:size])
        whole = LOG[:size].count(b"\n") + (LOG[size : size + 1] == b"\n")
        assert chain.entries == whole
        assert chain.head != HEAD
        if LOG[:size].endswith(b"\n") or not size or LOG[size : size + 1] == b"\n":
            assert heads[chain.head] == whole
            assert chain.stumps == 0
        else:
            assert chain.head not in heads
            assert lines[-1] == Stump(line=whole + 1, size=size - LOG.rfind(b"\n", 0, size) - 1)


def test_a_newline_that_is_missing_at_the_end_changes_nothing():
    assert verdict(LOG[:-1]) == HEAD
    assert verdict(add(LOG[:-1], EVENTS[0])) == verdict(add(LOG, EVENTS[0]))


def test_after_a_crash_at_every_byte_of_an_append_the_next_line_ties_on():
    done = b"".join(LINES[:3])
    for size in range(len(LINES[3])):
        log = add(done + LINES[3][:size], EVENTS[3])
        lines, chain = follow(log)
        assert log.startswith(done + LINES[3][:size])
        written = size == len(LINES[3]) - 1  # all but the newline: an entry, not a stump
        assert (chain.entries, chain.stumps) == ((5, 0) if written else (4, int(size > 0)))
        assert facts(log)[-1]["reason"] == "no uv"
        assert size == 0 or written or lines[3] == Stump(line=4, size=size)


def test_what_stands_before_a_stump_and_the_stump_itself_are_covered_by_the_next_line():
    begun = b"".join(LINES[:2])
    log = begun + LINES[2][:50]
    log = add(log, EVENTS[2])
    covered = len(log)
    log = add(log, EVENTS[3])
    assert len(facts(log)) == 4
    for at in range(covered - 1):
        changed = bytearray(log)
        changed[at] ^= 1 << at % 8
        assert verdict(bytes(changed)).startswith("line "), at


def test_crash_after_crash_every_stump_is_covered():
    log = LINES[0]
    for size in (200, 1, 30, 90):
        log += (b"" if log.endswith(b"\n") else b"\n") + LINES[1][:size]
    log = add(log, EVENTS[1])
    chain = follow(log)[1]
    assert (chain.entries, chain.stumps, chain.lines) == (2, 4, 6)
    for at in range(log.rfind(b"\n", 0, -1)):
        changed = bytearray(log)
        changed[at] ^= 1 << at % 8
        assert verdict(bytes(changed)).startswith("line "), at


def test_a_crash_in_the_very_first_line_leaves_a_stump_that_the_next_one_covers():
    log = add(LINES[0][:20], EVENTS[0])
    assert json.loads(log.splitlines()[1])["previous"] == sha256(LINES[0][:20])
    assert facts(log)[0]["number"] == 1


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 4),
    st.lists(st.binary(max_size=20) | st.sampled_from([b"\n", b"\r\n", b"{", LINES[1][:99], b'{"number": 1}\n', b"\0" * 9]), max_size=6),
)  # fmt: skip
def test_a_reader_from_the_start_and_a_writer_from_the_end_agree(count, garbage):
    """Whatever a power cut leaves behind the last entry: zeros, parts of lines, newlines."""
    log = b"".join(LINES[:count]) + b"".join(garbage)
    chain = follow(log)[1]
    assert end_of(log, complete=True) == End(number=chain.entries, head=chain.head)
    more = add(log, EVENTS[0])
    assert follow(more)[1].entries == chain.entries + 1
    assert more.startswith(log)


def test_the_end_is_found_in_a_part_of_the_log_or_not_at_all():
    end = end_of(LOG, complete=True)
    assert end == End(number=4, head=HEAD)
    size = len(LINES[3])
    assert end_of(LOG[-size - 1 :], complete=False) == end
    assert end_of(LOG[-size:], complete=False) is None  # whether the line began before cannot be seen
    assert end_of(LOG[-size + 1 :], complete=False) is None
    assert end_of(b"x" * 1000, complete=False) is None
