import io
import random
import struct
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.connected import zipparts
from bundler.connected.gzipparts import Literal
from bundler.connected.zipparts import Packed, cut_zip

TEXT = b"import this\n" * 400
MEMBERS = {
    "pip/__init__.py": TEXT,
    "pip/empty.py": b"",
    "pip/t64.exe": random.Random(1).randbytes(900),
    "é": b"abc" * 99,
}


def made(members=MEMBERS, *, level=6, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method, compresslevel=level)
    return out.getvalue()


def check(data, proved=None):
    """Return the members, having checked that the parts, encoded again by zlib itself, are all bytes of the file."""
    spool = io.BytesIO(b"before")
    spool.seek(0, 2)
    parts = cut_zip(memoryview(data), spool, proved={} if proved is None else proved)
    if parts is None:
        assert spool.getvalue() == b"before"
        return None
    joined, found = b"", {}
    for part in parts:
        assert part.offset == len(joined)
        if isinstance(part, Literal) or part.encoder is None:
            joined += data[part.offset : part.offset + part.length]
        else:
            content = spool.getvalue()[part.content : part.content + part.size]
            state = zlib.compressobj(int(part.encoder.split("-")[1]), zlib.DEFLATED, -15, 8)
            joined += state.compress(content) + state.flush()
            found[part.name] = content
    assert joined == data
    return found


@pytest.mark.parametrize("level", range(1, 10))
def test_members_of_every_level_come_apart_and_together(level):
    assert check(made(level=level)) == {name: content for name, content in MEMBERS.items() if content}


def test_members_that_are_stored_are_contents_too():
    data = made(method=zipfile.ZIP_STORED) + made()
    spool = io.BytesIO()
    parts = cut_zip(memoryview(data[len(data) - len(made()) :]), spool, proved={})
    assert any(isinstance(one, Packed) and one.encoder for one in parts)
    mixed = io.BytesIO(made())
    with zipfile.ZipFile(mixed, "a") as archive:
        archive.writestr("stored", b"as it is", compress_type=zipfile.ZIP_STORED)
    parts = cut_zip(memoryview(mixed.getvalue()), io.BytesIO(), proved={})
    stored = next(one for one in parts if isinstance(one, Packed) and one.name == "stored")
    assert stored.encoder is None
    assert mixed.getvalue()[stored.content : stored.content + stored.size] == b"as it is"


def test_a_member_that_zlib_does_not_write_stays_as_it_is():
    content = b"a" * 400
    body = (
        bytes([0b0000_0001]) + struct.pack("<HH", 400, 0xFFFF - 400) + content
    )  # stored, where zlib would encode
    data = made({"plain": content})
    begin = data.index(b"plain") + 5
    short = made({"plain": content})
    size = struct.unpack("<I", short[18:22])[0]
    foreign = bytearray(short[:begin] + body + short[begin + size :])
    struct.pack_into("<I", foreign, 18, len(body))
    central = foreign.index(b"PK\1\2")
    struct.pack_into("<I", foreign, central + 20, len(body))
    end = foreign.index(b"PK\5\6")
    struct.pack_into("<I", foreign, end + 16, central)
    with zipfile.ZipFile(io.BytesIO(bytes(foreign))) as archive:
        assert archive.read("plain") == content
    assert check(bytes(foreign)) is None


def test_a_bomb_in_a_zip_is_left_alone():
    found = check(made({"a": TEXT, "bomb": bytes(9 << 20)}))
    assert list(found) == ["a"]


def test_what_was_proved_is_not_encoded_again(monkeypatch):
    from bundler.connected import zipparts

    proved = {}
    first = check(made(), proved)
    monkeypatch.setattr(zipparts.catalog, "native", lambda _name: pytest.fail("encoded again"))
    assert check(made(), proved) == first


def test_what_was_proved_of_one_body_is_no_word_for_another():
    content = b" ".join(b"%d" % (n * n % 997) for n in range(4000))
    proved = {}
    check(made({"a": content}, level=6), proved)
    other = made({"a": content}, level=1)
    assert other != made({"a": content}, level=6)
    assert check(other, proved) == {"a": content}
    assert len(proved) == 2


def test_two_entries_for_one_body_are_a_doubt():
    data = made({"a": TEXT})
    central, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    entry = data[central:end]
    for count, found in ((1, {"a": TEXT}), (2, None)):
        tail = b"PK\5\6" + struct.pack("<4H2IH", 0, 0, count, count, count * len(entry), central, 0)
        assert check(data[:central] + count * entry + tail) == found


DOUBTS = {
    "empty": b"",
    "no zip": TEXT,
    "an empty zip": made({}),
    "all stored": made(method=zipfile.ZIP_STORED),
    "bytes before it": b"#!/bin/sh\n" + made(),
    "cut off": made()[:-1],
    "another name in the local header": made().replace(b"pip/t64.exe", b"pip/T64.exe", 1),
}


@pytest.mark.parametrize("data", DOUBTS.values(), ids=DOUBTS)
def test_on_any_doubt_there_are_no_parts(data):
    assert check(data) is None


@pytest.mark.parametrize("seed", range(80))
def test_flipped_bytes_lose_nothing(seed):
    chance = random.Random(seed)
    data = bytearray(made())
    for _ in range(chance.randrange(1, 5)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    check(bytes(data))


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_around_a_zip_lose_nothing(before, after):
    check(before + made({"a": TEXT}) + after)


def test_members_beyond_the_room_and_large_ones_are_left_alone(monkeypatch):
    data = made({"a": TEXT, "b": b"other " * 900})
    spool = io.BytesIO()
    parts = cut_zip(memoryview(data), spool, proved={}, limit=len(TEXT) + 100)
    assert [one.encoder for one in parts if isinstance(one, Packed)] == ["zlib-6-8", None]
    assert spool.getvalue() == TEXT
    monkeypatch.setattr(zipparts, "_MAX_CONTENT", len(TEXT))
    parts = cut_zip(memoryview(data), io.BytesIO(), proved={})
    assert [one.encoder for one in parts if isinstance(one, Packed)] == ["zlib-6-8", None]
