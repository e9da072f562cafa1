"""For tests about uv's lists of Pythons: rows, lists, an index with a small uv in it, and real sdists."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from bundler.connected.cache import Cache
from bundler.connected.fetch import Fetcher, Wanted
from bundler.connected.http import open_session
from bundler.connected.indexsource import find_index
from bundler.connected.packageindex import list_files
from bundler.core.digest import Digest
from bundler.core.metadata import Row
from bundler.core.platforms import Platform
from bundler.core.progress import Silent
from bundler.core.uvnames import PBS_URL
from bundler.errors import SourceFault

LINUX, MUSL, MAC, WINDOWS = (
    Platform.parse(name)
    for name in ("linux-x86_64-gnu", "linux-x86_64-musl", "macos-aarch64-none", "windows-x86_64-none")
)
LISTED = ("0.6.17", "0.7.22", "0.8.23", "0.9.30", "0.11.33", "0.13.8")
_SDISTS: dict[str, Path] = {}


class Heard(Silent):
    """A progress that remembers what it was told."""

    def __init__(self):
        self.notes: list[str] = []

    def note(self, line):
        self.notes.append(line)


def row(version, platform=LINUX, *, variant="", name="cpython", sha256=True) -> Row:
    """Return a row such as uv's list has for `version` (`3.13.5`, `3.15.0a1`)."""
    release = (
        version.rstrip("0123456789").rstrip("abrc") if any(mark in version for mark in "abr") else version
    )
    url = f"{PBS_URL}20260101/{name}-{version}%2B20260101-{platform}{variant.replace('+', '-')}.tar.gz"
    major, minor, patch = map(int, release.split("."))
    return Row(
        name=name,
        version=(major, minor, patch),
        prerelease=version[len(release) :],
        variant=variant,
        platform=platform,
        url=url,
        sha256=Digest.of(url.encode()) if sha256 else None,
        build="20260101",
    )


def list_of(rows) -> bytes:
    """Return a `download-metadata.json` of these rows, those without sha256 included."""
    return json.dumps({one.key: one.to_dict() for one in rows}).encode()


def sdist_of(
    version: str, rows, *, path="crates/uv-python-managed/download-metadata.json", extra=()
) -> bytes:
    """Return an sdist of uv `version` with a list of these rows at `path`."""
    packed = io.BytesIO()
    files = [("PKG-INFO", b"Name: uv\n"), (path, list_of(rows)), *extra]
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for name, data in files:
            member = tarfile.TarInfo(f"uv-{version}/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def wheel_of(version: str, *, programs=("uv", "uvx"), wrong="", unlisted="") -> bytes:
    """Return a wheel of uv with small programs; RECORD lies about `wrong` and does not name `unlisted`."""
    packed = io.BytesIO()
    record = []
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in programs:
            data, path = f"program {name} {version}".encode(), f"uv-{version}.data/scripts/{name}"
            archive.writestr(zipfile.ZipInfo(path), data)
            told = b"other" if name == wrong else data
            digest = base64.urlsafe_b64encode(hashlib.sha256(told).digest()).decode().rstrip("=")
            record += [] if name == unlisted else [f"{path},sha256={digest},{len(data)}"]
        archive.writestr(zipfile.ZipInfo(f"uv-{version}.dist-info/RECORD"), "\n".join(record))
    return packed.getvalue()


def write_index(folder: Path, versions: dict[str, list[Row]], *, tags=("manylinux_2_17_x86_64", "win_amd64")):
    """Write a PEP 503 tree that has these versions of uv, each with wheels for `tags` and a list of Pythons."""
    project = folder / "simple" / "uv"
    project.mkdir(parents=True, exist_ok=True)
    lines = []
    for version, rows in versions.items():
        files = {f"uv-{version}-py3-none-{tag}.whl": wheel_of(version) for tag in tags}
        for name, data in {**files, f"uv-{version}.tar.gz": sdist_of(version, rows)}.items():
            (project / name).write_bytes(data)
            lines.append(f'<a href="{name}#sha256={Digest.of(data)}">{name}</a>')
    (project / "index.html").write_text("\n".join(lines))
    return (folder / "simple").as_uri()


def real_sdist(version: str) -> Path:
    """Return the real sdist of uv `version` out of the package index; skips the test where it is not reachable."""
    if version not in _SDISTS:
        place = (
            os.environ.get("UV_BUNDLER_TEST_CACHE") or Path(tempfile.gettempdir()) / "uv-bundler-tests-sdists"
        )
        with open_session() as session:
            try:
                files = {file.name: file for file in list_files(find_index().url, "uv", session=session)}
                fetcher = Fetcher(cache=Cache(Path(place) / "cache"), session=session, progress=Silent())
                file = files[f"uv-{version}.tar.gz"]
                wanted = Wanted(label=file.name, candidates=(file.url,), sha256=file.sha256)
                _SDISTS[version] = fetcher.fetch([wanted])[0].path
            except (SourceFault, KeyError) as error:
                pytest.skip(f"needs the sdist of uv {version} from the package index: {error}")
    return _SDISTS[version]
