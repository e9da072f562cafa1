"""Gzip streams of every encoder that can be had: what a packer may meet, whoever wrote it.

A `Family` is an encoder in all its settings. Some are tools or wheels that a machine need not have; `missing`
then says why. `DEFINITE` names settings whose streams have to be recompressed, or cannot be; of all others only
their exact return is asked.
"""

from __future__ import annotations

import functools
import gzip
import importlib
import io
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bundler.deflate import catalog

GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
Setting = tuple[str, Callable[[bytes], bytes]]
RECOMPRESSED, AS_IT_IS = "recompressed", "as it is"


@dataclass(frozen=True)
class Family:
    """An encoder: why it cannot be had here, or its settings, each a name and what writes gzip with it."""

    missing: Callable[[], str | None]
    settings: Callable[[], Iterator[Setting]]
    few: tuple[str, ...] | None = None  # the settings for tests in a hurry
    most: int = 1 << 62  # bytes of content that it compresses in a bearable time


def framed(body: bytes, content: bytes, *, header: bytes = GZIP_HEADER) -> bytes:
    """Return a gzip member (RFC 1952) around a raw deflate stream."""
    return header + body + struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)


def deflated(content: bytes, *, level: int = 6, wbits: int = 15, memory: int = 8, strategy: int = 0) -> bytes:
    """Return a raw deflate stream by zlib, in one call."""
    state = zlib.compressobj(level, zlib.DEFLATED, -wbits, memory, strategy)
    return state.compress(content) + state.flush()


@functools.cache
def contents(*, small: bool = False) -> dict[str, bytes]:
    """Return what is compressed: a tar of this Python's own files, and what encoders stumble over.

    A `small` tar fits into a probe of the packer's; the other one does not.
    """
    return {
        "tar": python_tar(100_000 if small else 2_500_000),
        "text": b"".join(b"%d bottles of beer\n" % number for number in range(500 if small else 20_000)),
        "random": random.Random(4).randbytes(20_000 if small else 400_000),
        "zeros": bytes(70_000 if small else 1_300_000),
        "one byte": b"x",
        "empty": b"",
    }


