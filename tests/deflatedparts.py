"""Files in the parts that a recipe has: what lies as it is, what is encoded, and what an earlier bundle brought."""

from __future__ import annotations

import functools
import io
import struct
import tarfile
import zlib
from dataclasses import dataclass

from bundles import small_content

from bundler.deflate import catalog


@dataclass(frozen=True)
class Literal:
    """Bytes that lie beside the programs."""

    data: bytes


@dataclass(frozen=True)
class Deflated:
    """What the parts yield, encoded."""

    encoder: str
    parts: tuple


@dataclass(frozen=True)
class Taken:
    """Bytes of the content of a held artifact; `data` is what they are."""

    source: str
    offset: int
    data: bytes


@functools.cache
def encoded(name, content):
    """Return the raw deflate stream that this encoder makes of the content."""
    encoder = catalog.native(name) or catalog.reference(name)
    return encoder.feed(content) + encoder.finish()


def joined(parts) -> bytes:
    """Return what the parts yield."""
    made = []
    for part in parts:
        if isinstance(part, Deflated):
            made.append(encoded(part.encoder, joined(part.parts)))
        else:
            made.append(part if isinstance(part, bytes) else part.data)
    return b"".join(made)


def gzip_of(*parts, encoder="zlib-6-8"):
    """Return the parts of a gzip file whose content these parts yield."""
    content = joined(parts)
    ends = struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)
    head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    return (Literal(head), Deflated(encoder, tuple(parts)), Literal(ends))


def tar_of(**files) -> bytes:
    """Return a small tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as writer:
        for name, data in files.items():
            info = tarfile.TarInfo(name.replace("_", "."))
            info.size = len(data)
            writer.addfile(info, io.BytesIO(data))
    used = out.getvalue().rstrip(b"\0")
    return used + bytes(-len(used) % 512 + 1024)


def with_wheel(tar: bytes):
    """Return the parts of `tar` and a zip file behind it, whose one file is inflated."""
    text, name = b"print('a wheel in an archive')\n" * 40, b"wheel.py"
    inner = encoded("zlib-6-8", text)
    facts = struct.pack("<5H3I2H", 20, 0, 8, 0, 33, zlib.crc32(text), len(inner), len(text), len(name), 0)
    local = b"PK\3\4" + facts + name
    central = b"PK\1\2\x14\0" + facts + bytes(14) + name
    end = b"PK\5\6" + struct.pack("<4H2IH", 0, 0, 1, 1, len(central), len(local) + len(inner), 0)
    return (tar, Literal(local), Deflated("zlib-6-8", (text,)), Literal(central + end))


OLD_TAR = tar_of(a_py=b"import os\n" * 150, b_so=small_content(1, 2500), c_txt=b"old and common\n" * 30)
NEW_TAR = tar_of(a_py=b"import os\n" * 140 + b"import re\n", b_so=small_content(1, 2500), c_txt=b"new\n" * 99)
