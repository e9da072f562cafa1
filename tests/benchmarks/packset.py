"""Pack a set of archives into one bundle, as `pack` does once they are fetched.

    python tests/benchmarks/packset.py OUTPUT LEVEL KEY ARCHIVE... [--since BUNDLE]

The file name of an archive tells its version: `cpython-3.13.15lto-x86_64-linux-….tar.gz`. Prints pack's own table.
"""

from __future__ import annotations

import re
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from requests import Session

from bundler.connected import labels, packing
from bundler.connected.bundlewriter import Ingredient
from bundler.connected.cache import Cache
from bundler.connected.earlier import read_earlier
from bundler.connected.earliercontent import Contents
from bundler.connected.fetch import Fetcher
from bundler.connected.gather import Supplies
from bundler.core.digest import hash_file
from bundler.core.metadata import Row, dump_rows
from bundler.core.platforms import host_platform
from bundler.core.progress import Silent
from bundler.core.uvnames import cache_name, mirror_path, own_build_url
from bundler.signing.signer import open_signing_key

HOST = host_platform()


def ingredients(archives: list[Path], folder: Path) -> list[Ingredient]:
    """Return the archives, hashed as a fetch would hash them, and the metadata that lists them."""
    found, rows = [], []
    for file in archives:
        digest, size = hash_file(file)
        named = re.match(r"cpython-(\d+)\.(\d+)\.(\d+)", file.name)
        url = own_build_url(file.name, digest)
        row = Row(
            name="cpython", version=tuple(map(int, named.groups())), prerelease="", variant="", platform=HOST, url=url,
            sha256=digest, build=f"own-{digest.short}",
        )  # fmt: skip
        rows.append(row)
        found.append(
            Ingredient(
                source=file,
                path=mirror_path(url),
                size=size,
                sha256=digest,
                role="archive",
                platform=HOST,
                key=row.key,
                links=(f"python-cache/{cache_name(url, digest)}",),
                origin=url,
            )
        )
    listing = folder / "rows"
    listing.write_bytes(dump_rows(rows))
    digest, size = hash_file(listing)
    found.append(
        Ingredient(source=listing, path="download-metadata.json", size=size, sha256=digest, role="metadata")
    )
    return found


def since(bundle: Path, *, serial: int, cache: Path) -> Contents:
    """Return the earlier bundle as what a delta is made against; everything of it comes from the file."""
    fetcher = Fetcher(cache=Cache(cache), session=Session(), progress=Silent(), folders={})
    supplies = Supplies(index="", mirrors=(), session=Session(), cache=Cache(cache), fetcher=fetcher)
    earlier = read_earlier([bundle], name="bench", serial=serial)
    return Contents(earlier=earlier, supplies=supplies, progress=Silent())


def main() -> None:
    """Pack, and print the table."""
    output, level, key = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    words, now = sys.argv[4:], datetime.now(timezone.utc)
    before = Path(words.pop()) if "--since" in words else None
    archives = [Path(word) for word in words if word != "--since"]
    marked = labels.label(
        name="bench", release="2026Q4", serial=None, valid_days=None, uv=(), platforms=(HOST,), now=now
    )
    with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
        packed = packing.pack(
            ingredients(archives, Path(scratch)),
            marked=marked,
            output=output,
            key=open_signing_key(key, ask=None),
            level=level,
            scratch=Path(scratch),
            since=since(before, serial=marked.serial, cache=Path(scratch) / "cache") if before else None,
            progress=Silent(),
        )
    print("\n".join(packing.table(packed)))


if __name__ == "__main__":
    main()
