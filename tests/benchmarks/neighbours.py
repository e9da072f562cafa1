"""Stand-ins for archives that cannot be had: the next patch release of one, and the same by another encoder.

A neighbour has the version changed wherever it is written, a few functions' bytes changed in each executable, and one in
twenty modules edited. That is less than a real patch release changes in machine code; who cites a
number made of these must say so.
"""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zlib
from typing import TYPE_CHECKING

from bundler.deflate import catalog

if TYPE_CHECKING:
    from pathlib import Path

_EDITED = 20  # one module in so many
_PATCHES = 200  # places of 16 bytes that change in an executable


def write_neighbour(source: Path, target: Path, *, old: str, new: str, encoder: str) -> None:
    """Write what `source` might be one patch later; versions of the same length keep everything in place."""
    if len(old) != len(new):
        raise ValueError(f"expected a version of {len(old)} characters, found {new!r}")
    rng = random.Random(new)
    raw = io.BytesIO(gzip.decompress(source.read_bytes()))
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=raw) as before,
        tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as after,
    ):
        for member in before:
            content = before.extractfile(member).read() if member.isreg() else b""
            content = content.replace(old.encode(), new.encode())
            if content.startswith(b"\x7fELF") and len(content) > 1 << 16:
                edited = bytearray(content)
                for _ in range(_PATCHES):
                    at = rng.randrange(4096, len(edited) - 16)
                    edited[at : at + 16] = rng.randbytes(16)
                content = bytes(edited)
            elif member.name.endswith(".py") and not rng.randrange(_EDITED):
                content += f"\n# changed in {new}: {rng.random()}\n".encode()
            member.size = len(content)
            after.addfile(member, io.BytesIO(content) if member.isreg() else None)
        end = after.offset
    write_gzip(out.getvalue()[:end] + bytes(1024), target, encoder=encoder)  # tar-rs pads to no record


def write_gzip(content: bytes, target: Path, *, encoder: str) -> None:
    """Write `content` as one gzip member, encoded as python-build-standalone's releases of that time were."""
    made = catalog.native(encoder)
    if made is None:
        raise ValueError(f"{encoder}: {catalog.why_not_native(encoder)}")
    body = made.feed(content) + made.finish()
    ends = zlib.crc32(content).to_bytes(4, "little") + (len(content) & 0xFFFFFFFF).to_bytes(4, "little")
    target.write_bytes(bytes.fromhex("1f8b08000000000000ff") + body + ends)
