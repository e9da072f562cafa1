"""Bundles of each kind, exploded into folders, joined again, and what somebody changes in such a folder."""

from __future__ import annotations

import io

from bundles import HOST, OTHER, PACKER, Packer, archive, make_bundle, make_document, small_content
from recompressed import delta_box, full_box

from bundler.core.progress import Silent
from bundler.offline.explode import explode
from bundler.offline.folder import FolderReader
from bundler.offline.verify import verify_bundle
from bundler.volumes.placing import write_joined
from bundler.volumes.recutting import begin

FULL = full_box().seal()
CHAIN = [make_document(2), make_document(3)]
COMPRESSIBLE = b"all the same " * 3000
STORED = make_bundle(
    archives=[archive(small_content()), archive(COMPRESSIBLE, version=(3, 12, 1))], chain=CHAIN
)
BUNDLES = {
    "stored as it is": make_bundle(archives=[archive(small_content())]),
    "compressed, with trust documents": STORED,
    "recompressed": FULL,
    "recompressed for two platforms": full_box(platforms=(HOST, OTHER)).seal(),
    "a delta": delta_box(FULL).seal(),
    "signed twice": make_bundle(packers=(PACKER, Packer(2))),
}


def exploded(data, folder, progress=None):
    """Explode the bytes of a bundle into a new folder."""
    return explode(io.BytesIO(data), folder, name="q4.uvb", trust=PACKER.trust, progress=progress or Silent())


def joined(folder):
    """Return the bytes of the bundle that an exploded folder makes."""
    given, data = begin(FolderReader(folder), name=str(folder), trust=PACKER.trust), bytearray()
    write_joined(data.extend, source=given.source, blocks=given.blocks(), progress=Silent())
    return bytes(data)


def verify(folder):
    """Return what was told beside that every byte is as signed."""
    reader = FolderReader(folder)
    verify_bundle(reader, name=str(folder), trust=PACKER.trust, progress=Silent())
    return list(reader.told())


def files_below(folder):
    """Return the paths of all files, as the lists of digests have them."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def some_plain(folder):
    """Return an archive below `plain/`."""
    return next(path for path in sorted((folder / "plain").rglob("*.gz")) if path.is_file())


def flip(path):
    """Change one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
