"""Content made for the encoder of zlib-ng, the same in every release of Python."""

import hashlib

import pytest

from bundler.deflate import nativeng

needs_wheel = pytest.mark.skipif(bool(nativeng.available()), reason=f"needs zlib-ng: {nativeng.available()}")


def encoded(encoder, data, *, cut=1 << 20):
    out = [encoder.feed(data[at : at + cut]) for at in range(0, len(data), cut)]
    return b"".join(out) + encoder.finish()


def header(size):
    return b"name".ljust(124, b"\0") + b"%011o\0" % size + bytes(376)


def tar(*contents):
    entries = (header(len(content)) + content + bytes(-len(content) % 512) for content in contents)
    return b"".join(entries) + bytes(1024)


def noise(size, *, word=1):
    """Return bytes that do not repeat, and that no release of Python makes different."""
    return b"".join(hashlib.sha256(b"%d %d" % (word, at)).digest() for at in range(size // 32 + 1))[:size]


def repeats(size, *, word=1, least=4, most=300):
    """Return bytes of which most are repeats of earlier ones."""
    made = bytearray(noise(40, word=word))
    dice = iter(noise(size * 2, word=word + 1000))
    while len(made) < size:
        kind, far, length = next(dice), next(dice) << 7 | next(dice) >> 1, next(dice)
        if kind < 100:
            made += noise(kind % 9 + 1, word=far)
        else:
            length = least + length * 3 % (most - least + 1)
            begin = max(0, len(made) - far - 1)
            made += (bytes(made[begin : begin + length]) * length)[:length]
    return bytes(made[:size])
