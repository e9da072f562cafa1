import gzip
import hashlib
import io
import zipfile
import zlib
from importlib import util
from pathlib import Path

import pytest
from conftest import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.core.fault import Fault
from bundler.deflate import classic
from bundler.deflate.classic import ClassicEncoder

REACH = 32506  # bytes that a match may lie back
TURN = 65274  # where zlib slides its window for the first time


def encoded(content, *, level, mem_level=8, piece=None):
    encoder = ClassicEncoder(level=level, mem_level=mem_level)
    pieces = [content[at : at + piece] for at in range(0, len(content), piece)] if piece else [content]
    return b"".join(map(encoder.feed, pieces)) + encoder.finish()


def by_zlib(content, *, level, mem_level=8):
    state = zlib.compressobj(level, zlib.DEFLATED, -15, mem_level)
    return state.compress(content) + state.flush()


def noise(size, *, word=0):
    """Return bytes that do not repeat, and that no release of Python makes different."""
    return b"".join(hashlib.sha256(b"%d %d" % (word, at)).digest() for at in range(size // 32 + 1))[:size]


def unlike(size):
    """Return noise in which no three bytes come twice, so that zlib finds no match at all."""
    seen, content = set(), bytearray(b"ab")
    for byte in noise(size + size // 50 + 99, word=5):
        three = (content[-2], content[-1], byte)
        if three not in seen:
            seen.add(three)
            content.append(byte)
    return bytes(content[:size])


def made():
    """Return words and what stands between them, repeats near and far, and a stretch that is stored."""
    words = [noise(3 + at % 9, word=at).hex().encode() for at in range(300)]
    picks = noise(16000, word=1000)
    text = b"".join(
        words[one * (other & 1) + 44 * (one & 1)] + b" " * (other >> 6)
        for one, other in zip(picks[::2], picks[1::2], strict=True)
    )
    binary = b"".join(bytes([byte & 3, 0, 0, byte]) for byte in picks[:6000])
    return text[:50000] + noise(20000) + binary + text[20000:60000] + bytes(2000)


# sha256 of what zlib 1.2.13, as Python 3.11 has it, makes of `made()`: (level, memory level).
VECTORS = {
    (1, 8): "2294b98b1e58e99d295292f5990e9b469cc8a6e3133e38790c185eb2ba5f02dc",
    (2, 8): "dd13e8b96c95d04ffe38e986c28d6483ea0d155b0be38c9dfafec7151335ba0f",
    (3, 8): "14f107014606f55480080279b19884d6f3255ec3657e0fc3e0ac9f0bea1cc62b",
    (4, 8): "cc961a6cacdc865bdf7c1842765ad6bee5679b91018e40574b8453b29a2d62f6",
    (5, 8): "710483a5abd6a8a9e1cace636cba3c37c6a0f6b6f595fc3bce875bdf2359aed7",
    (6, 8): "0f476ea7a06d1915895e08c8fcf4713cb4a1eeb2e9a46b860cbdb7f138098d9c",
    (7, 8): "f889c5b1ced5ddb2813194501e09c72e45fb41a5aa50f9514459044b22a3f395",
    (8, 8): "e1db9267dd048bb3987675c41d222001c08b853565d873a65940bc45bfa875ea",
    (9, 8): "9a73b972187a83751221b9994e3be2d68d0d5f7594cde3eb4c5d11b5499b885b",
    (1, 9): "66b49e13af9b1188222b638ba76e9d3b3204a5232b9e37486906cac52cd4358e",
    (6, 9): "8be04a40d4d37ec01882e53889b920f709b7f6e43c944f52d60866d136010d14",
}


def host_is_classic():
    return hashlib.sha256(by_zlib(made(), level=6)).hexdigest() == VECTORS.get((6, 8))


needs_classic = pytest.mark.skipif(
    not host_is_classic(),
    reason=f"needs classic zlib: this Python's {zlib.ZLIB_RUNTIME_VERSION} encodes differently",
)


@pytest.mark.parametrize(("level", "mem_level"), VECTORS)
def test_the_bytes_are_pinned_whatever_zlib_this_host_has(level, mem_level):
    stream = encoded(made(), level=level, mem_level=mem_level)
    assert hashlib.sha256(stream).hexdigest() == VECTORS[level, mem_level]


@needs_classic
def test_the_pins_are_what_zlib_makes():
    for (level, mem_level), digest in VECTORS.items():
        stream = by_zlib(made(), level=level, mem_level=mem_level)
        assert hashlib.sha256(stream).hexdigest() == digest


SMALL = {
    "nothing": b"",
    "one byte": b"a",
    "two bytes": b"ab",
    "three alike": b"aaa",
    "a pair over and over": b"ab" * 700,
    "zeros over the window": bytes(66000),
    "two letters": bytes(97 + byte % 2 for byte in noise(9000)),
    "hexadecimal": noise(10000).hex().encode(),
    "noise, then the same at the farthest": noise(REACH) + noise(300),
}


@needs_classic
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("level", range(1, 10))
def test_every_level_gives_what_zlib_gives(level, name):
    assert encoded(SMALL[name], level=level) == by_zlib(SMALL[name], level=level)


@needs_classic
@pytest.mark.parametrize("mem_level", [1, 7, 9])
def test_every_memory_level_gives_what_zlib_gives(mem_level):
    content = made()[45000:52000] + noise(37000, word=7)
    for level in (1, 6):
        assert encoded(content, level=level, mem_level=mem_level) == by_zlib(
            content, level=level, mem_level=mem_level
        )


@needs_classic
@pytest.mark.parametrize(
    "size", [REACH - 1, REACH, REACH + 1, 32768, TURN - 1, TURN, TURN + 1, 65536, 65537, 98043]
)
def test_the_edges_of_the_window_are_where_zlib_has_them(size):
    for content in (noise(size), (noise(20000) * 5)[:size]):
        for level, mem_level in ((1, 8), (6, 9)):
            assert encoded(content, level=level, mem_level=mem_level) == by_zlib(
                content, level=level, mem_level=mem_level
            )


@needs_classic
@pytest.mark.parametrize("rest", [4, 261, 262, 600])
@pytest.mark.parametrize("at", [REACH, TURN - 1, TURN, TURN + 1])
def test_the_farthest_match_is_found_where_zlib_finds_it(at, rest):
    """Where input ends within 262 bytes after a slide is due, zlib slides a byte early and misses the match."""
    content = bytearray(byte % 16 for byte in noise(at + rest))
    for level, size in ((3, 4), (6, 4), (6, 16)):  # bytes of 16 and more: no hash of the others is theirs
        content[at : at + size] = content[at - REACH : at - REACH + size] = bytes(range(16, 16 + size))
        one = bytes(content[: at + rest])
        assert encoded(one, level=level) == by_zlib(one, level=level)


@needs_classic
@pytest.mark.parametrize("far", [4095, 4096, 4097])
def test_three_bytes_are_not_worth_a_match_from_too_far(far):
    content = unlike(far + 1)
    content += content[1:4] + bytes(9000)  # zeros, so that the block is not stored
    for level in (3, 4, 9):
        assert encoded(content, level=level) == by_zlib(content, level=level)


@needs_classic
@pytest.mark.parametrize("size", [126, 127, 128, 254])
def test_a_block_that_is_full_when_the_input_ends_is_the_last_one_where_zlib_has_it_so(size):
    for level in (1, 6):
        content = unlike(size)
        assert encoded(content, level=level, mem_level=1) == by_zlib(content, level=level, mem_level=1)


@needs_classic
def test_a_block_that_began_before_the_window_is_not_stored():
    content = unlike(3 * 32767)
    assert encoded(content, level=6, mem_level=9) == by_zlib(content, level=6, mem_level=9)


@pytest.mark.parametrize("level", [1, 6])
@pytest.mark.parametrize("worked_on_at_once", [7001, 65536])
def test_pieces_do_not_matter(level, worked_on_at_once, monkeypatch):
    content = made()[30000:]
    whole = encoded(content, level=level)
    monkeypatch.setattr(classic, "_PIECE", worked_on_at_once)
    assert encoded(content, level=level, piece=1009) == whole


def test_single_bytes_are_pieces_too():
    assert encoded(made()[:3000], level=6, piece=1) == encoded(made()[:3000], level=6)


@needs_classic
@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 9), st.sampled_from([8, 9]))
def test_made_up_content_gives_what_zlib_gives(data, level, mem_level):
    parts = data.draw(st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=6))
    order = data.draw(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 300)), max_size=30))
    content = b"".join(parts[which % len(parts)] * count for which, count in order)
    assert encoded(content, level=level, mem_level=mem_level) == by_zlib(
        content, level=level, mem_level=mem_level
    )


