"""Zip files as writers make them, and as attackers do: what a packer may meet at the top or in an archive."""

from __future__ import annotations

import functools
import io
import random
import shutil
import struct
import subprocess
import tempfile
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from gzipcorpus import AS_IT_IS, RECOMPRESSED, deflated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Case = tuple[str, bytes, str | None]
TIME = (2024, 1, 1, 0, 0, 0)


@functools.cache
def files() -> dict[str, bytes]:
    """Return what is zipped: this Python's own texts, noise, and what is empty or a byte."""
    texts = sorted(Path(io.__file__).parent.glob("*.py"))[:6]
    named = {f"package/{path.name}": path.read_bytes()[:20_000] for path in texts}
    return {
        **named,
        "noise.bin": random.Random(2).randbytes(5000),
        "empty": b"",
        "byte": b"x",
        "zeros": bytes(90_000),
    }


class _OneWay(io.BytesIO):
    """Cannot seek: so zipfile writes data descriptors."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


def zipped(
    *, level: int = 6, method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"", out: io.BytesIO | None = None,
    large: bool = False, before: bytes = b"", content: dict[str, bytes] | None = None,
) -> bytes:  # fmt: skip
    """Return a zip file by Python's own module."""
    out = io.BytesIO(before) if out is None else out
    if before:
        out.seek(0, 2)
    with zipfile.ZipFile(out, "w" if not before else "a", method, compresslevel=level) as writer:
        for name, data in (content or files()).items():
            member = zipfile.ZipInfo(name, TIME)
            if not large:
                writer.writestr(member, data, method, compresslevel=level)
                continue
            member.compress_type = method
            with writer.open(member, "w", force_zip64=True) as stream:
                stream.write(data)
        writer.comment = comment
    return out.getvalue()


def good() -> Iterator[Case]:
    """Yield zip files that any reader opens."""
    for level in range(1, 10):
        yield f"level {level}", zipped(level=level), RECOMPRESSED
    yield "stored", zipped(method=zipfile.ZIP_STORED), AS_IT_IS
    yield "level 0", zipped(level=0), None  # noise is stored at any level
    yield "bzip2", zipped(method=zipfile.ZIP_BZIP2), AS_IT_IS
    yield "lzma", zipped(method=zipfile.ZIP_LZMA), AS_IT_IS
    yield "data descriptors", zipped(out=_OneWay()), RECOMPRESSED
    yield "zip64 fields", zipped(large=True), None
    yield "a comment", zipped(comment=b"a comment, and PK\5\6 in it" * 20), None
    yield "a long comment", zipped(comment=b"c" * 65_535), RECOMPRESSED
    yield "without members", zipped(content={"folder/": b""}), AS_IT_IS
    yield "a script before, offsets from the begin", zipped(before=b"#!/bin/sh\n" * 100), None
    yield "a script before, offsets not changed", b"#!/bin/sh\n" * 100 + zipped(), None
    yield "garbage behind", zipped() + b"garbage", None
    yield "many members", zipped(content={f"{at}.txt": b"%d " % at * 50 for at in range(200)}), RECOMPRESSED
    nested = {"inner.whl": zipped(), "other.txt": b"text " * 100}
    yield "a zip file in it", zipped(content=nested), RECOMPRESSED
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of what is wanted here
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as writer:
            for text in (b"one " * 99, b"two " * 99):
                writer.writestr(zipfile.ZipInfo("same.txt", TIME), text, zipfile.ZIP_DEFLATED)
    yield "two members of one name", out.getvalue(), RECOMPRESSED
    if shutil.which("zip"):
        for choice in ("-6", "-9", "-1", "-0", "-fd"):
            yield f"Info-ZIP {choice}", _info_zip(choice), None


