"""The lock: what a manifest was resolved to, exact, machine-written and small enough to be reviewed.

It names no host of the machine that wrote it: files of the package index stand there by name, sha256 and
size, and are found again through the index when a bundle is packed. Pythons stand there with uv's own
canonical URLs, which every mirror setting starts from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bundler.connected.lockshape import SHAPE, VERSION
from bundler.core import strictjson
from bundler.core.fault import Fault
from bundler.core.metadata import Row
from bundler.core.platforms import Platform
from bundler.core.uvnames import own_build_url
from bundler.errors import HostFault, UsageFault

if TYPE_CHECKING:
    from pathlib import Path

    from bundler.connected.pyrequest import PythonRequest
    from bundler.core.digest import Digest

MAX_BYTES = 16 << 20  # a lock of 10,000 Pythons has 5 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    """A file of the package index: its name, digest, and size in bytes where the index or its server told."""

    file: str
    sha256: Digest
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedWheel:
    """The wheel of one version of uv for one platform."""

    version: str
    platform: Platform
    wheel: LockedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPython:
    """A row of uv's list with its sha256, the archive's size where known, and the requests that mean it."""

    row: Row
    size: int | None
    requests: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedBuild:
    """A site's own build: its row, the archive's name and size, and where the manifest says it lies."""

    row: Row
    file: str
    size: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What a manifest was resolved to; lists are sorted.

    `manifest` is the manifest's digest, `latest` the version that its `latest` stood for, `index` what its
    `sources.index` says. `uv_list` is the sdist out of which the list of Pythons came; None without Pythons.
    """

    name: str
    manifest: Digest
    index: str | None
    uv: tuple[str, ...]
    latest: str | None
    platforms: tuple[Platform, ...]
    uv_list: LockedFile | None
    pythons: tuple[LockedPython, ...]
    wheels: tuple[LockedWheel, ...]
    builds: tuple[LockedBuild, ...]

    @classmethod
    def from_bytes(cls, data: bytes) -> Lock:
        """Read a lock; raises `Fault` for what no `to_bytes` writes."""
        read = SHAPE.read(strictjson.parse(data, max_bytes=MAX_BYTES))
        builds = tuple(_build(value, number) for number, value in enumerate(read["builds"]))
        pythons = tuple(_python(value) for value in read["pythons"])
        _check_distinct([item.row.key for item in pythons] + [item.row.key for item in builds])
        return cls(
            name=read["name"],
            manifest=read["manifest"],
            index=read["index"],
            uv=read["uv"],
            latest=read["latest"],
            platforms=read["platforms"],
            uv_list=LockedFile(**read["list"]) if read["list"] else None,
            pythons=pythons,
            wheels=tuple(_wheel(value) for value in read["wheels"]),
            builds=builds,
        )

    def to_bytes(self) -> bytes:
        """Write the lock: the same lock always gives the same bytes."""
        return strictjson.dump(
            {
                "version": VERSION,
                "name": self.name,
                "manifest": str(self.manifest),
                "index": self.index,
                "uv": list(self.uv),
                "latest": self.latest,
                "platforms": [str(platform) for platform in self.platforms],
                "list": _file_dict(self.uv_list) if self.uv_list else None,
                "pythons": [
                    {
                        **_row_dict(item.row),
                        "url": item.row.url,
                        "size": item.size,
                        "requests": list(item.requests),
                    }
                    for item in self.pythons
                ],
                "wheels": [
                    {"uv": item.version, "platform": str(item.platform), **_file_dict(item.wheel)}
                    for item in self.wheels
                ],
                "builds": [
                    {**_row_dict(item.row), "file": item.file, "size": item.size, "source": item.source}
                    for item in self.builds
                ],
            }
        )


def lock_path(manifest: Path) -> Path:
    """Return where the lock of the manifest at `manifest` lies: beside it, `plant.yaml` has `plant.lock`."""
    return manifest.with_suffix(".lock")


def load_lock(path: Path) -> Lock:
    """Read the lock at `path`; raises `UsageFault` for one that is not there or does not fit."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageFault(f"{path}: no such lock", hint="uv-bundler lock MANIFEST writes it") from None
    except OSError as error:
        why = error.strerror or str(error)
        raise HostFault(f"{path}: cannot read the lock: {why}", hint="check its permissions") from None
    try:
        return Lock.from_bytes(data)
    except Fault as fault:
        raise UsageFault(
            f"{path}: {fault}", hint=fault.hint or "uv-bundler lock MANIFEST writes it anew"
        ) from None


def _row_dict(row: Row) -> dict[str, Any]:
    return {"key": row.key, "sha256": str(row.sha256), "build": row.build}


def _file_dict(file: LockedFile) -> dict[str, Any]:
    return {"file": file.file, "sha256": str(file.sha256), "size": file.size}


def _check_distinct(keys: list[str]) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise Fault(f"expected each installation key once, found {key} twice", path=("pythons",))
        seen.add(key)


def _python(read: dict[str, Any]) -> LockedPython:
    return LockedPython(row=_row(read, url=read["url"]), size=read["size"], requests=read["requests"])


def _build(read: dict[str, Any], number: int) -> LockedBuild:
    try:
        row = _row(read, url=own_build_url(read["file"], read["sha256"]))
    except Fault as fault:
        raise fault.under(("builds", number)) from None
    return LockedBuild(row=row, file=read["file"], size=read["size"], source=read["source"])


def _wheel(read: dict[str, Any]) -> LockedWheel:
    file = LockedFile(file=read["file"], sha256=read["sha256"], size=read["size"])
    return LockedWheel(version=read["uv"], platform=read["platform"], wheel=file)


def _row(read: dict[str, Any], *, url: str) -> Row:
    key: PythonRequest = read["key"]
    major, minor, patch = (*key.release, 0)[:3]
    return Row(
        name=key.implementation,
        version=(major, minor, patch),
        prerelease=key.prerelease,
        variant=key.variant,
        platform=Platform(key.os, key.arch, key.libc),
        url=url,
        sha256=read["sha256"],
        build=read["build"],
    )
