"""Write a signed bundle of any size without holding it in memory."""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bundles import HOST, PACKER

from bundler.connected.bundlewriter import (
    Ingredient,
    block_size_for,
    front,
    in_blocks,
    store_all,
    stored_blocks,
)
from bundler.core.digest import Digest, hash_file
from bundler.core.index import Index
from bundler.core.metadata import Row, dump_rows
from bundler.core.progress import Silent
from bundler.core.uvnames import cache_name, mirror_path, own_build_url
from bundler.volumes.placing import write_joined
from bundler.volumes.source import Source

_CHUNK = 1 << 20


def write_noise(path: Path, size: int, *, seed: int) -> None:
    """Write `size` bytes that do not compress."""
    source = random.Random(seed)
    with path.open("wb") as out:
        for at in range(0, size, _CHUNK):
            out.write(source.randbytes(min(_CHUNK, size - at)))


def write_bundle(path: Path, *, size: int, archives: int = 8) -> None:
    """Write a bundle whose archives have `size` bytes in all, signed by the test packer."""
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        folder = Path(scratch)
        ingredients, rows = [], []
        for number in range(archives):
            file = folder / f"archive{number}"
            write_noise(file, size // archives, seed=number)
            digest, count = hash_file(file)
            url = own_build_url(f"cpython-3.13.{number}-{HOST}.tar.gz", digest)
            row = Row(
                name="cpython", version=(3, 13, number), prerelease="", variant="", platform=HOST, url=url,
                sha256=digest, build=None,
            )  # fmt: skip
            rows.append(row)
            ingredients.append(
                Ingredient(
                    source=file,
                    path=mirror_path(url),
                    size=count,
                    sha256=digest,
                    role="archive",
                    platform=HOST,
                    key=row.key,
                    links=(f"python-cache/{cache_name(url, digest)}",),
                )
            )
        listing = folder / "rows"
        listing.write_bytes(dump_rows(rows))
        digest, count = hash_file(listing)
        ingredients.append(
            Ingredient(
                source=listing, path="download-metadata.json", size=count, sha256=digest, role="metadata"
            )
        )
        spool = folder / "spool"
        spool.mkdir()
        stored = store_all(ingredients, level="fast", spool=spool, progress=Silent())
        block_size = block_size_for(sum(one.member.size for one in stored))
        stored = in_blocks(stored, block_size)
        index = Index(
            name="bench", release="bench", serial=1, created="2026-01-01T00:00:00Z", tool="bench", uv=(),
            platforms=(HOST,), artifacts=tuple(one.artifact for one in stored if one.artifact),
            members=tuple(one.member for one in stored), block_size=block_size,
        )  # fmt: skip
        raw = index.to_bytes()
        with path.open("wb") as out:
            opening = b"".join(front(raw, [PACKER.sign(raw)]))
            source = Source(front=opening, index=index, digest=str(Digest.of(raw)))
            write_joined(
                out.write,
                source=source,
                blocks=stored_blocks(stored, block_size=block_size),
                progress=Silent(),
            )
