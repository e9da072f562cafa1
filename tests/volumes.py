"""Sets of volumes, written by the code that writes real ones."""

from __future__ import annotations

import io

from bundles import archive, make_bundle, small_content

from bundler.core.cut import Cut
from bundler.core.progress import Silent
from bundler.offline.reader import BundleReader
from bundler.offline.signedindex import parse_named
from bundler.volumes.source import Source
from bundler.volumes.splitting import write_set

BLOCK = 1 << 16  # bytes: the smallest block that an index may have


def small_blocks(*, archives=3, blocks=5, **changes):
    """Return a bundle of `archives` members with `blocks` blocks each and a short one, beside the small members."""
    made = [
        archive(small_content(seed, size=blocks * BLOCK + 1000 + seed), version=(3, 13, seed))
        for seed in range(archives)
    ]
    return make_bundle(**{"archives": made, "block_size": BLOCK, **changes})


def source_of(bundle):
    """Return what the writer of volumes wants to know of a bundle: its front and its index."""
    reader = BundleReader(io.BytesIO(bundle), name="q4.uvb")
    signed = reader.read_signed_index()
    return Source(
        front=bundle[: reader.payload_offset], index=parse_named(signed, name="q4.uvb"), digest=signed.digest
    )


def blocks_of(bundle):
    """Yield the blocks of a bundle, each one checked."""
    reader = BundleReader(io.BytesIO(bundle), name="q4.uvb")
    index = parse_named(reader.read_signed_index(), name="q4.uvb")
    for member in index.members:
        yield from reader.blocks(member, block_size=index.block_size)
    reader.expect_end()


def make_set(bundle, folder, *, volumes=4, parity=0, groups=1, whole=False, stem="q4"):
    """Write the bundle as a set into `folder`; return the paths of its files, data before parity.

    With `whole` these are the bundle in one file, whose columns `volumes` says, and its parity volume.
    `STEM.SHA256SUMS` lies beside them.
    """
    folder.mkdir(exist_ok=True)
    cut = Cut(volumes=volumes, parity=parity, groups=groups, whole=whole)
    written = write_set(
        folder, stem=stem, source=source_of(bundle), cut=cut, blocks=blocks_of(bundle), progress=Silent()
    )
    return [one.path for one in written[:-1]]
