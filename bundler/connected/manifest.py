"""The manifest: what a person wishes a bundle to hold, read from YAML (README, "Manifest").

What comes out of here is complete and makes sense in itself: requests are ones that uv would read,
platforms are resolved, nothing stands twice. Whether it exists anywhere is for `lock` to find out.
"""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bundler.connected import manifestchecks, yamltree
from bundler.connected.manifestshape import SHAPE
from bundler.connected.yamlshapes import about
from bundler.core import strictjson
from bundler.core.digest import Digest
from bundler.core.fault import Fault
from bundler.core.platforms import Platform, host_platform
from bundler.errors import HostFault, UsageFault

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonWish:
    """A request for Pythons: its text in uv's syntax, and how many of the newest patches of each minor."""

    request: str
    patches: int = 1
    sha256: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where artifacts come from; None and () mean the public places.

    `pythons` are mirrors, tried in order, that stand in for python-build-standalone's release URL.
    """

    index: str | None = None
    pythons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveBuild:
    """A site's own archive, to be carried byte for byte; `written` is its path as the manifest says it."""

    path: Path
    written: str
    version: str
    platform: Platform
    sha256: Digest | None = None
    implementation: str = "cpython"
    variant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixBuild:
    """An installed interpreter, to be archived by us; `written` is its path as the manifest says it."""

    path: Path
    written: str
    platform: Platform


Build = ArchiveBuild | PrefixBuild


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a bundle is to hold.

    `uv` holds exact versions, or `latest`. `serial` is None where packing is to choose it, `valid_days`
    where the bundle is not to expire. `digest` covers what decides which artifacts the manifest resolves
    to, so comments, layout, labels and mirrors do not change it.
    """

    name: str
    release: str
    serial: int | None
    valid_days: int | None
    uv: tuple[str, ...]
    pythons: tuple[PythonWish, ...]
    platforms: tuple[Platform, ...]
    sources: Sources
    builds: tuple[Build, ...]
    path: Path
    digest: Digest


def load_manifest(path: Path) -> Manifest:
    """Read the manifest at `path`; paths in it are taken relative to its folder.

    Raises `UsageFault` for a file that is not there or does not fit, as
    `FILE:LINE:COL: key.path: what is wrong`, and `HostFault` for one that may not be read.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(yamltree.MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageFault(
            f"{path}: no such file, expected a manifest", hint=f"uv-bundler init {path} writes a starter"
        ) from None
    except IsADirectoryError:
        raise UsageFault(f"{path}: a folder, expected a manifest", hint="name the .yaml file in it") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise HostFault(f"{path}: cannot read the manifest: {reason}", hint="check its permissions") from None
    return parse_manifest(data, path=path)


def parse_manifest(data: bytes, *, path: Path) -> Manifest:
    """Read a manifest that lies at `path`, without touching a file; raises `UsageFault`."""
    document = yamltree.parse(data, name=str(path))
    try:
        read = SHAPE.read(document.value)
        _complete(read)
        manifestchecks.check(read)
    except Fault as fault:
        said = about(SHAPE, fault.path)
        raise document.refusal(
            fault, hint=said or "`uv-bundler init` writes a starter to compare with"
        ) from None
    return _manifest(read, path)


def _complete(read: dict[str, Any]) -> None:
    """Write short forms out, and this machine's platform in place of `host`.

    Where `platforms` names this machine's platform beside `host`, it stays once, so that a manifest
    means the same on every machine that packs it.
    """
    host = host_platform()
    if read["platforms"].count(None) == 1 and host in read["platforms"]:
        read["platforms"] = tuple(one for one in read["platforms"] if one is not None)
    read["platforms"] = tuple(one or host for one in read["platforms"])
    for build in read["builds"]:
        build["platform"] = build["platform"] or host
    read["uv"] = (read["uv"],) if isinstance(read["uv"], str) else read["uv"]
    read["pythons"] = tuple(
        {"request": wish, "patches": 1, "sha256": None} if isinstance(wish, str) else wish
        for wish in read["pythons"]
    )
    read["sources"] = read["sources"] or {"index": None, "pythons": ()}
    if isinstance(read["sources"]["pythons"], str):
        read["sources"]["pythons"] = (read["sources"]["pythons"],)


def _manifest(read: dict[str, Any], path: Path) -> Manifest:
    return Manifest(
        name=read["name"],
        release=read["release"],
        serial=read["serial"],
        valid_days=read["valid_days"],
        uv=read["uv"],
        pythons=tuple(PythonWish(**wish) for wish in read["pythons"]),
        platforms=read["platforms"],
        sources=Sources(**read["sources"]),
        builds=tuple(_build(build, path) for build in read["builds"]),
        path=path,
        digest=_meaning(read),
    )


def _build(read: dict[str, Any], manifest: Path) -> Build:
    written = read.get("archive") or read["path"]
    path = manifest.parent / written
    if "archive" not in read:
        return PrefixBuild(path=path, written=written, platform=read["platform"])
    return ArchiveBuild(
        path=path,
        written=written,
        version=read["version"],
        platform=read["platform"],
        sha256=read["sha256"],
        implementation=read["implementation"],
        variant=read["variant"] or "",
    )


def _meaning(read: dict[str, Any]) -> Digest:
    """Hash what decides the resolution: how a value is written does not count, nor the order of lists.

    Only uv's versions keep their order, because the lock and the index list them in it.
    """
    builds = [{**build, _kind(build): os.path.normpath(build[_kind(build)])} for build in read["builds"]]
    document = {
        "uv": list(read["uv"]),
        "pythons": _sorted(read["pythons"]),
        "platforms": sorted(map(str, read["platforms"])),
        "index": read["sources"]["index"],
        "builds": _sorted(builds),
    }
    return Digest.of(strictjson.dump(document))


def _kind(build: dict[str, Any]) -> str:
    return "archive" if "archive" in build else "path"


def _sorted(records: Any) -> list[str]:
    plain = [
        {name: str(value) for name, value in record.items() if value not in (None, "")} for record in records
    ]
    return sorted(strictjson.dump(record).decode() for record in plain)
