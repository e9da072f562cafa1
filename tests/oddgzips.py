"""Gzip files that are odd as a whole: headers, members, ends, damage; and whether they must be recompressed."""

from __future__ import annotations

import gzip
import random
import struct
import zlib
from typing import TYPE_CHECKING

from gzipcorpus import AS_IT_IS, GZIP_HEADER, RECOMPRESSED, deflated, framed

from bundler.deflate import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

Case = tuple[str, bytes, str | None]


def encoded(name: str, content: bytes) -> bytes:
    """Return a gzip member by an encoder of the catalog."""
    encoder = catalog.native(name) or catalog.reference(name)
    return framed(encoder.feed(content) + encoder.finish(), content)


def headers(content: bytes) -> Iterator[Case]:
    """Yield what RFC 1952, 2.3 allows in a header, and what it forbids."""
    body = deflated(content)

    def headed(flags: int, fields: bytes = b"", *, time: int = 0, extra: int = 0, system: int = 255) -> bytes:
        return framed(
            body, content, header=struct.pack("<3sBIBB", GZIP_HEADER[:3], flags, time, extra, system) + fields
        )

    yield "FNAME", headed(0x08, b"python.tar\0"), RECOMPRESSED
    yield "FNAME in latin-1", headed(0x08, b"\xfcber.tar\0"), RECOMPRESSED
    yield "FCOMMENT", headed(0x10, b"made by hand\0"), RECOMPRESSED
    yield "FEXTRA", headed(0x04, struct.pack("<H", 6) + b"AB\2\0xy"), RECOMPRESSED
    yield "FEXTRA of 64 KiB", headed(0x04, b"\xff\xff" + bytes(range(255)) * 257), RECOMPRESSED
    yield "FHCRC, which is wrong", headed(0x02, b"\x12\x34"), RECOMPRESSED
    yield "all fields and FTEXT", headed(0x1F, b"\2\0ab" + b"n\0" + b"c\0" + b"\x12\x34"), RECOMPRESSED
    yield "a time", headed(0, time=1_704_067_200), RECOMPRESSED
    yield "an odd operating system", headed(0, system=77), RECOMPRESSED
    for extra in (1, 2, 4, 255):
        yield f"XFL {extra}", headed(0, extra=extra), RECOMPRESSED
    for bit in (0x20, 0x40, 0x80):
        yield f"reserved flag {bit:#x}", headed(bit), AS_IT_IS
    yield "a method that is not deflate", b"\x1f\x8b\x07" + headed(0)[3:], AS_IT_IS
    yield "FNAME without an end", GZIP_HEADER[:3] + b"\x08" + bytes(6) + b"n" * 400, AS_IT_IS


def members(content: bytes) -> Iterator[Case]:
    """Yield files of several members, by one encoder or by many."""
    half = len(content) // 2
    whole, empty = encoded("zlib-6-8", content), encoded("zlib-6-8", b"")
    yield (
        "two members",
        encoded("zlib-6-8", content[:half]) + encoded("zlib-6-8", content[half:]),
        RECOMPRESSED,
    )
    yield "the same member twice", whole * 2, RECOMPRESSED
    yield "empty members around", empty * 3 + whole + empty * 2, RECOMPRESSED
    yield "only empty members", empty * 5, None
    pairs = [encoded(name, content) for name in ("miniz-6", "zlib-9-8", "medium-17", "zlib-1-9", "zlib-6-8")]
    yield "members of five encoders", b"".join(pairs), RECOMPRESSED
    yield (
        "members of all encoders, more than a recipe may name",
        b"".join(encoded(name, content) for name in catalog.NAMES),
        AS_IT_IS,
    )
    yield "a member that nobody knows among others", whole + framed(deflated(content, strategy=2), content) + whole, AS_IT_IS  # fmt: skip
    yield (
        "300 members",
        b"".join(encoded("zlib-6-8", content[at : at + half]) for at in range(300))
        if len(content) < 50_000
        else whole,
        RECOMPRESSED,
    )
    yield "gzip in gzip", encoded("zlib-6-8", whole), RECOMPRESSED


def ends(content: bytes) -> Iterator[Case]:
    """Yield a good stream with another end than its own."""
    whole = encoded("zlib-6-8", content)
    yield "garbage behind", whole + b"garbage", RECOMPRESSED
    yield "zeros behind", whole + bytes(10_240), RECOMPRESSED
    yield "much garbage behind", whole + random.Random(9).randbytes(200_000), RECOMPRESSED
    yield "a broken member behind", whole + whole[:-20], RECOMPRESSED
    yield "the begin of a header behind", whole + GZIP_HEADER[:5], RECOMPRESSED
    yield "a wrong CRC", whole[:-8] + b"1234" + whole[-4:], RECOMPRESSED
    yield "a wrong ISIZE", whole[:-4] + b"1234", RECOMPRESSED
    for missing in (1, 4, 7, 8):
        yield f"{missing} bytes of the trailer cut off", whole[:-missing], RECOMPRESSED
    for left in (1, 9, 10, 11, len(whole) // 2, len(whole) - 9):
        yield f"cut off behind {left} bytes", whole[:left], AS_IT_IS
    yield "a byte before", b"x" + whole, AS_IT_IS


def damaged(content: bytes, *, count: int) -> Iterator[Case]:
    """Yield streams with a few flipped bits: most cannot be inflated, some can, to other content."""
    for seed in range(count):
        chance = random.Random(seed)
        data = bytearray(encoded("zlib-6-8", content))
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        yield f"flipped bits {seed}", bytes(data), None


def other_forms(content: bytes) -> Iterator[Case]:
    """Yield what is no gzip at all, though some of it has the same stream inside."""
    import bz2
    import lzma

    import zstandard

    yield "zlib format", zlib.compress(content), AS_IT_IS
    yield "raw deflate", deflated(content), AS_IT_IS
    yield "tar.bz2", bz2.compress(content), AS_IT_IS
    yield "tar.xz", lzma.compress(content), AS_IT_IS
    yield "tar.zst", zstandard.compress(content), AS_IT_IS
    yield "plain", content, AS_IT_IS
    yield "nothing", b"", AS_IT_IS
    yield "a bomb: 1032 to 1", gzip.compress(bytes(3 << 20), 9, mtime=0), None
