"""Encoders: how the content is cut into pieces does not matter, also where zlib itself would care.

zlib slides its window when fewer than 262 bytes of input lie ahead. Where a piece ends one byte before the window
is full, it slides a byte early, and a match 32 506 bytes back, the farthest there are, is lost.
"""

from __future__ import annotations

import functools
import random
import zlib

import pytest

from bundler.deflate import catalog

WINDOW, FARTHEST = 32768, 32506
TURN = 2 * WINDOW - 262  # where zlib's buffer of two windows is due to slide for the first time


@functools.cache
def farthest_matches(*, before: int = 0) -> bytes:
    """Return content with a match of 50 bytes, as far back as there are any, near each slide of the window."""
    chance = random.Random(before + 1)
    content = bytearray(byte % 100 for byte in chance.randbytes(TURN + 2 * WINDOW))  # never stored blocks
    for at in range(TURN - before, len(content) - 50, WINDOW):
        content[at : at + 50] = content[at - FARTHEST : at - FARTHEST + 50]
    return bytes(content)


def zlib_in_one_call(content, *, level, memory):
    state = zlib.compressobj(level, zlib.DEFLATED, -15, memory)
    return state.compress(content) + state.flush()


def encode(encoder, content, *, piece):
    out = [encoder.feed(content[at : at + piece]) for at in range(0, len(content), piece)]
    return b"".join(out) + encoder.finish()


@pytest.fixture(autouse=True)
def _classic_zlib():
    if catalog.native("zlib-6-8") is None:
        pytest.skip(
            f"this Python's zlib {zlib.ZLIB_RUNTIME_VERSION} encodes differently than zlib 1.2.11 to 1.3.1"
        )


def test_zlib_itself_cares_how_its_input_is_cut():
    content, out = farthest_matches(), b""
    state = zlib.compressobj(6, zlib.DEFLATED, -15, 8)
    for end in range(WINDOW - 1, len(content) + WINDOW, WINDOW):
        out += state.compress(content[max(0, end - WINDOW) : end])
    assert out + state.flush() != zlib_in_one_call(content, level=6, memory=8)


@pytest.mark.parametrize("piece", [1, 1000, 65535, 65536, 1 << 20])
@pytest.mark.parametrize("name", ["zlib-1-8", "zlib-6-8", "zlib-9-9"])
def test_a_shortcut_to_zlib_does_not_care(name, piece):
    content = farthest_matches()
    _, level, memory = name.split("-")
    expected = zlib_in_one_call(content, level=int(level), memory=int(memory))
    assert encode(catalog.native(name), content, piece=piece) == expected


@pytest.mark.parametrize("before", [1, 2])
@pytest.mark.parametrize("name", ["zlib-3-8", "zlib-6-8"])
def test_the_reference_finds_the_farthest_matches_too(name, before):
    """Where another string has the same hash of seven bytes, and is nearer, the match was lost."""
    content = farthest_matches(before=before)
    assert encode(catalog.reference(name), content, piece=1 << 18) == encode(
        catalog.native(name), content, piece=1 << 18
    )


@pytest.mark.parametrize("end", [2 * WINDOW + extra for extra in (-1, 0)] + [3 * WINDOW - 1])
def test_the_end_of_the_content_is_where_zlib_has_it(end):
    content = farthest_matches()[:end]
    for name in ("zlib-1-8", "zlib-6-8"):
        native = encode(catalog.native(name), content, piece=WINDOW - 1)
        assert encode(catalog.reference(name), content, piece=5000) == native


@pytest.mark.parametrize("name", ["miniz-6", "medium-16", "medium-17"])
def test_the_other_shortcuts_do_not_care_either(name):
    if catalog.native(name) is None:
        pytest.skip(catalog.why_not_native(name))
    content = catalog.canary()
    expected = encode(catalog.native(name), content, piece=1 << 20)
    for piece in (7, 511, 65535):
        assert encode(catalog.native(name), content, piece=piece) == expected
