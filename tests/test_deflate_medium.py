"""The two encoders of zlib-ng's medium level are one: they agree on made content, however it arrives."""

import hashlib
import random
import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mediummade import encoded, needs_wheel, noise, repeats, tar

from bundler.deflate import mediumstate, nativeng
from bundler.deflate.medium import MediumEncoder
from bundler.deflate.mediumsearch import hashes, longest_match
from bundler.deflate.nativeng import NativeMediumEncoder
from bundler.deflate.trees import BlockWriter


def far_repeats(size):
    """Return bytes of which four to ten at a time are a repeat from far away, so that blocks exceed 32 KiB."""
    made, dice = bytearray(noise(33_000)), iter(noise(size))
    while len(made) < size:
        begin = len(made) - 20_000 - (next(dice) << 8 | next(dice)) % 12_000
        made += made[begin : begin + 4 + next(dice) % 7]
    return bytes(made[:size])


def limits():
    """Return bytes that repeat what is as far away as a match may reach, one byte less and one more.

    Some are the only candidate, some the second one, and some stand where a write begins to be compressed.
    """
    made = bytearray(noise(98_304))
    restarts = [8192 * write - 261 for write in (5, 6, 8, 9, 10, 11)]
    for number, at in enumerate([*range(34_000, 40_000, 500), *restarts]):
        distance = 32_505 + number % 3
        made[at : at + 20] = made[at - distance : at - distance + 20]
        if number % 2:
            made[at - 300 : at - 294] = made[at : at + 6]
    return bytes(made)


def rims():
    """Return bytes that end in a repeat, after one that would have fallen back to the first byte of all."""
    made = noise(3000)
    word = b"~" + made[:5]
    last = noise(20, word=9)
    made += word + b"!" + noise(500, word=2) + word + made[5:40] + noise(500, word=3)
    return made + last + bytes(9) + noise(100, word=4) + last + b"?" + noise(100, word=5) + last


