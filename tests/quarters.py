"""Bundles of one series, quarter after quarter, packed from archives that are made up here.

Archives are tars that zlib compressed, so that the packer finds the encoder; content is words that compress
about as well as source code does.
"""

from __future__ import annotations

import functools
import io
import random
import tarfile
import zipfile
import zlib
from datetime import datetime, timezone
from pathlib import Path

from bundles import HOST, PACKER, unpack_bytes

from bundler.connected.bundlewriter import Ingredient
from bundler.connected.cache import Cache
from bundler.connected.earlier import read_earlier
from bundler.connected.earliercontent import Contents
from bundler.connected.fetch import Fetcher
from bundler.connected.gather import Supplies
from bundler.connected.http import open_session
from bundler.connected.labels import label
from bundler.connected.packing import pack
from bundler.connected.sources import folders
from bundler.core.digest import Digest
from bundler.core.index import parse_index
from bundler.core.metadata import Row, dump_rows
from bundler.core.progress import Silent
from bundler.core.uvnames import own_build_url
from bundler.offline.reader import BundleReader

NOW = datetime(2026, 11, 20, tzinfo=timezone.utc)
SESSION = functools.cache(open_session)  # reads the system's certificates, which takes a while
_WORDS = [f"word{number}" for number in range(3000)]


class Notes(Silent):
    """A progress that keeps what it is told."""

    def __init__(self):
        self.lines = []

    def note(self, line):
        self.lines.append(line)


def text(seed, size=20_000):
    """Return content that compresses to about a third."""
    dice = random.Random(str(seed))
    return " ".join(dice.choices(_WORDS, k=size // 7)).encode()[:size]


def edited(content, seed=0):
    """Return content with a few words changed, as in the next patch release."""
    dice, changed = random.Random(seed), bytearray(content)
    for _ in range(3):
        at = dice.randrange(len(changed))
        changed[at : at + 4] = b"%04d" % dice.randrange(9999)
    return bytes(changed)


def gzipped(data, level=6):
    """Return a gzip file as zlib writes it."""
    state = zlib.compressobj(level, zlib.DEFLATED, -15, 8)
    body = state.compress(data) + state.flush()
    trailer = zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + body + trailer


def tar_of(files):
    """Return a tar of these files, in this order; a name that ends in / is a folder."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name.rstrip("/"))
            member.size, member.type = len(data), tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def wheel_of(files):
    """Return a wheel of these files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED, 6)
    return packed.getvalue()


def python(version="3.13.5", seed=0, count=8):
    """Return the files of an interpreter: a program, and text whose paths name the version."""
    library = f"python/lib/python{version.rpartition('.')[0]}"
    files = {
        "python/bin/": b"",
        f"python/bin/python{version[:4]}": b"\x7fELF" + text((seed, "program"), 60_000),
    }
    return files | {f"{library}/module{number}.py": text((seed, number)) for number in range(count)}


def archive(files, version="3.13.5", platform=HOST):
    """Return the content and the row of an archive of these files."""
    content = files if isinstance(files, bytes) else gzipped(tar_of(files))
    name = f"cpython-{version}-{platform}.tar.gz"
    major, minor, patch = map(int, version.split("."))
    digest = Digest.of(content)
    row = Row(
        name="cpython", version=(major, minor, patch), prerelease="", variant="", platform=platform,
        url=own_build_url(name, digest), sha256=digest, build=f"own-{digest.short}",
    )  # fmt: skip
    return content, row


class Series:
    """A folder with the bundles of `plant-7`, an empty mirror, and a cache that a test may empty."""

    def __init__(self, folder):
        self.folder, self.notes = folder, Notes()
        self.mirror = folder / "mirror"
        self.mirror.mkdir()
        self.cache = Cache(folder / "cache")

    def pack(
        self, *archives, serial, since=(), uv=b"uv" * 900, level="fast", release=None, platforms=(HOST,)
    ):
        """Pack a bundle; return its path."""
        scratch = self.folder / f"in-{serial}"
        scratch.mkdir(exist_ok=True)
        ingredients = []

        def add(content, path, **facts):
            source = scratch / path.replace("/", "-")
            source.write_bytes(content)
            digest = Digest.of(content)
            ingredients.append(
                Ingredient(source=source, path=path, size=len(content), sha256=digest, **facts)
            )

        for content, row in archives:
            path = f"mirror/own-{row.sha256.short}/{row.key}.tar.gz"
            add(content, path, role="archive", platform=row.platform, key=row.key, origin=row.url)
        for platform in platforms:
            add(
                uv, f"uv/0.13.{serial}/{platform}/uv", role="uv", platform=platform, uv=f"0.13.{serial}",
                executable=True,
            )  # fmt: skip
        add(dump_rows([row for _, row in archives]), "download-metadata.json", role="metadata")
        marked = label(
            name="plant-7", release=release or f"Q{serial}", serial=serial, valid_days=None, uv=(f"0.13.{serial}",),
            platforms=platforms, now=NOW,
        )  # fmt: skip
        contents = self.contents(since, serial) if since else None
        output = self.folder / f"q{serial}.uvb"
        self.packed = pack(
            ingredients, marked=marked, output=output, key=PACKER, level=level, scratch=scratch, since=contents,
            progress=self.notes,
        )  # fmt: skip
        return output

    def contents(self, files, serial):
        """Return where the content of these earlier bundles can be had."""
        session = SESSION()
        fetcher = Fetcher(
            cache=self.cache, session=session, progress=Silent(), folders=folders([str(self.mirror)])
        )
        supplies = Supplies(
            index=str(self.folder / "simple"), mirrors=(str(self.mirror),), session=session, cache=self.cache,
            fetcher=fetcher,
        )  # fmt: skip
        earlier = read_earlier(files, name="plant-7", serial=serial)
        return Contents(earlier=earlier, supplies=supplies, progress=self.notes)

    def keep(self, *archives):
        """Put files into the cache, as fetching them had done."""
        for content, row in archives:
            with self.cache.scratch() as folder:
                (folder / "x").write_bytes(content)
                self.cache.adopt(folder / "x", row.sha256)

    def unpack(self, *bundles, prefix="host", **changes):
        """Unpack the bundles one after another; return the archives of the last one by their keys."""
        place = self.folder / prefix
        for bundle in bundles:
            unpack_bytes(bundle.read_bytes(), place, name=bundle.name, **changes)
        index = parse_index((place / "current" / "bundle.json").read_bytes())
        return {
            one.key or Path(one.path).name: (place / "current" / one.path).read_bytes() for one in index.artifacts
            if one.role in ("archive", "uv") and (place / "current" / one.path).exists()
        }  # fmt: skip


def index_of(bundle):
    """Return the index of a bundle."""
    return parse_index(raw_index(bundle))


def raw_index(bundle):
    """Return the bytes of a bundle's index."""
    with bundle.open("rb") as stream:
        return BundleReader(stream, name=bundle.name).read_signed_index().raw


def index_file(bundle):
    """Write the index of a bundle beside it, as a host has it; return its path."""
    path = bundle.with_suffix(".json")
    path.write_bytes(raw_index(bundle))
    return path


# A Python, and the same one with two files changed.
OLD = python()
SMALL = {
    name: edited(data) if name.endswith(("module3.py", "python3.13")) else data for name, data in OLD.items()
}
LIBRARY = "python/lib/python3.13"


def archives_of(index):
    """Return the artifacts of an index that are archives."""
    return [one for one in index.artifacts if one.role == "archive"]
