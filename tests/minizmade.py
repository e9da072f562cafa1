"""Content made for miniz's encoders: text, records, runs and noise, and the sizes at which a block ends."""

import os
import random
from importlib.util import find_spec
from itertools import pairwise

import pytest

needs_cramjam = pytest.mark.skipif(find_spec("cramjam") is None, reason="needs cramjam as the judge")
needs_pipes = pytest.mark.skipif(os.name == "nt", reason="needs descriptors that are pipes")
WORDS = b"import os sys self return the of to and def class None True in is for if not with as ".split()


def encoded(encoder, data, *, cuts=()):
    out = [
        encoder.feed(memoryview(data)[begin:end]) for begin, end in pairwise([0, *sorted(cuts), len(data)])
    ]
    return b"".join(out) + encoder.finish()


def text(size, seed=1):
    """Return words with some numbers between them."""
    make, found = random.Random(seed), bytearray()
    while len(found) < size:
        found += make.choice(WORDS) + (b" %d " % make.randrange(9999) if make.random() < 0.2 else b" ")
    return bytes(found[:size])


def binary(size, seed=1):
    """Return records that repeat at many distances, with noise: lazy matches, long chains, hits of hashes alone."""
    make, found = random.Random(seed), bytearray(b"\0" * 64)
    while len(found) < size:
        at = make.randrange(max(0, len(found) - 40_000), len(found))
        found += found[at : at + make.choice((3, 3, 4, 5, 8, 17, 40, 140, 300))]
        found += make.randbytes(make.choice((0, 0, 1, 2, 7)))
    return bytes(found[:size])


def noise(size, seed):
    return random.Random(seed).randbytes(size)


def sparse(size):
    """Return noise of 7 bits a byte, which shrinks and yet has few repeats."""
    return bytes(byte & 127 for byte in noise(size, size))


def thinning(size, first, last):
    """Return noise with repeats of three bytes, of which the share goes from `first` to `last`: blocks hardly shrink."""
    make, found = random.Random(1), bytearray(noise(9_000, 1))
    while len(found) < size:
        if make.random() < first + (last - first) * len(found) / size:
            at = len(found) - make.randrange(3, 8_000)
            found += found[at : at + 3]
        found += make.randbytes(make.randrange(1, 8))
    return bytes(found[:size])


SAMPLES = {
    "nothing": b"",
    "one byte": b"x",
    "less than a static block": b"abcabcabcabcabc-" * 2,
    "the largest static block": text(47),
    "the smallest dynamic block": text(48),
    "text": text(150_000),
    "text of one window": text(32_768),
    "text of one turn": text(65_536),
    "text of one turn and a byte": text(65_537),
    "binary": binary(150_000),
    "a run": b"\0" * 300_000,
    "a run after noise": noise(40_000, 3) + b"a" * 70_000,
    "noise": noise(140_000, 4),
    "noise, then the same": noise(32_000, 5) * 3,
    "noise of the size that is stored": noise(33, 6),
    "noise that ends with a full block": noise(31 * 1024 + 1, 7),
    "two letters": bytes(random.Random(8).choices(b"ab", k=120_000)),
    "letters of many frequencies": bytes(random.Random(9).choices(range(24), [1.7**n for n in range(24)], k=90_000)),
    "far pairs and near ones": b"".join(b"%07d" % (n * n % 10_007) for n in range(20_000)),
    "records that come back after a turn": (binary(65_500, seed=2) + text(36)) * 2 + binary(9_000, seed=2),
    "three bytes from 8 KiB ago, and one less and more": b"".join(sparse(n) + sparse(n)[:3] for n in (8191, 8192, 8193)),
    "a match of 128, and a longer one after it": b"-" + noise(200, 1)[:128] + b"--" + noise(200, 1)[1:] + b"--" + noise(200, 1),
    "a match of 127, and a longer one after it": b"-" + noise(200, 1)[:127] + b"--" + noise(200, 1)[1:] + b"--" + noise(200, 1),
    "a block that is coded in one byte less": bytes(range(40, 70)) + b"abcabc",
    "noise with fewer and fewer repeats": thinning(200_000, 0.5, 0.0),
    "a block that is found full late": thinning(33_000, 0.2, 0.2) + noise(40_000, 2),
}  # fmt: skip