def bad() -> Iterator[Case]:
    """Yield zip files that lie."""
    whole = zipped()
    for name, change in _LIES.items():
        data = bytearray(whole)
        change(data)
        yield name, bytes(data), None
    for seed in range(40):
        chance, data = random.Random(seed), bytearray(whole)
        for _ in range(3):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        yield f"flipped bits {seed}", bytes(data), None
    text = b"a line of a text\n" * 300
    body = deflated(text, level=6)
    yield "one honest member", of_deflate(body, text), RECOMPRESSED
    for name, size in (
        ("more", len(text) + 1),
        ("less", len(text) - 1),
        ("nothing", 0),
        ("4 GiB", 2**32 - 2),
    ):
        yield f"a member that states {name}", of_deflate(body, text, size=size), AS_IT_IS
    yield "garbage behind a body", of_deflate(body + b"garbage", text), AS_IT_IS
    yield "a body cut off", of_deflate(body[:-3], text), AS_IT_IS
    yield "a bomb: 1000 to 1", of_deflate(deflated(bytes(1 << 20)), bytes(1 << 20)), AS_IT_IS
    for left in (3, 30, len(whole) // 2, len(whole) - 1):
        yield f"cut off behind {left} bytes", whole[:left], AS_IT_IS


def _overlap(data: bytearray) -> None:
    """Let the second entry of the directory point to the first one's member."""
    first = data.index(b"PK\1\2")
    second = data.index(b"PK\1\2", first + 4)
    data[second + 42 : second + 46] = data[first + 42 : first + 46]


def _quoted(data: bytearray) -> None:
    """Make all entries of the directory the same one: a bomb by overlap, with its names."""
    first, end = data.index(b"PK\1\2"), data.rindex(b"PK\5\6")
    entry = bytes(data[first : data.index(b"PK\1\2", first + 4)])
    data[first:end] = entry * 9
    data[-14:-2] = struct.pack("<HHII", 9, 9, 9 * len(entry), first)


def _everywhere(sign: bytes, offset: int, value: bytes) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        at = data.find(sign)
        while at >= 0:
            data[at + offset : at + offset + len(value)] = value
            at = data.find(sign, at + 4)

    return change


_LIES: dict[str, Callable[[bytearray], None]] = {
    "encrypted, both headers": lambda data: (
        _everywhere(b"PK\1\2", 8, b"\1")(data),
        _everywhere(b"PK\3\4", 6, b"\1")(data),
    ),
    "encrypted, directory only": _everywhere(b"PK\1\2", 8, b"\1"),
    "another method in the directory": _everywhere(b"PK\1\2", 10, b"\0"),
    "sizes of nothing": _everywhere(b"PK\1\2", 20, bytes(8)),
    "sizes of the whole space": _everywhere(b"PK\1\2", 20, b"\xff" * 8),
    "offsets beyond the end": _everywhere(b"PK\1\2", 42, b"\xff\xff\xff\x7f"),
    "offset 0 of all": _everywhere(b"PK\1\2", 42, bytes(4)),
    "local names too long": _everywhere(b"PK\3\4", 26, b"\xff\xff"),
    "wrong CRC": _everywhere(b"PK\1\2", 16, b"\1\2\3\4"),
    "overlapping": _overlap,
    "one member nine times": _quoted,
    "more members than there are": _everywhere(b"PK\5\6", 8, b"\x30\0\x30\0"),
    "several disks": _everywhere(b"PK\5\6", 4, b"\1\0\1\0"),
}


def _info_zip(choice: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files().items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        subprocess.run(["zip", "-q", "-r", "-X", choice, "it.zip", *(name for name in files())],
                       cwd=folder, check=True)  # fmt: skip
        return Path(folder, "it.zip").read_bytes()


def of_deflate(body: bytes, content: bytes, *, size: int | None = None) -> bytes:
    """Return a zip file of one member with this very body, whose directory states `size`."""
    stated = len(content) if size is None else size
    facts = struct.pack("<5H3I2H", 20, 0, 8, 0, 33, zlib.crc32(content), len(body), stated, 1, 0)
    local = b"PK\3\4" + facts + b"a" + body
    central = b"PK\1\2" + b"\24\0" + facts + struct.pack("<3H2I", 0, 0, 0, 0, 0) + b"a"
    return local + central + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local), 0)
