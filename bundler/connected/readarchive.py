"""Archives of interpreters as uv reads them, member by member: `.tar.gz`, `.tgz`, `.tar.zst`, `.zip`."""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

import zstandard

from bundler.errors import UsageFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIXES = (".tar.gz", ".tgz", ".tar.zst", ".zip")  # uv 0.12 and later read neither .tar.xz nor .tar.bz2
_MAX_MEMBERS = 200_000  # the largest real archive has 20,000
_MAX_TOTAL = 16 << 30  # bytes unpacked; the largest real one has 1 GiB


class Content:
    """The bytes of one member, readable until the next member is asked for."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path, self._stream = path, stream

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes; raises `UsageFault` where the archive is damaged."""
        with _faults(self._path):
            return self._stream.read(size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A member: a folder, a file whose bytes `stream` gives until the next member, or a link to `target`."""

    name: PurePosixPath
    size: int
    executable: bool
    stream: Content | None
    target: str | None
    hard: bool = False  # the target is the name of another member, not a path relative to this one


def members(path: Path) -> Iterator[Found]:
    """Yield the archive's members in order; raises `UsageFault` for what a careful reader would not take."""
    if not path.name.endswith(SUFFIXES):
        raise UsageFault(
            f"{path}: expected an archive that uv reads ({', '.join(SUFFIXES)})",
            hint="repack it as .tar.gz: uv 0.12 and later read neither .tar.xz nor .tar.bz2",
        )
    count = total = 0
    with _faults(path):
        for found in _zip(path) if path.name.endswith(".zip") else _tar(path):
            count, total = count + 1, total + found.size
            if count > _MAX_MEMBERS or total > _MAX_TOTAL:
                raise UsageFault(f"{path}: more than {_MAX_MEMBERS} members or {_MAX_TOTAL} bytes")
            if found.name.is_absolute() or ".." in found.name.parts:
                raise UsageFault(f"{path}: the member {str(found.name)!r} leads out of the archive")
            yield found


def unpack(path: Path, folder: Path) -> None:
    """Unpack the archive into an empty folder; nothing is written outside of it."""
    links: list[tuple[Path, str]] = []
    for found in members(path):
        place = folder / found.name
        if found.target is not None:
            origin = PurePosixPath() if found.hard else found.name.parent
            inside = os.path.normpath(origin / found.target)
            if inside.startswith("..") or PurePosixPath(found.target).is_absolute():
                raise UsageFault(f"{path}: the link {str(found.name)!r} leads out of the archive")
            target = os.path.relpath(folder / inside, place.parent)
            links.append((place, target))
        elif found.stream is None:
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as stream:
                while data := found.stream.read(1 << 20):
                    stream.write(data)
            place.chmod(0o755 if found.executable else 0o644)
    for place, target in links:  # last, so that no file is written through one
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)


def _tar(path: Path) -> Iterator[Found]:
    with contextlib.ExitStack() as stack:
        raw: IO[bytes] = stack.enter_context(path.open("rb"))
        packed = path.name.endswith((".tar.gz", ".tgz"))
        if not packed:
            raw = stack.enter_context(
                zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
            )
        archive = stack.enter_context(tarfile.open(fileobj=raw, mode="r|gz" if packed else "r|"))
        for member in archive:
            if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
                raise UsageFault(f"{path}: the member {member.name!r} is neither file, folder nor link")
            stream = archive.extractfile(member) if member.isfile() else None
            yield Found(
                name=PurePosixPath(member.name),
                size=member.size if stream else 0,
                executable=bool(member.mode & 0o111),
                stream=Content(path, stream) if stream else None,
                target=member.linkname if member.issym() or member.islnk() else None,
                hard=member.islnk(),
            )


def _zip(path: Path) -> Iterator[Found]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            mode = member.external_attr >> 16
            if stat.S_ISLNK(mode):
                raise UsageFault(
                    f"{path}: the member {member.filename!r} is a link, expected files and folders"
                )
            with contextlib.ExitStack() as stack:
                stream = None if member.is_dir() else stack.enter_context(archive.open(member))
                yield Found(
                    name=PurePosixPath(member.filename),
                    size=member.file_size,
                    executable=bool(mode & 0o111),
                    stream=Content(path, stream) if stream else None,
                    target=None,
                )


@contextlib.contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Turn what reading a broken archive raises into a `UsageFault`."""
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, zstandard.ZstdError, zlib.error, EOFError) as error:
        raise UsageFault(f"{path}: is damaged: {error}", hint="fetch or make it again") from None
    except OSError as error:
        raise UsageFault(
            f"{path}: cannot be read: {error.strerror or error}", hint="check the path"
        ) from None
