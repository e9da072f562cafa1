"""The list of Pythons inside an sdist of uv: found by name, read row by row, as lenient as uv itself.

The file has moved between versions (`crates/uv-python/`, since 0.13 `crates/uv-python-managed/`) and had a
`-minified` sibling in some (0.6.17), so it is looked for by its name, and the largest one is taken.
"""

from __future__ import annotations

import tarfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bundler.core import strictjson
from bundler.core.fault import Fault
from bundler.core.metadata import MAX_BYTES, ROW_SHAPE, Row
from bundler.errors import DamagedFault, SourceFault

if TYPE_CHECKING:
    from pathlib import Path

NAME = "download-metadata.json"
_MINIFIED = "download-metadata-minified.json"
_MAX_UNPACKED = 2 << 30  # bytes that an sdist may unpack to; that of uv 0.13.8 has 0.1 GiB
_ARCH_KEYS = ("family", "variant")
_VARIANTS = ("", "freethreaded", "debug", "freethreaded+debug")
_IMPLEMENTATIONS = ("cpython", "pypy", "graalpy")


@dataclass(frozen=True, slots=True, kw_only=True)
class UvMetadata:
    """The Pythons that a version of uv knows; `skipped` counts the rows that are not for us to carry.

    Those are rows of platforms that we do not know, such as emscripten, and what uv skips itself.
    """

    rows: tuple[Row, ...]
    skipped: int


def read_sdist(sdist: Path) -> UvMetadata:
    """Return the Pythons listed in the sdist of uv at `sdist`; nothing is unpacked to disk.

    Raises `DamagedFault` for what is no sdist, and `SourceFault` where it has no list or none of use.
    """
    try:
        data = _find(sdist)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DamagedFault(
            f"{sdist}: cannot be read as an sdist of uv: {error}", hint="fetch it again"
        ) from None
    if data is None:
        raise SourceFault(
            f"{sdist.name}: has no {NAME}, expected one in every sdist of uv",
            hint="name another version of uv; if it is the newest, uv-bundler needs an update",
        )
    try:
        return read_metadata(data)
    except Fault as fault:
        raise SourceFault(f"{sdist.name}: {NAME}: {fault}", hint="name another version of uv") from None


def _find(sdist: Path) -> bytes | None:
    found: dict[str, bytes] = {}
    unpacked = 0
    with tarfile.open(sdist, "r|gz") as archive:  # a stream: one pass over it, never back
        for member in archive:
            unpacked += member.size
            if unpacked > _MAX_UNPACKED:
                raise tarfile.ReadError(f"it unpacks to more than {_MAX_UNPACKED} bytes")
            name = member.name.rpartition("/")[2]
            if not member.isreg() or name not in (NAME, _MINIFIED) or member.size > MAX_BYTES:
                continue
            stream = archive.extractfile(member)
            data = stream.read() if stream else b""
            if len(data) > len(found.get(name, b"")):
                found[name] = data
    return found.get(NAME) or found.get(_MINIFIED)


def read_metadata(data: bytes) -> UvMetadata:
    """Return the rows of a list of uv; keys that we do not know are left aside, as uv leaves them.

    Raises `Fault` where the document as a whole is none, or not a single row can be read.
    """
    document = strictjson.parse(data, max_bytes=MAX_BYTES)
    if not isinstance(document, dict):
        raise Fault("expected an object of rows")
    rows: dict[str, Row] = {}
    why: Fault | None = None
    for key, value in document.items():
        try:
            row = Row.from_dict(_known_keys(value), (key,))
        except Fault as fault:
            why = why or fault
            continue
        if row.variant in _VARIANTS and row.name in _IMPLEMENTATIONS:
            rows.setdefault(row.key, row)
    if not rows and document:
        raise why or Fault("expected rows of CPython, PyPy or GraalPy")
    return UvMetadata(rows=tuple(rows.values()), skipped=len(document) - len(rows))


def _known_keys(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    row = {key: value[key] for key in ROW_SHAPE.keys if key in value}
    if isinstance(arch := row.get("arch"), dict):
        row["arch"] = {key: arch[key] for key in _ARCH_KEYS if key in arch}
    return row
