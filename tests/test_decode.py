import hashlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bundler.core.decode import decode
from bundler.core.fault import Fault


def frame(data, *, level=3, **options):
    options = {"write_checksum": True, "write_content_size": True} | options
    return zstandard.ZstdCompressor(level=level, **options).compress(data)


def decoded(stored, size, *, cut=1 << 20):
    blocks = [stored[at : at + cut] for at in range(0, len(stored), cut)]
    return b"".join(decode(iter(blocks), encoding="zstd", size=size))


@given(st.binary(max_size=5000), st.integers(1, 3000))
def test_what_was_compressed_comes_out_whatever_the_block_size(data, cut):
    assert decoded(frame(data), len(data), cut=max(cut, 18)) == data


def test_identity_is_the_blocks_themselves():
    assert list(decode(iter([b"ab", b"c"]), encoding="identity", size=3)) == [b"ab", b"c"]


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (frame(b"abc") + b"x", "found bytes after its end|Unknown frame|expected one zstd frame"),
        (frame(b"abc") + frame(b""), "expected one zstd frame"),
        (frame(b"abc") + b"\x50\x2a\x4d\x18\x00\x00\x00\x00", "expected one zstd frame"),
        (b"\x50\x2a\x4d\x18\x00\x00\x00\x00" + frame(b"abc"), "found a skippable one"),
        (frame(b"abc")[:-1], "expected one zstd frame of 3 bytes"),
        (frame(b"abcd"), "expected a zstd frame of 3 bytes with a checksum"),
        (frame(b"ab"), "expected a zstd frame of 3 bytes with a checksum"),
        (frame(b"abc", write_checksum=False), "with a checksum"),
        (frame(b"abc", write_content_size=False), "expected a zstd frame of 3 bytes"),
        (b"no zstd at all, but long enough", "expected one zstd frame"),
        (b"", "expected one zstd frame of 3 bytes, found 0 bytes"),
    ],
)
def test_anything_but_one_whole_frame_is_refused(stored, message):
    with pytest.raises(Fault, match=message):
        decoded(stored, 3)


def test_a_bomb_ends_at_the_signed_size():
    bomb = frame(bytes(64 << 20))
    assert len(bomb) < 16 << 10
    with pytest.raises(Fault, match="expected a zstd frame of 1000 bytes"):
        decoded(bomb, 1000)


def forged(*, size=None, window_log=None):
    """Return a frame of 64 MiB of zeros whose header says another size or window (RFC 8878, 3.1.1.1)."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        3, write_checksum=True, write_content_size=True
    )
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj(size=64 << 20)
    stored = bytearray(compressor.compress(bytes(64 << 20)) + compressor.flush())
    assert stored[4] >> 5 == 0b100, "expected four bytes of content size and a window descriptor"
    if size is not None:
        stored[6:10] = size.to_bytes(4, "little")
    if window_log is not None:
        stored[5] = (window_log - 10) << 3
    return bytes(stored)


def test_a_bomb_with_a_forged_size_ends_after_one_step():
    stored, taken = forged(size=1000), []

    def blocks():
        for at in range(0, len(stored), 256):
            taken.append(at)
            yield stored[at : at + 256]

    with pytest.raises(Fault, match="found more|Destination buffer is too small"):
        list(decode(blocks(), encoding="zstd", size=1000))
    assert len(taken) == 1


def test_a_window_over_the_limit_is_refused_by_its_header():
    assert len(decoded(forged(window_log=26), 64 << 20)) == 64 << 20
    with pytest.raises(Fault, match="expected a window of at most 67108864 bytes, found 134217728"):
        decoded(forged(window_log=27), 64 << 20)


def test_no_step_inflates_to_much_more_than_a_mebibyte():
    stored = frame(bytes(64 << 20))
    assert len(stored) < 16 << 10
    sizes = [len(one) for one in decode(iter([stored]), encoding="zstd", size=64 << 20)]
    assert max(sizes) <= (1 << 20) + (1 << 17)
    assert sum(sizes) == 64 << 20


def blocks_of_nothing(count):
    """Return a frame of the three bytes `abc` after so many empty blocks (RFC 8878, 3.1.1.2)."""
    head, tail = bytes.fromhex("28b52ffd2403"), frame(b"abc")[-4:]
    return head + bytes(3) * count + bytes.fromhex("190000") + b"abc" + tail


def test_blocks_that_hold_nothing_are_counted():
    assert decoded(blocks_of_nothing(199), 3) == b"abc"
    with pytest.raises(Fault, match="expected at most 200 blocks of zstd, found more"):
        decoded(blocks_of_nothing(200), 3)


@given(st.data())
def test_one_flipped_bit_is_always_caught(data):
    content = b"the quick brown fox " * 40
    stored = bytearray(frame(content))
    bit = data.draw(st.integers(0, 8 * len(stored) - 1))
    stored[bit // 8] ^= 1 << bit % 8
    try:
        out = decoded(bytes(stored), len(content))
    except Fault:
        return
    assert out == content


def test_corner_cases_of_others_decode_to_what_they_should(shared_vectors):
    folder = shared_vectors / "zstd" / "ruzstd-decodecorpus"
    expected = dict(reversed(line.split()) for line in (folder / "EXPECTED.sha256").read_text().splitlines())
    cases = sorted(folder.glob("z*.zst"))
    assert len(cases) >= 90
    for case in cases:
        stored = case.read_bytes()
        parameters = zstandard.get_frame_parameters(stored)
        if (
            parameters.content_size in (zstandard.CONTENTSIZE_UNKNOWN, 2**64 - 1)
            or not parameters.has_checksum
        ):
            with pytest.raises(Fault):
                decoded(stored, 1)
            continue
        names = [name for name in expected if name.startswith(case.stem)]
        assert names
        out = decoded(stored, parameters.content_size)
        assert hashlib.sha256(out).hexdigest() == expected[names[0]]


def test_frames_that_must_fail_fail(shared_vectors):
    cases = sorted((shared_vectors / "zstd" / "golden-decompression-errors").glob("*.zst"))
    assert cases
    for case in cases:
        with pytest.raises(Fault):
            decoded(case.read_bytes(), 1 << 20)