def python_tar(size: int) -> bytes:
    """Return a tar of about `size` bytes, as python-build-standalone's look: code first, then text."""
    binary = Path(sys.executable).read_bytes()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as writer:
        _add(writer, "python/bin/python3", binary[: size // 2])
        for path in sorted(Path(io.__file__).parent.glob("*.py")):
            if out.tell() > size - 20_000:
                break
            _add(writer, f"python/lib/python3.11/{path.name}", path.read_bytes()[: size // 8])
    return out.getvalue().rstrip(b"\0") + bytes(1024 + 512 - len(out.getvalue().rstrip(b"\0")) % 512)


def _add(writer: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = len(data), 1_704_067_200, 0o644
    writer.addfile(member, io.BytesIO(data))


def tar_of(**files: bytes) -> bytes:
    """Return a tar of these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as writer:
        for name, data in files.items():
            _add(writer, name, data)
    return out.getvalue()


def _zlib() -> Iterator[Setting]:
    for level in range(10):
        yield f"gzip module level {level}", lambda data, level=level: gzip.compress(data, level, mtime=0)
        for memory in (8, 9):
            settings = {"level": level, "memory": memory}
            yield f"level {level} memLevel {memory}", _framing(functools.partial(deflated, **settings))
    for memory in range(1, 8):
        yield f"memLevel {memory}", _framing(functools.partial(deflated, memory=memory))
    for wbits in range(9, 15):
        yield f"window of 2^{wbits}", _framing(functools.partial(deflated, wbits=wbits))
    for strategy in ("FILTERED", "HUFFMAN_ONLY", "RLE", "FIXED"):
        number = getattr(zlib, f"Z_{strategy}")
        yield f"strategy {strategy}", _framing(functools.partial(deflated, strategy=number))
    for flush in ("PARTIAL", "SYNC", "FULL", "BLOCK"):
        number = getattr(zlib, f"Z_{flush}{'' if flush == 'BLOCK' else '_FLUSH'}")
        yield f"flush {flush}", _framing(functools.partial(_flushed, mode=number))
    yield "written in odd pieces", _framing(functools.partial(_flushed, mode=zlib.Z_NO_FLUSH))
    yield "written by tarfile in a stream", _framing(_as_tarfile_writes)


def _flushed(content: bytes, *, mode: int) -> bytes:
    chance, at = random.Random(len(content)), 0
    state, out = zlib.compressobj(6, zlib.DEFLATED, -15), b""
    while at < len(content):
        size = chance.choice((1, 511, 512, 10_240, 65_535))
        out += state.compress(content[at : at + size]) + (state.flush(mode) if mode else b"")
        at += size
    return out + state.flush()


def _as_tarfile_writes(content: bytes) -> bytes:
    state = zlib.compressobj(6, zlib.DEFLATED, -15, 8)
    blocks = [state.compress(content[at : at + 512]) for at in range(0, len(content), 512)]
    return b"".join(blocks) + state.flush()


def _framing(encode: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda content: framed(encode(content), content)


def _zlib_ng() -> Iterator[Setting]:
    from zlib_ng import zlib_ng

    for level in range(10):
        yield f"level {level}", lambda data, level=level: zlib_ng.compress(data, level, 31)
        yield (
            f"level {level} streamed",
            lambda data, level=level: _streamed(zlib_ng.compressobj(level, zlib.DEFLATED, 31), data),
        )


def _streamed(state, content: bytes) -> bytes:
    pieces = [state.compress(content[at : at + 50_000]) for at in range(0, len(content), 50_000)]
    return b"".join(pieces) + state.flush()


def _cramjam() -> Iterator[Setting]:
    import cramjam

    for level in range(11):
        yield f"level {level}", lambda data, level=level: bytes(cramjam.gzip.compress(data, level))


def _rust_tar() -> Iterator[Setting]:
    """The encoder of today's archives by its double: genuine ones are in `../shared/archives`."""
    for name in catalog.MEDIUM_NAMES:
        yield name, _framing(functools.partial(_by_catalog, name))


def _by_catalog(name: str, content: bytes) -> bytes:
    encoder = catalog.native(name)
    return encoder.feed(content) + encoder.finish()


def _isal() -> Iterator[Setting]:
    isal = importlib.import_module("isal.isal_zlib")
    for level in range(4):
        yield f"level {level}", lambda data, level=level: isal.compress(data, level, 31)


def _libdeflate() -> Iterator[Setting]:
    deflate = importlib.import_module("deflate")
    for level in range(1, 13):
        yield f"level {level}", lambda data, level=level: bytes(deflate.gzip_compress(data, level))


def _zlib_rs() -> Iterator[Setting]:
    """One call only: what release 0.1.2 streams cannot be inflated."""
    zlib_rs = importlib.import_module("zlib_rs")
    for level in range(10):
        yield f"level {level}", _framing(lambda data, level=level: zlib_rs.compress(data, level)[2:-4])


def _zopfli() -> Iterator[Setting]:
    module = importlib.import_module("zopfli.gzip")
    yield "one iteration", lambda data: module.compress(data, numiterations=1)


def _piped(*command: str) -> Callable[[bytes], bytes]:
    def run(content: bytes) -> bytes:
        return subprocess.run(command, input=content, capture_output=True, check=True).stdout

    return run


def _tool(command: str, *choices: str) -> Callable[[], Iterator[Setting]]:
    """Return settings of a tool that reads stdin; each of `choices` is a list of its arguments in one string."""

    def settings() -> Iterator[Setting]:
        for one in choices:
            yield f"{command} {one}", _piped(command, *one.split())

    return settings


def _module(name: str) -> Callable[[], str | None]:
    return lambda: None if find_spec(name.partition(".")[0]) else f"the module {name} is not installed"


def _program(name: str) -> Callable[[], str | None]:
    return lambda: None if shutil.which(name) else f"the tool {name} is not installed"


_LEVELS = tuple(f"-c -n -{level}" for level in range(1, 10))
_PERL = "-MIO::Compress::Gzip=gzip,:constants -e binmode(STDIN);binmode(STDOUT);gzip('-','-',-Level,{})"
_FEW_OF_ZLIB = (
    *(
        "level 0 memLevel 8",
        "level 1 memLevel 8",
        "level 3 memLevel 9",
        "level 6 memLevel 9",
        "level 9 memLevel 8",
    ),
    *("gzip module level 6", "memLevel 1", "window of 2^9", "strategy RLE", "flush SYNC"),
    *("written in odd pieces", "written by tarfile in a stream"),
)
FAMILIES = {
    "zlib": Family(lambda: catalog.why_not_native("zlib-6-8"), _zlib, few=_FEW_OF_ZLIB),
    "zlib-ng": Family(_module("zlib_ng"), _zlib_ng, few=("level 1", "level 6 streamed")),
    "miniz_oxide": Family(_module("cramjam"), _cramjam, few=("level 1", "level 6", "level 9")),
    "zlib-rs behind tar-rs": Family(lambda: catalog.why_not_native("medium-17"), _rust_tar),
    "zlib-rs": Family(_module("zlib_rs"), _zlib_rs),
    "ISA-L": Family(_module("isal"), _isal),
    "libdeflate": Family(_module("deflate"), _libdeflate),
    "zopfli": Family(_module("zopfli"), _zopfli, most=150_000),
    "GNU gzip": Family(
        _program("gzip"), _tool("gzip", *_LEVELS, "-c -9", "-c -n --rsyncable"), few=("gzip -c -n -6",)
    ),
    "pigz": Family(
        _program("pigz"), _tool("pigz", *_LEVELS, "-c -n -0", "-c -n -p1", "-c -n -i", "-c -n -R")
    ),
    "busybox gzip": Family(_program("busybox"), _tool("busybox", "gzip -c", "gzip -c -1", "gzip -c -9")),
    "7-Zip": Family(_program("7zz"), _tool("7zz", *(f"a -tgzip -si -so -mx={one} x" for one in (1, 5, 9)))),
    "igzip": Family(_program("igzip"), _tool("igzip", "-0", "-1", "-2", "-3")),
    "minigzip": Family(_program("minigzip"), _tool("minigzip", "-1", "-6", "-9")),
    "perl": Family(_program("perl"), _tool("perl", _PERL.format(6), _PERL.format(9))),
}
# What the requirements install has no reason to be missing, but on Windows and with another zlib in Python.
ALWAYS = ("zlib", "zlib-ng", "miniz_oxide", "zlib-rs behind tar-rs")


def definite(family: str, setting: str, *, small: bool) -> str | None:
    """Return what must become of the tar where it was written so, None where either will do.

    GNU gzip -1 wrote the small tar as zlib does, and pigz does so with one block.
    """
    if family == "zlib":
        stored = "level 0" in setting
        plain = setting.startswith(("level", "gzip module level", "written"))
        return RECOMPRESSED if plain and not stored else AS_IT_IS
    if family == "miniz_oxide":
        return RECOMPRESSED if setting == "level 6" else AS_IT_IS
    if family == "zlib-rs behind tar-rs":
        return RECOMPRESSED
    unknown = ("zlib-ng", "zlib-rs", "minigzip", "perl")
    return None if family in unknown or (family in ("GNU gzip", "pigz") and small) else AS_IT_IS
