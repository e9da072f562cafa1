import hashlib
import io
import json
import random

import pytest
from auditlogs import BASE, BUNDLE, EVENTS, add, facts, follow, log_of, verdict
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.core.fault import Fault
from bundler.offline.auditlog import EVENTS as EVENT_NAMES
from bundler.offline.auditlog import (
    MAX_ITEMS,
    MAX_LINE,
    OUTCOMES,
    START,
    Chain,
    End,
    Entry,
    Stump,
    end_of,
    write_line,
)

LOG = log_of(*EVENTS)
LINES = LOG.splitlines(keepends=True)
HEAD = follow(LOG)[1].head


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# --- one line -------------------------------------------------------------------------------------------------


def test_a_line_is_exactly_this():
    assert write_line({**BASE, **EVENTS[1], "sudo_user": None}, number=2, previous="b2" * 32) == (
        b'{"number": 2, "previous": "'
        + b"b2" * 32
        + b'", "time": "2026-11-20T20:48:40Z", "event": "unpack", '
        b'"outcome": "done", "exit_code": 0, "user": "root", "uid": 0, "host": "plant7", "tool": "uv-bundler 1", '
        b'"command": "uv-bundler unpack q4.uvb", "bundle": {"name": "plant-7", "release": "2026Q4", "serial": 2, '
        b'"index_sha256": "' + b"a1" * 32 + b'", "file": "/media/usb/q4.uvb"}, '
        b'"signers": [{"name": "anna", "fingerprint": "SHA256:x"}], "serial_before": 1, "serial_after": 2, '
        b'"generation_before": 3, "generation_after": 4}\n'
    )


HOSTILE = ("\x1b[2J", "a\nb", "a\r\n{}", "\x7f", "\x9b31m", "\u202etxt.exe", "\u2028", '"}\n{"number": 9', "\x00", "\udcff", "\U0001f600")  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_stays_in_its_line_and_out_of_the_terminal(text):
    log = log_of({**EVENTS[0], "message": text, "user": text, "bundle": {**BUNDLE, "file": text}}, EVENTS[1])
    assert log.count(b"\n") == 2
    assert all(0x20 <= byte < 0x7F for byte in log.replace(b"\n", b""))
    expected = text if text != "\udcff" else "\\udcff"
    assert facts(log)[0]["message"] == facts(log)[0]["user"] == facts(log)[0]["bundle"]["file"] == expected


def test_a_long_text_is_cut_at_1000_characters():
    message = facts(log_of({**EVENTS[0], "message": "é" * 1001}))[0]["message"]
    assert message == "é" * 999 + "…"
    message = facts(log_of({**EVENTS[0], "message": "é" * 1000}))[0]["message"]
    assert message == "é" * 1000


def test_the_longest_facts_still_make_a_line_of_at_most_64_kib():
    long = "\U0001f600" * 5000  # twelve bytes each, escaped
    trust = {"name": long, "version": 2**62, "sha256": "c3" * 32}
    event = {
        **dict.fromkeys(("user", "sudo_user", "host", "tool", "command", "reason", "message"), long),
        "bundle": {**BUNDLE, "name": long, "release": long, "file": long},
        "signers": [{"name": long, "fingerprint": long}] * 50, "trust_before": trust, "trust_after": trust,
        "event": "trust", "outcome": "done",
    }  # fmt: skip
    log = log_of(event)
    assert len(log) <= MAX_LINE + 1
    read = facts(log)[0]
    assert read["message"] == "\U0001f600" * 99 + "…"
    assert len(read["signers"]) == MAX_ITEMS


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"serail_before": 1}, "serail_before: unknown key"),
        (
            {"event": "reboot"},
            "event: expected one of unpack, install, rollback, recover, trust; found 'reboot'",
        ),
        ({"outcome": "ok"}, "outcome: expected one of begun, done, nothing, refused, failed; found 'ok'"),
        ({"bundle": {"name": "x"}}, "bundle.release: missing, but required"),
        ({"bundle": {**BUNDLE, "size": 1}}, "bundle.size: unknown key"),
        ({"signers": [{"name": "x", "fingerprint": "y", "key": "z"}]}, "signers[0].key: unknown key"),
        ({"serial_after": 0}, "serial_after: expected 1 to"),
        ({"user": None}, "user: missing, but required"),
    ],
)
def test_facts_that_the_format_does_not_have_are_a_bug_of_the_writer(event, message):
    with pytest.raises(Fault) as caught:
        log_of({**EVENTS[0], **event})
    assert str(caught.value).startswith(message)