def test_what_is_held_does_not_grow_with_the_content():
    encoder = ClassicEncoder(level=1)
    for _ in range(40):
        encoder.feed(bytes(1 << 16))
        stream = encoder._stream
        assert len(stream.data) + len(stream._held) + encoder._size < 1 << 19


@pytest.mark.parametrize(("level", "mem_level"), [(0, 8), (10, 8), (-1, 8), (6, 0), (6, 10)])
def test_levels_that_zlib_has_not_are_refused(level, mem_level):
    with pytest.raises(Fault, match="expected 1 to 9"):
        ClassicEncoder(level=level, mem_level=mem_level)


def archive():
    """Return five MiB out of a real archive, text and executables."""
    path = SHARED / "archives" / "cpython-3.13.5lto-x86_64-linux-install_only_stripped.tar.gz"
    if not path.exists():
        pytest.skip(f"needs ../shared/archives/{path.name}, which is not here")
    content = gzip.decompress(path.read_bytes())
    return content[: 1 << 20] + content[20 << 20 : 22 << 20] + content[-2 << 20 :]


@pytest.mark.slow
@needs_classic
@pytest.mark.parametrize(("level", "mem_level"), [(1, 8), (6, 8), (6, 9), (9, 8)])
def test_a_real_archive_gives_what_zlib_gives(level, mem_level):
    content = archive()
    assert encoded(content, level=level, mem_level=mem_level) == by_zlib(
        content, level=level, mem_level=mem_level
    )


@pytest.mark.slow
def test_every_member_of_a_real_wheel_is_given_back():
    """The wheel of pip that Python carries was written by somebody else's classic zlib at level 6."""
    spec = util.find_spec("ensurepip")
    wheels = sorted((Path(spec.origin).parent / "_bundled").glob("pip-*.whl")) if spec else []
    if not wheels:
        pytest.skip("needs the wheel of pip in ensurepip, which this Python has not")
    stored, members = wheels[0].read_bytes(), 0
    with zipfile.ZipFile(io.BytesIO(stored)) as wheel:
        for member in wheel.infolist():
            if member.compress_type != zipfile.ZIP_DEFLATED:
                continue
            head = member.header_offset
            begin = (
                head
                + 30
                + sum(int.from_bytes(stored[at : at + 2], "little") for at in (head + 26, head + 28))
            )
            stream = stored[begin : begin + member.compress_size]
            assert encoded(wheel.read(member), level=6) == stream, member.filename
            members += 1
    assert members > 100
