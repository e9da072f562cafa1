import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.deflate.huffman import code_lengths, codes
from bundler.deflate.trees import SHIFT, BlockWriter

classic = pytest.mark.skipif(
    "zlib-ng" in zlib.ZLIB_RUNTIME_VERSION, reason="needs classic zlib: this Python's is zlib-ng"
)


def literals_only(content, *, mem_level=8):
    writer, begin = BlockWriter(mem_level=mem_level), 0
    for end, byte in enumerate(content, 1):
        writer.symbols.append(byte)
        if len(writer.symbols) == writer.capacity:
            writer.flush_block(content[begin:end], last=False)
            begin = end
    writer.flush_block(content[begin:], last=True)
    return writer.take()


def runs_only(content):
    writer, begin, at = BlockWriter(), 0, 0
    while at < len(content):
        rest = content[at : at + 258]
        run = len(rest) - len(rest.lstrip(content[at - 1 : at])) if at else 0
        writer.symbols.append(1 << SHIFT | run if run >= 3 else content[at])
        at += run if run >= 3 else 1
        if len(writer.symbols) == writer.capacity:
            writer.flush_block(content[begin:at], last=False)
            begin = at
    writer.flush_block(content[begin:], last=True)
    return writer.take()


def by_zlib(content, *, strategy, mem_level=8):
    state = zlib.compressobj(6, zlib.DEFLATED, -15, mem_level, strategy)
    return state.compress(content) + state.flush()


def skewed(seed):
    """Return bytes whose frequencies fall steeply, so that codes get long."""
    chance = random.Random(seed)
    most = chance.choice([2, 9, 40, 256])
    return bytes(
        min(most, int(chance.expovariate(seed % 7 / 9 + 0.02))) & 255 for _ in range(chance.randrange(20000))
    )


def fibonacci():
    """Return bytes whose optimal codes are longer than 15 bits, in some order."""
    counts = [1, 1]
    while sum(counts) < 16000:
        counts.append(counts[-1] + counts[-2])
    content = [byte for byte, count in enumerate(counts) for _ in range(count)]
    random.Random(1).shuffle(content)
    return bytes(content)


@classic
@pytest.mark.parametrize("seed", range(24))
def test_literals_are_written_as_zlib_writes_them(seed):
    content = skewed(seed)
    assert literals_only(content) == by_zlib(content, strategy=zlib.Z_HUFFMAN_ONLY)


@classic
@pytest.mark.parametrize("seed", range(24))
def test_matches_are_written_as_zlib_writes_them(seed):
    content = b"".join(bytes([byte]) * (byte % 5 * seed + 1) for byte in skewed(seed)[:5000])
    assert runs_only(content) == by_zlib(content, strategy=zlib.Z_RLE)


@classic
@pytest.mark.parametrize("mem_level", range(1, 10))
def test_blocks_end_where_the_memory_level_says(mem_level):
    content = random.Random(mem_level).randbytes(34000)
    for one in (content, content.hex().encode()):
        assert literals_only(one, mem_level=mem_level) == by_zlib(
            one, strategy=zlib.Z_HUFFMAN_ONLY, mem_level=mem_level
        )


@classic
def test_codes_that_got_too_long_are_shortened_as_zlib_does_it():
    content = fibonacci()
    counts = [content.count(byte) for byte in range(256)]
    assert max(code_lengths(counts, 30)[0]) > 15
    assert max(code_lengths(counts, 15)[0]) == 15
    assert literals_only(content) == by_zlib(content, strategy=zlib.Z_HUFFMAN_ONLY)


@pytest.mark.parametrize(
    ("content", "stream"),
    [
        (b"", "0300"),
        (b"a", "4b0400"),
        (b"\xff\xfe\xfd", "fbffef2f00"),
        (bytes(range(0, 256, 3)) * 3, None),
    ],
)
def test_short_blocks_are_what_they_always_were(content, stream):
    written = literals_only(content)
    assert zlib.decompress(written, -15) == content
    assert stream is None or written.hex() == stream


def test_a_block_whose_bytes_left_the_window_is_never_stored():
    noise = random.Random(1).randbytes(1000)
    for content, stored in ((noise, True), (None, False)):
        writer = BlockWriter()
        for byte in noise:
            writer.symbols.append(byte)
        writer.flush_block(content, last=True)
        written = writer.take()
        assert zlib.decompress(written, -15) == noise
        assert (len(written) == 1005) == stored


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=40), st.sampled_from([7, 9, 15]))
def test_lengths_are_a_whole_prefix_code_within_the_limit(freqs, most):
    freqs += [0] * (19 - len(freqs))  # zlib's smallest alphabet; where one symbol is used it adds another
    lengths, top = code_lengths(freqs, most)
    assert all(lengths[symbol] for symbol, freq in enumerate(freqs) if freq)
    assert top == max(symbol for symbol, length in enumerate(lengths) if length)
    assert max(lengths) <= most
    assert sum(2.0**-length for length in lengths if length) == 1
    texts = [code[::-1] for code in codes(lengths) if code]
    assert not any(one != other and other.startswith(one) for one in texts for other in texts)
