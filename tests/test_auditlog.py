"""A line of the audit log: how facts are written and read back, and what is no entry."""

import io
import json
import random

import pytest
from auditlogs import BASE, BUNDLE, EVENTS, facts, follow, log_of, sha256, verdict
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
