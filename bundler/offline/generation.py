"""A generation on disk: its record, what it says it holds, and whether that is there (FORMAT.md §10)."""

from __future__ import annotations

import errno
import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bundler.core import strictjson
from bundler.core.durable import read_own
from bundler.core.fault import Fault
from bundler.core.index import INDEX_NAME, MAX_INDEX_BYTES, Artifact, Index, parse_index
from bundler.core.platforms import Platform
from bundler.core.shapes import Key, Record, Seq, Text, Whole
from bundler.errors import DamagedFault, HostFault

if TYPE_CHECKING:
    from bundler.offline.prefix import Prefix

RECORD_NAME = "generation.json"
SETTINGS_NAME = "uv.toml"
_GENERATED = (INDEX_NAME, f"{INDEX_NAME}.sig", SETTINGS_NAME)
_MAX_RECORD = 64 << 10
_PLATFORM = Text(what="a platform", parse=Platform.parse)
_SHAPE = Record(
    keys={
        "number": Key(shape=Whole(minimum=1), required=True),
        "name": Key(shape=Text(), required=True),
        "release": Key(shape=Text(), required=True),
        "serial": Key(shape=Whole(minimum=1), required=True),
        "index_sha256": Key(shape=Text(max_chars=64), required=True),
        "platforms": Key(shape=Seq(item=_PLATFORM), required=True),
        "uv": Key(shape=Seq(item=Text()), required=True),
        "host": Key(shape=_PLATFORM, required=True),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One unpacked state: where it is, and what it was unpacked from."""

    folder: Path
    number: int
    name: str
    release: str
    serial: int
    index_sha256: str
    platforms: tuple[Platform, ...]
    uv: tuple[str, ...]
    host: Platform

    def record(self) -> bytes:
        """Return the content of `generation.json`."""
        document: dict[str, Any] = {
            "number": self.number,
            "name": self.name,
            "release": self.release,
            "serial": self.serial,
            "index_sha256": self.index_sha256,
            "platforms": [str(platform) for platform in self.platforms],
            "uv": list(self.uv),
            "host": str(self.host),
        }
        return strictjson.dump(document)

    def index(self) -> Index:
        """Read the index that this generation was unpacked from; raises `DamagedFault` or `HostFault`."""
        path = self.folder / INDEX_NAME
        try:
            return parse_index(read_own(path, limit=MAX_INDEX_BYTES))
        except (OSError, Fault) as error:
            raise _broken(path, error) from None

    def artifacts(self, index: Index) -> tuple[Artifact, ...]:
        """Return the artifacts of `index` that this generation holds: those of its platforms."""
        return tuple(one for one in index.artifacts if one.platform is None or one.platform in self.platforms)


def active_generation(prefix: Prefix) -> Generation | None:
    """Return what `current` points at, or None where nothing was unpacked.

    Raises `DamagedFault` where its record is absent or wrong, `HostFault` where it cannot be read.
    """
    if not prefix.current.is_symlink() and not prefix.current.exists():
        return None
    return read_generation(Path(os.path.realpath(prefix.current)))


def read_generation(folder: Path) -> Generation:
    """Return the generation in `folder`; raises `DamagedFault` where there is none."""
    path = folder / RECORD_NAME
    try:
        read = _SHAPE.read(strictjson.parse(read_own(path, limit=_MAX_RECORD), max_bytes=_MAX_RECORD))
    except (OSError, Fault) as error:
        raise _broken(path, error) from None
    return Generation(folder=folder, **read)


def missing_file(generation: Generation, index: Index) -> str | None:
    """Return the first path whose file is absent or has another size or mode, or None where all is there."""
    for name in _GENERATED:
        if not (generation.folder / name).is_file():
            return name
    for artifact in generation.artifacts(index):
        for path in (artifact.path, *artifact.links):
            try:
                found = (generation.folder / path).lstat()
            except OSError:
                return path
            mode = 0o755 if artifact.executable else 0o644
            if not stat.S_ISREG(found.st_mode):
                return path
            if artifact.role != "metadata" and found.st_size != artifact.size:
                return path
            if os.name != "nt" and stat.S_IMODE(found.st_mode) != mode:
                return path
    return None


def _broken(path: Path, error: OSError | Fault) -> DamagedFault | HostFault:
    if isinstance(error, OSError) and error.errno == errno.EIO:  # it may be whole: do not advise to remove it
        return HostFault(
            f"{path}: {error.strerror}",
            hint="the device reports an error: check it (`dmesg`), then run it again",
        )
    reason = error.strerror if isinstance(error, OSError) else str(error)
    hint = "unpack the bundle again with another --prefix, or remove the link `current` and unpack again"
    if isinstance(error, PermissionError):
        hint = "as its owner, let everybody read it: chmod -R a+rX " + shlex.quote(str(path.parent))
    return DamagedFault(f"{path}: {reason}, expected the record of an unpacked generation", hint=hint)
