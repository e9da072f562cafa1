"""Frames with a prefix: what any encoder of zstd made against it comes out, and only that."""

import random

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from recompressed import framed

from bundler.core.decode import decode
from bundler.core.fault import Fault
from bundler.core.prefixed import rounded


def decoded(stored, size, prefix, *, cut=1 << 20, pieces=1 << 18):
    blocks = (stored[at : at + cut] for at in range(0, len(stored), cut))
    before = (prefix[at : at + pieces] for at in range(0, len(prefix), pieces))
    return b"".join(decode(blocks, encoding="zstd", size=size, prefix=before, reach=len(prefix)))


def alike(seed, size, *, of):
    """Return bytes that are made of runs of `of`, and of new ones."""
    rng, out = random.Random(seed), bytearray()
    while len(out) < size:
        at = rng.randrange(len(of))
        out += of[at : at + rng.choice((5, 40, 3000, 90_000))] if rng.randrange(4) else rng.randbytes(30)
    return bytes(out[:size])


@given(
    st.binary(min_size=1, max_size=4000),
    st.binary(max_size=4000),
    st.integers(18, 3000),
    st.integers(1, 3000),
)
def test_what_was_compressed_comes_out_however_it_is_cut(prefix, data, cut, pieces):
    content = data + prefix + data
    assert decoded(framed(content, prefix=prefix), len(content), prefix, cut=cut, pieces=pieces) == content


@pytest.mark.parametrize("level", [3, 9, 19])
@pytest.mark.parametrize("window_log", [None, 17, 20])
def test_it_comes_out_whatever_the_level_and_the_window(level, window_log):
    prefix = random.Random(1).randbytes(700_000)
    content = alike(level, 1_500_000, of=prefix)
    stored = framed(content, prefix=prefix, window_log=window_log, level=level)
    if window_log != 17:  # in a window of 128 KiB the prefix is soon forgotten
        assert len(stored) < len(content) / 2
    assert decoded(stored, len(content), prefix) == content


@pytest.mark.parametrize("level", [3, 19])
def test_it_comes_out_as_the_packers_own_library_writes_it(level):
    """`zstd --patch-from`: a prefix that is referred to, with long-distance matching."""
    zstd = pytest.importorskip("backports.zstd", reason="needs backports.zstd, which packs deltas")
    prefix = random.Random(1).randbytes(2_000_000)
    for window_log, size in ((20, 3_000_000), (22, 3_000_000), (27, 300_000)):
        content = alike(window_log, size, of=prefix)
        options = {
            zstd.CompressionParameter.compression_level: level,
            zstd.CompressionParameter.window_log: window_log,
            zstd.CompressionParameter.enable_long_distance_matching: 1,
            zstd.CompressionParameter.checksum_flag: 1,
            zstd.CompressionParameter.content_size_flag: 1,
        }
        stored = zstd.compress(
            content, options=options, zstd_dict=zstd.ZstdDict(prefix, is_raw=True).as_prefix
        )
        assert zstandard.get_frame_parameters(stored).content_size == size
        assert len(stored) < size / 2
        assert decoded(stored, size, prefix) == content


@given(st.data())
@settings(max_examples=60)
def test_one_flipped_bit_gives_a_fault_or_other_bytes_of_the_same_size(data):
    prefix = b"the quick brown fox " * 10
    content = b"jumps over the quick brown fox " * 20
    stored = bytearray(framed(content, prefix=prefix))
    bit = data.draw(st.integers(0, 8 * len(stored) - 1))
    stored[bit // 8] ^= 1 << bit % 8
    try:
        out = decoded(bytes(stored), len(content), prefix)
    except Fault:
        return
    assert len(out) == len(content)


PREFIX, WHOLE = b"0123456789" * 30, framed(b"abc" * 100, prefix=b"0123456789" * 30)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (b"", "expected one zstd frame of 300 bytes, found 0 bytes"),
        (WHOLE[:3], "expected one zstd frame"),
        *((WHOLE[:-cut], "expected one zstd frame of 300 bytes") for cut in (1, 2, 3, 4, 5)),
        (WHOLE + b"x", "found bytes after its end"),
        (WHOLE * 2, "found bytes after its end"),
        (framed(b"abc" * 101, prefix=PREFIX), "expected a zstd frame of 300 bytes"),
        (b"\x50\x2a\x4d\x18\x00\x00\x00\x00" + WHOLE, "found a skippable one"),
        (zstandard.ZstdCompressor().compress(b"abc" * 100), "with a checksum"),
    ],
)
def test_anything_but_one_whole_frame_is_refused(stored, message):
    with pytest.raises(Fault, match=message):
        decoded(stored, 300, PREFIX)


def test_a_frame_that_reaches_before_its_prefix_is_refused():
    prefix = random.Random(1).randbytes(3000)
    stored = framed(prefix, prefix=prefix)
    assert decoded(stored, 3000, prefix) == prefix
    with pytest.raises(Fault, match="expected one zstd frame"):
        decoded(stored, 3000, prefix[1000:])


def test_the_own_window_of_the_frame_is_still_bounded():
    content = bytes(100)
    stored = bytearray(framed(content + bytes(1 << 20), prefix=PREFIX, window_log=20))
    assert stored[4] >> 5 == 0b100, "expected a window descriptor"
    stored[5] = (27 - 10) << 3
    with pytest.raises(Fault, match="expected a window of at most 67108864 bytes, found 134217728"):
        decoded(bytes(stored), 100 + (1 << 20), PREFIX)


@given(st.integers(0, 1 << 28))
def test_a_window_is_rounded_by_an_eighth_at_the_most(size):
    window = rounded(size)
    assert window >= max(size, 1024)
    assert window == 1024 or window - size < size / 8
    stored = b"\x28\xb5\x2f\xfd\x00" + bytes([_descriptor_of(window)])
    assert zstandard.get_frame_parameters(stored).window_size == window


def _descriptor_of(window):
    exponent = window.bit_length() - 11
    return exponent << 3 | (window >> exponent + 7) - 8
