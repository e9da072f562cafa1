import io
import random

import pytest

from bundler.connected import encodersearch
from bundler.connected.encodersearch import CANDIDATES, PROBE, candidates, probe, proves
from bundler.deflate import catalog


def content(size=300_000, seed=1):
    """Return bytes on which encoders differ: words near and far, in what looks like a tar of one file."""
    chance = random.Random(seed)
    words = [chance.randbytes(chance.randrange(3, 40)) for _ in range(400)]
    data = b"".join(words[min(399, int(chance.expovariate(0.02)))] for _ in range(size // 12))[:size]
    header = b"a".ljust(124, b"\0") + b"%011o\0" % len(data)
    return header.ljust(512, b"\0") + data + bytes(-len(data) % 512) + bytes(1024)


def encoded(name, data):
    encoder = catalog.native(name)
    if encoder is None:
        pytest.skip(f"{name}: {catalog.why_not_native(name)}")
    return encoder.feed(data) + encoder.finish()


def found(data, body):
    """Return the first name that a probe speaks for and that is proved, as the packer does both; or None."""
    begin = body[: PROBE + (PROBE >> 4)]
    for name in probe(memoryview(data), begin, CANDIDATES):
        if proves(name, memoryview(data), io.BytesIO(body + b"trailer"), len(body)):
            return name
    return None


@pytest.mark.parametrize(
    "name", ["medium-17", "medium-16", "miniz-6", "zlib-1-8", "zlib-6-8", "zlib-9-8", "zlib-4-9"]
)
def test_the_encoder_is_found_or_one_that_writes_the_same(name):
    data = content()
    body = encoded(name, data)
    result = found(data, body)
    assert result is not None
    assert encoded(result, data) == body


@pytest.mark.parametrize("name", CANDIDATES)
def test_no_content_and_little_content_are_found_too(name):
    for data in (b"", b"x", b"all work and no play " * 30):
        body = encoded(name, data)
        assert encoded(found(data, body), data) == body


def test_what_nobody_here_writes_is_not_found():
    data = content()
    body = encoded("zlib-6-8", data)
    for other in (body[:-1], body + b"x", body[:500] + bytes([body[500] ^ 1]) + body[501:], b"", b"x"):
        assert found(data, other) is None


def test_a_difference_behind_the_probe_is_found_by_the_proof():
    data = content(PROBE + 400_000)
    body = bytearray(encoded("zlib-6-8", data))
    body[-40] ^= 1
    assert next(probe(memoryview(data), bytes(body), ["zlib-6-8"]), None) == "zlib-6-8"
    assert not proves("zlib-6-8", memoryview(data), io.BytesIO(bytes(body)), len(body))
    assert found(data, bytes(body)) is None


def test_a_proof_takes_exactly_the_body():
    data = content(5000)
    body = encoded("zlib-6-8", data)
    for length in (len(body) - 1, len(body) + 1):
        assert not proves("zlib-6-8", memoryview(data), io.BytesIO(body + b"xx"), length)
    assert proves("zlib-6-8", memoryview(data), io.BytesIO(body + b"xx"), len(body))


@pytest.mark.parametrize(
    ("flags", "first"), [(None, "medium-17"), (0, "medium-17"), (2, "zlib-9-8"), (4, "zlib-1-8")]
)
def test_the_header_orders_the_candidates_and_leaves_none_out(flags, first):
    assert candidates(flags)[0] == first
    assert sorted(candidates(flags)) == sorted(catalog.NAMES)


def test_an_encoder_without_a_shortcut_is_not_tried(monkeypatch):
    data = content(5000)
    body = encoded("zlib-6-8", data)
    monkeypatch.setattr(encodersearch.catalog, "native", lambda _name: None)
    assert found(data, body) is None
    assert found(b"", b"") is None


def test_a_wrong_guess_ends_early(monkeypatch):
    """The whole search for what nobody writes must cost less than encoding everything once with each name."""
    data = content(2_000_000)
    body = bytearray(encoded("zlib-6-8", data))
    body[20] ^= 1
    fed = []

    class Counting:
        def __init__(self, encoder):
            self.encoder = encoder

        def feed(self, piece):
            fed.append(len(piece))
            return self.encoder.feed(piece)

        def finish(self):
            return self.encoder.finish()

    make = catalog.native
    monkeypatch.setattr(
        encodersearch.catalog, "native", lambda name: Counting(make(name)) if make(name) else None
    )
    assert found(data, bytes(body)) is None
    assert sum(fed) < 6 * len(data)
