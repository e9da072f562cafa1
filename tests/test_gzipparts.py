import gzip
import io
import random
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.connected import gzipparts
from bundler.connected.gzipparts import Deflated, Literal, cut_gzip

TEXT = b"all work and no play " * 500


def cut(data, **options):
    spool = io.BytesIO(b"before")
    spool.seek(0, 2)
    parts = cut_gzip(io.BytesIO(data), spool, **options)
    return parts, spool.getvalue()


def check(data, **options):
    """Return what the members inflated to, having checked that the parts are all bytes and the contents theirs."""
    parts, spool = cut(data, **options)
    at, place, contents = 0, len(b"before"), []
    for part in parts:
        assert part.offset == at
        assert part.length > 0
        at += part.length
        if isinstance(part, Deflated):
            assert part.content == place
            place += part.size
            contents.append(spool[part.content : place])
            assert zlib.decompress(data[part.offset : at], -15) == contents[-1]
    assert at == len(data)
    assert place == len(spool)
    assert not any(isinstance(a, Literal) and isinstance(b, Literal) for a, b in pairwise(parts))
    return contents


def member(content, *, flags=0, fields=b"", level=6):
    body = zlib.compressobj(level, zlib.DEFLATED, -15)
    raw = body.compress(content) + body.flush()
    trailer = zlib.crc32(content).to_bytes(4, "little") + len(content).to_bytes(4, "little")
    return b"\x1f\x8b\x08" + bytes([flags]) + bytes(6) + fields + raw + trailer


HEADERS = {
    "none": (0, b""),
    "name": (0x08, b"a.tar\0"),
    "name and comment": (0x18, b"a.tar\0made by hand\0"),
    "extra field": (0x04, b"\x03\0abc"),
    "all of them": (0x1F, b"\x02\0ab" + b"n\0" + b"c\0" + b"\x12\x34"),
}


@pytest.mark.parametrize(("flags", "fields"), HEADERS.values(), ids=HEADERS)
def test_a_header_with_fields_is_a_literal(flags, fields):
    data = member(TEXT, flags=flags, fields=fields)
    assert check(data) == [TEXT]
    assert cut(data)[0][0] == Literal(0, 10 + len(fields))


def test_members_follow_each_other():
    assert check(member(TEXT) + member(b"") + member(b"x")) == [TEXT, b"", b"x"]


@pytest.mark.parametrize("level", [0, 1, 9])
def test_stored_and_other_blocks_are_cut(level):
    content = random.Random(1).randbytes(300_000) + TEXT
    assert check(member(content, level=level)) == [content]


@pytest.mark.parametrize("garbage", [b"x", bytes(512), b"\x1f\x8b\x08" + b"x" * 40, b"\x1f\x8b"])
def test_what_follows_the_members_is_a_literal(garbage):
    assert check(member(TEXT) + garbage) == [TEXT]


BROKEN = {
    "nothing": b"",
    "no gzip": b"PK\3\4" + TEXT,
    "header alone": member(TEXT)[:10],
    "cut off": member(TEXT)[:-20],
    "reserved flag": member(TEXT, flags=0x20),
    "name without end": b"\x1f\x8b\x08\x08" + b"n" * 40,
    "extra field beyond the end": b"\x1f\x8b\x08\x04" + bytes(6) + b"\xff\xff" + TEXT,
    "block of an unknown kind": b"\x1f\x8b\x08\0" + bytes(6) + b"\xff" * 40,
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_inflated_is_one_literal(data):
    parts, spool = cut(data)
    assert parts == ([Literal(0, len(data))] if data else [])
    assert spool == b"before"


def test_a_trailer_that_is_missing_or_wrong_does_no_harm():
    assert check(member(TEXT)[:-8]) == [TEXT]
    assert check(member(TEXT)[:-8] + b"12345678") == [TEXT]


@pytest.mark.parametrize(
    "content", [bytes(9 << 20), random.Random(1).randbytes(3 << 20)], ids=["bomb", "stored"]
)
def test_a_content_ends_at_the_limit(content):
    assert check(member(content, level=1), limit=1 << 20) == []
    assert check(member(content, level=1), limit=16 << 20) == [content]


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes_lose_nothing(seed):
    chance = random.Random(seed)
    data = bytearray(member(TEXT, flags=0x18, fields=b"a\0b\0") + member(b"second"))
    for _ in range(chance.randrange(1, 4)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    check(bytes(data))


@given(st.lists(st.binary(max_size=300).map(gzip.compress) | st.binary(max_size=30)).map(b"".join))
def test_any_bytes_come_apart_without_loss(data):
    check(data)


def test_without_zlib_ng_the_parts_are_the_same(monkeypatch):
    data = member(TEXT) + member(b"x") + b"garbage"
    expected = cut(data)
    monkeypatch.setattr(gzipparts, "inflater", lambda: zlib.decompressobj(-15))
    assert cut(data) == expected


def test_a_bomb_is_a_literal_and_leaves_nothing():
    bomb = member(bytes(16 << 20))
    assert cut(bomb) == ([Literal(0, len(bomb))], b"before")
    assert gzipparts.most_content(len(bomb)) < 3 << 20


def test_members_end_where_they_are_too_many(monkeypatch):
    monkeypatch.setattr(gzipparts, "_MAX_MEMBERS", 5)
    assert len(check(member(b"abc") * 9)) == 5