TEXT = st.text(max_size=300)  # short enough that no line grows beyond 64 KiB
NUMBER = st.integers(1, 2**63 - 1)
DIGEST = st.text("0123456789abcdef", min_size=64, max_size=64)
TRUST = st.fixed_dictionaries({"name": TEXT, "version": NUMBER, "sha256": DIGEST})
EVENT = st.fixed_dictionaries(
    {
        "event": st.sampled_from(EVENT_NAMES), "user": TEXT, "host": TEXT, "command": TEXT, "tool": TEXT,
        "outcome": st.sampled_from(OUTCOMES), "time": st.just("0001-01-01T00:00:00Z"),
    },
    optional={
        "exit_code": st.integers(0, 255), "uid": st.integers(0, 2**32), "sudo_user": TEXT, "reason": TEXT, "message": TEXT,
        "bundle": st.fixed_dictionaries(
            {"name": TEXT, "release": TEXT, "serial": NUMBER, "index_sha256": DIGEST}, optional={"file": TEXT}
        ),
        "signers": st.lists(st.fixed_dictionaries({"name": TEXT, "fingerprint": TEXT}), max_size=2),
        **dict.fromkeys(("serial_before", "serial_after", "generation_before", "generation_after"), NUMBER),
        "trust_before": TRUST, "trust_after": TRUST,
    },
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENT, max_size=4))
def test_whatever_is_appended_reads_back_equal(events):
    found = facts(log_of(*events))
    for number, (read, event) in enumerate(zip(found, events, strict=True), 1):
        assert (read.pop("number"), len(read.pop("previous"))) == (number, 64)
        bundle = {"bundle": {"file": None, **event["bundle"]}} if "bundle" in event else {}
        signers = {"signers": tuple(event["signers"])} if "signers" in event else {}
        expected = {**BASE, **event, **bundle, **signers}
        assert read == expected


# --- the chain ------------------------------------------------------------------------------------------------


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


# --- crashes --------------------------------------------------------------------------------------------------


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


# --- what other versions, or other people, write --------------------------------------------------------------


def raw(number, previous, **more):
    return json.dumps({"number": number, "previous": previous, **BASE, **more}).encode()


def test_what_a_later_version_adds_is_passed_over_and_stays_in_the_raw_line():
    line = raw(
        1, START, event="trust-reset", outcome="postponed", colour="red", bundle={**BUNDLE, "sha512": "x"}
    )
    (entry,), _ = follow(line)
    assert (entry.facts["event"], entry.facts["outcome"]) == ("trust-reset", "postponed")
    assert entry.facts["bundle"] == BUNDLE
    assert "colour" not in entry.facts
    assert entry == Entry(number=1, raw=line, facts=entry.facts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event": "\x1b"}, "line 1: event: expected a word, found the string '\\x1b'"),
        ({"event": "a" * 41}, "line 1: event: expected a word, found the string "),
        ({"time": "yesterday"}, "line 1: time: expected a UTC time, YYYY-MM-DDThh:mm:ssZ, found 'yesterday'"),
        ({"exit_code": "8"}, "line 1: exit_code: expected a whole number, found the string '8'"),
        ({"signers": ["anna"]}, "line 1: signers[0]: expected a mapping, found the string 'anna'"),
        ({"user": None}, "line 1: user: expected a string, found nothing"),
    ],
)
def test_an_entry_that_fits_and_is_not_ours_is_told(change, message):
    assert verdict(raw(1, START, **{"event": "unpack", "outcome": "done", **change})).startswith(message)


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{", b"[]", b"{}", b"null", b"x" * 9, b"\0" * 9, b'{"number": 1}', raw(0, START), raw(-1, START), raw(True, START),
        raw("1", START), raw(1, START[1:]), raw(1, "A" * 64), raw(1, None), raw(1.0, START), raw(10**12 + 1, START),
        raw(1, START) + b" ", b" " + raw(1, START), raw(1, START) + b"\r", b"\xef\xbb\xbf" + raw(1, START), raw(1, START)[:-1] + b"\x1b}",
        raw(1, START, user="\udcff"), raw(1, START)[:-1] + b', "number": 1}', json.dumps({"number": 1, "previous": START, "a": "é"}, ensure_ascii=False).encode(),
        b'{"number": 1, "previous": "' + START.encode() + b'", "a": "' + b"a" * MAX_LINE + b'"}',
    ],
    ids=lambda line: ascii(line[:40]),
)  # fmt: skip
def test_what_is_no_entry_is_a_stump_whose_bytes_are_never_interpreted(line):
    lines, chain = follow(line + b"\n" + b"")
    assert lines == [Stump(line=1, size=len(line))]
    assert chain.head == sha256(line)
    assert end_of(line + b"\n", complete=True) == End(number=0, head=sha256(line))


def test_a_line_of_exactly_64_kib_is_an_entry_and_one_byte_more_is_none():
    short = raw(1, START, event="unpack", outcome="done", padding="")
    line = raw(1, START, event="unpack", outcome="done", padding="a" * (MAX_LINE - len(short)))
    assert len(line) == MAX_LINE
    assert isinstance(follow(line + b"\n")[0][0], Entry)
    assert isinstance(follow(line.replace(b"aa", b"aaa", 1) + b"\n")[0][0], Stump)


def test_a_line_without_end_is_read_in_flat_memory():
    import tracemalloc

    stream = io.BytesIO(random.Random(1).randbytes(1 << 16).replace(b"\n", b"") * 400)
    tracemalloc.start()
    list(Chain().follow(stream))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
