"""uv's programs out of its wheel: known names only, each checked against the wheel's own RECORD."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, BinaryIO

from bundler.errors import DamagedFault, HostFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundler.core.platforms import Platform

_REQUIRED = ("uv", "uvx")
_OPTIONAL = ("uvw",)  # on Windows alone; uv without a console window
_MAX_PROGRAM = 512 << 20  # bytes; that of uv 0.13.8 has 38 MB
_MAX_RECORD = 1 << 20
_CHUNK = 1 << 20
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)  # as zipfile raises


def extract_binaries(wheel: Path, into: Path, platform: Platform) -> dict[str, Path]:
    """Write `uv` and `uvx`, on Windows `uv.exe`, `uvx.exe` and `uvw.exe`, into the folder `into`.

    Returns them by name. Each has the sha256 and size that RECORD gives (the wheel specification, "The
    .dist-info directory") and mode 0755. Raises `DamagedFault` for a wheel that does not fit, `HostFault`
    where a file cannot be written; then nothing of it stays.
    """
    written: dict[str, Path] = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            record = _read_record(archive)
            for name, member in _programs(archive, platform):
                _write(archive, member, into / name, record.get(member.filename))
                written[name] = into / name
    except _BROKEN as error:
        _remove(written)
        raise DamagedFault(
            f"{wheel.name}: cannot be read as a wheel of uv: {error}", hint="fetch it again"
        ) from None
    except OSError as error:
        _remove(written)
        why = (error.strerror or str(error)).lower()
        raise HostFault(f"{into}: {why}", hint="free some space, or check permissions") from None
    return written


def _remove(written: dict[str, Path]) -> None:
    for path in written.values():
        path.unlink(missing_ok=True)


def _programs(archive: zipfile.ZipFile, platform: Platform) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    suffix = ".exe" if platform.os == "windows" else ""
    for name in (*_REQUIRED, *(_OPTIONAL if suffix else ())):
        pattern = re.compile(rf"uv-[^/]+\.data/scripts/{name}{re.escape(suffix)}")
        found = [member for member in archive.infolist() if pattern.fullmatch(member.filename)]
        if len(found) > 1 or (name in _REQUIRED and not found):
            raise zipfile.BadZipFile(
                f"expected {name}{suffix} once in its scripts, found it {len(found)} times"
            )
        for member in found:
            yield name + suffix, member


def _read_record(archive: zipfile.ZipFile) -> dict[str, tuple[str, str]]:
    """Return the sha256 (as `urlsafe_b64encode` without padding) and the size of each member."""
    names = [
        info for info in archive.infolist() if re.fullmatch(r"uv-[^/]+\.dist-info/RECORD", info.filename)
    ]
    if len(names) != 1 or names[0].file_size > _MAX_RECORD:
        raise zipfile.BadZipFile("it has no RECORD")
    lines = archive.read(names[0]).decode("utf-8", "replace").splitlines()
    return {row[0]: (row[1].removeprefix("sha256="), row[2]) for row in csv.reader(lines) if len(row) == 3}


def _write(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, expected: tuple[str, str] | None
) -> None:
    if expected is None or member.file_size > _MAX_PROGRAM:
        raise zipfile.BadZipFile(f"its RECORD does not name {member.filename}, or it is too large")
    try:
        with archive.open(member) as source, target.open("xb") as sink:
            _copy(source, sink, expected, member.filename)
        target.chmod(0o755)
    except FileExistsError:
        raise  # it is not ours to remove
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _copy(source: IO[bytes], sink: BinaryIO, expected: tuple[str, str], name: str) -> None:
    """Copy and flush to disk; raises where digest and size are not those of RECORD."""
    state, size = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK):
        state.update(chunk)
        size += len(chunk)
        sink.write(chunk)
    if (base64.urlsafe_b64encode(state.digest()).decode().rstrip("="), str(size)) != expected:
        raise zipfile.BadZipFile(f"{name} differs from its RECORD")
    sink.flush()
    os.fsync(sink.fileno())
