"""Any bytes come back from packer and unpacker as they were, and any gzip: whatever its encoder, pieces and header."""

from __future__ import annotations

import struct
import zlib

import gzipcorpus
import pytest
from gzipcorpus import framed
from hypothesis import example, given, settings
from hypothesis import strategies as st
from recompressing import come_back

from bundler.deflate import catalog

pytestmark = pytest.mark.skipif(
    catalog.why_not_native("zlib-6-8") is not None, reason="this Python has another zlib than 1.2.11 to 1.3.1"
)
SMALL_TAR = gzipcorpus.python_tar(24_000)
PIECES = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda word, times: word * times, st.binary(min_size=1, max_size=12), st.integers(1, 4000)),
    st.integers(0, 99).map(lambda at: SMALL_TAR[at * 250 :][:5000]),
)


@st.composite
def gzips(draw):
    """Draw a gzip member by zlib with any settings, in any pieces, with any header; and whether it is of a known kind."""
    usual = draw(st.booleans())
    level = draw(st.integers(0, 9))
    state = zlib.compressobj(
        level,
        zlib.DEFLATED,
        -15 if usual else -draw(st.integers(9, 15)),
        draw(st.sampled_from((8, 9))) if usual else draw(st.integers(1, 9)),
        0
        if usual
        else draw(st.sampled_from((0, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED))),
    )
    flushes = [zlib.Z_NO_FLUSH] if usual else [zlib.Z_NO_FLUSH, zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH]
    content = body = b""
    for piece in draw(st.lists(PIECES, max_size=6)):
        content += piece
        body += state.compress(piece)
        if mode := draw(st.sampled_from(flushes)):
            body += state.flush(mode)
    flags = draw(st.sampled_from((0, 0, 0x01, 0x04, 0x08, 0x10, 0x1F)))
    header = struct.pack("<3sBIBB", b"\x1f\x8b\x08", flags, draw(st.integers(0, 2**32 - 1)), 0, 3)
    texts = st.binary(max_size=20).map(lambda text: text.replace(b"\0", b"") + b"\0")
    if flags & 0x04:
        extra = draw(st.binary(max_size=30))
        header += struct.pack("<H", len(extra)) + extra
    header += draw(texts) if flags & 0x08 else b""
    header += draw(texts) if flags & 0x10 else b""
    header += b"\1\2" if flags & 0x02 else b""
    known = usual and level > 0 and content != b""
    return known, framed(body + state.flush(), content, header=header)


@settings(max_examples=30, deadline=None)
@given(gzips())
def test_any_gzip_comes_back(drawn):
    known, data = drawn
    assert come_back(data).recompressed or not known


@settings(max_examples=20, deadline=None)
@given(st.lists(gzips().map(lambda one: one[1]) | st.binary(max_size=40), max_size=3).map(b"".join))
@example(b"\x1f\x8b\x08" + bytes(7))
@example(b"PK\5\6" + bytes(18))
@example(b"\x28\xb5\x2f\xfd")
def test_any_bytes_come_back(data):
    come_back(data)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None)
@given(st.lists(gzips().map(lambda one: one[1]) | st.binary(max_size=40), max_size=3).map(b"".join))
def test_many_bytes_come_back(data):
    come_back(data)