MADE = {
    "nothing": b"",
    "one": b"x",
    "three": b"aaa",
    "noise": noise(90_000),
    "zeros": bytes(90_000),
    "pairs": b"ab" * 40_000,
    "repeats": repeats(120_000),
    "long repeats": repeats(120_000, least=250, most=265),
    "far repeats": far_repeats(320_000),
    "limits": limits(),
    "rims": rims(),
    "tar": tar(b"", b"a", repeats(9000), bytes(257), noise(600), bytes(20_000), repeats(70_000, word=2)),
    "small files": tar(*(repeats(size * 7 % 1100, word=size, most=30) for size in range(70))),
}
# sha256 of each, encoded by zlib-ng 2.3.3 (wheel 1.1.0) with max_lazy 16 and 17.
DIGESTS = {
    "nothing": ("9b4fb24edd6d1d88", "9b4fb24edd6d1d88"),
    "one": ("f5b976feaac71fd8", "f5b976feaac71fd8"),
    "three": ("0ceaa85e37667870", "0ceaa85e37667870"),
    "noise": ("5b89e825b8d30e23", "5b89e825b8d30e23"),
    "zeros": ("b550cc3784cb7596", "b550cc3784cb7596"),
    "pairs": ("fe196fc68f178d6b", "1c960de0bbd7553a"),
    "repeats": ("09cc5a5f57fa2ddf", "b280d93148b4a1ee"),
    "long repeats": ("d1ac0a0f40b2fb81", "b368423dcc27fddf"),
    "far repeats": ("b49a2d31245e242a", "b49a2d31245e242a"),
    "limits": ("1395dd07dc4d565f", "1395dd07dc4d565f"),
    "rims": ("11aafdc1a69a8253", "11aafdc1a69a8253"),
    "tar": ("4a4d134d730c01ec", "6ac9e3621220fca3"),
    "small files": ("b2ee994f28529e8a", "42dc5c15bb398f17"),
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("max_lazy", [16, 17])
def test_the_reference_gives_what_it_always_gave(name, max_lazy):
    out = encoded(MediumEncoder(max_lazy=max_lazy), MADE[name])
    assert zlib.decompress(out, -15) == MADE[name]
    assert hashlib.sha256(out).hexdigest()[:16] == DIGESTS[name][max_lazy - 16]


def test_max_lazy_matters_where_matches_are_very_long():
    assert DIGESTS["long repeats"][0] != DIGESTS["long repeats"][1]


@needs_wheel
@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("max_lazy", [16, 17])
def test_zlib_ng_gives_the_same(name, max_lazy):
    out = encoded(NativeMediumEncoder(max_lazy=max_lazy), MADE[name])
    assert hashlib.sha256(out).hexdigest()[:16] == DIGESTS[name][max_lazy - 16]


PIECES = st.one_of(
    st.binary(max_size=60),
    st.builds(lambda unit, count: unit * count, st.binary(min_size=1, max_size=4), st.integers(1, 700)),
    st.builds(repeats, st.integers(1, 9000), word=st.integers(0, 99), most=st.sampled_from([9, 40, 300])),
)


@needs_wheel
@given(st.lists(PIECES, max_size=8), st.booleans(), st.sampled_from([16, 17]), st.integers(1, 30_000))
def test_reference_and_zlib_ng_agree_however_the_bytes_arrive(pieces, as_tar, max_lazy, cut):
    data = tar(*pieces) if as_tar else b"".join(pieces)
    cut = max(cut, len(data) // 200 + 1)
    expected = encoded(NativeMediumEncoder(max_lazy=max_lazy), data)
    assert encoded(MediumEncoder(max_lazy=max_lazy), data, cut=cut) == expected
    assert encoded(NativeMediumEncoder(max_lazy=max_lazy), data, cut=cut) == expected


@needs_wheel
@settings(max_examples=40)
@given(st.integers(0, 1 << 30), st.sampled_from([1, 7, 64, 300, 5000]), st.sampled_from([1, 2, 4]))
def test_they_agree_where_output_buffers_and_blocks_are_tiny(seed, output, memory):
    """Then an interrupted match, chains that run in circles and bytes behind the input are nothing rare."""
    dice = random.Random(seed)
    data = tar(*(repeats(dice.randrange(3000), word=dice.randrange(99), most=20) for _ in range(4)))
    with pytest.MonkeyPatch.context() as patch:
        for module in (mediumstate, nativeng):
            patch.setattr(module, "_OUTPUT", output)
        patch.setattr(nativeng, "_MEMORY", memory)
        patch.setattr(mediumstate, "BlockWriter", lambda: BlockWriter(mem_level=memory))
        assert encoded(MediumEncoder(max_lazy=16), data) == encoded(NativeMediumEncoder(max_lazy=16), data)


def test_the_first_byte_of_the_window_is_never_matched():
    # 261 bytes are left when the window slides: the next position is as far from its begin as a match may reach.
    content = bytearray(noise(66_000))
    content[65274 - 512 : 65290 - 512] = content[32768 - 512 : 32784 - 512]
    data = tar(bytes(content[:65023]), bytes(content[65023:]))
    assert data[65274:65290] == data[32768:32784]
    out = encoded(MediumEncoder(), data)
    assert hashlib.sha256(out).hexdigest()[:16] == "4545c2f7c5323c97"
    if not nativeng.available():
        assert out == encoded(NativeMediumEncoder(), data)


# What zlib-ng does where a chain leads to positions that it inserted too early, read off match_tpl.h.
@pytest.mark.parametrize(
    ("text", "at", "chain", "expected"),
    [
        # A position that is not before `at` ends the search when one before it was just compared.
        ("zabcdXXXabcdefgh", 8, (1, 8), (4, 1)),
        ("zabcdXXXabcdefgh", 8, (8,), (2, 0)),
        # It is taken, and is then no match, when the one before was skipped.
        ("zabcdefg-abc-abcdefgh----", 13, (1, 9, 13), (12, 13)),
        # To skip one, up to eight bytes at both of its ends are looked at and not those between.
        ("-abcdefghi#-abcdeXghij#abcdefghijklmnop", 23, (1, 12, 23), (16, 23)),
    ],
)
def test_chains_that_lead_ahead(text, at, chain, expected):
    window = bytearray(text.encode().ljust(65536, b"\0"))
    prev = [0] * 64
    for candidate, before in pairwise(chain):
        prev[candidate] = before
    assert (
        longest_match(window, prev, base=0, at=at, candidate=chain[0], lookahead=len(text) - at) == expected
    )


@given(st.binary(max_size=70))
def test_hashes_are_those_of_four_bytes(data):
    words = [int.from_bytes(data[at : at + 4], "little") for at in range(len(data) - 3)]
    assert hashes(data) == [word * 2654435761 % 2**32 >> 16 for word in words]


def test_a_piece_may_be_a_view_of_anything():
    data = MADE["tar"]
    expected = encoded(MediumEncoder(), data)
    assert encoded(MediumEncoder(), memoryview(bytearray(data)), cut=50_000) == expected
    if not nativeng.available():
        assert encoded(NativeMediumEncoder(), memoryview(bytearray(data)), cut=50_000) == expected
