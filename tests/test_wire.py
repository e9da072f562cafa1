"""SSH wire strings: read to the last byte, refused where two readings are possible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.core.fault import Fault
from bundler.signing import wire


@given(st.binary(max_size=200), st.integers(min_value=1, max_value=2**600), st.integers(0, 2**32 - 1))
def test_what_was_written_is_read_back(data, number, small):
    reader = wire.Reader(wire.string(data) + wire.mpint(number) + wire.uint32(small))
    assert (reader.string("a"), reader.mpint("b"), reader.uint32("c")) == (data, number, small)
    reader.end("all")


def test_numbers_are_written_as_rfc_4251_shows_them():
    examples = {0: "00000000", 0x80: "000000020080", 0x9A378F9B2E332A7: "0000000809a378f9b2e332a7"}
    assert {number: wire.mpint(number).hex() for number in examples} == examples


def test_a_negative_number_is_not_written():
    with pytest.raises(ValueError, match="expected a number that is not negative, found -1"):
        wire.mpint(-1)


@given(st.binary(min_size=1, max_size=40), st.data())
def test_a_string_that_is_cut_anywhere_is_refused(data, draw):
    whole = wire.string(data)
    cut = draw.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Fault):
        wire.Reader(whole[:cut]).string("field")


@pytest.mark.parametrize(
    ("data", "read", "message"),
    [
        (b"\0\0", lambda r: r.uint32("version"), "version: expected 4 bytes, found 2"),
        (b"\0\0\0\5abc", lambda r: r.string("key"), "key: expected 5 bytes, found 3"),
        (b"\xff\xff\xff\xff", lambda r: r.string("key"), "key: expected 4294967295 bytes, found 0"),
        (b"", lambda r: r.byte("flags"), "flags: expected 1 bytes, found 0"),
        (wire.string(b"a b"), lambda r: r.text("type"), "type: expected printable ASCII, found b'a b'"),
        (wire.string(b"a\x1b"), lambda r: r.text("type"), "type: expected printable ASCII, found b'a\\x1b'"),
        (wire.string(b""), lambda r: r.mpint("r"), "r: expected a number above zero"),
        (wire.string(b"\x80"), lambda r: r.mpint("r"), "r: expected a number above zero"),
        (
            wire.string(b"\0"),
            lambda r: r.mpint("r"),
            "r: expected a number above zero without needless leading zeros",
        ),
        (
            wire.string(b"\0\x7f"),
            lambda r: r.mpint("r"),
            "r: expected a number above zero without needless leading zeros",
        ),
        (b"ab", lambda r: r.end("blob"), "blob: expected its end, found 2 more bytes"),
    ],
)
def test_what_does_not_fit_is_refused(data, read, message):
    with pytest.raises(Fault) as caught:
        read(wire.Reader(data))
    assert caught.value.message == message


def test_the_rest_is_everything_that_is_left():
    reader = wire.Reader(b"\1abc")
    assert (reader.byte("first"), reader.rest(), reader.rest()) == (1, b"abc", b"")
