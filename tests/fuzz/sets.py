"""A file of any content beside volumes of a set of which one is lost: it is used for what is right in it, or not."""

from __future__ import annotations

import atexit
import functools
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bundles import PACKER, archive, make_bundle, small_content
from volumes import blocks_of, make_set, source_of

from bundler.core import ustar
from bundler.core.cut import parity_name
from bundler.core.fault import Fault
from bundler.core.progress import Silent
from bundler.core.volumehead import RESEND, Head
from bundler.errors import DamagedFault, IncompleteFault, SignatureFault, UsageFault
from bundler.offline.signedindex import verify_index
from bundler.volumes.inventory import gather, take_inventory
from bundler.volumes.needed import needed
from bundler.volumes.opening import opened
from bundler.volumes.recutting import begin

from . import mutators
from .samples import LINUX
from .target import CORPUS

if TYPE_CHECKING:
    import random

    from bundler.core.index import Index
    from bundler.offline.signedindex import SignedIndex

_REFUSED = (DamagedFault, IncompleteFault, SignatureFault, UsageFault)
_LOST = 2  # the place of the volume that is lost, from 0


def check(data: bytes) -> bool:
    """The bundle is read bit for bit with this file, or it is refused; and what is still needed is told."""
    folder = _folder()
    (folder / "x.uvb").write_bytes(data)
    try:
        with opened([folder], judge=_judge) as one:
            given = begin(one.source, name=one.name)
            read = b"".join(given.blocks())
    except _REFUSED:
        read = b""
    try:
        found, name = gather([folder], judge=_judge)
        inventory = take_inventory(_judge(found.signed, name), found, progress=Silent())
    except _REFUSED:
        assert not read
        return False
    need = needed(inventory).blocks
    assert not read or not need
    assert read or need or inventory.lost  # where nothing is needed and nothing read, parity has lied
    assert not read or read == b"".join(blocks_of(_whole()))
    return bool(read)


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Change a member or bytes; or a parity cell, whose digest is its own again."""
    at = data.find(b"parity/")
    if at < 0 or rng.randrange(3):
        return mutators.member_level(data, rng)
    try:
        name, size = ustar.parse_header(data[at : at + ustar.BLOCK])
        group, row, column = (int(one) for one in name.split("/")[1].split("-")[:3])
    except (Fault, ValueError):
        return mutators.byte_level(data, rng)
    cell = mutators.byte_level(data[at + ustar.BLOCK : at + ustar.BLOCK + size], rng)[:size].ljust(
        size, b"\0"
    )
    header = ustar.header(parity_name(group, row, column, hashlib.sha256(cell).hexdigest()), size)
    return data[:at] + header + cell + data[at + ustar.BLOCK + size :]


def samples() -> dict[str, bytes]:
    """Return files that bring what is lost, and others."""
    whole = _bundle()
    with tempfile.TemporaryDirectory() as scratch:
        files = [one.read_bytes() for one in make_set(whole, Path(scratch) / "a", volumes=3, parity=1)]
        other = [one.read_bytes() for one in make_set(whole, Path(scratch) / "b", volumes=2)]
        foreign = [one.read_bytes() for one in make_set(_bundle(serial=8), Path(scratch) / "c", volumes=3)]
    source, blocks = source_of(whole), list(blocks_of(whole))
    volume = files[_LOST]
    at = volume.index(b"uv-bundler.volume.v1")
    cell = volume.index(b"blocks/") + ustar.BLOCK
    head = Head.parse(volume[at:])
    opening = source.opening(Head(kind=RESEND, number=1, cut=head.cut, index=head.index))

    def resent(*numbers: int) -> bytes:
        cells = (
            ustar.header(f"blocks/{number:05d}-0000000", len(blocks[number]))
            + blocks[number]
            + ustar.padding(len(blocks[number]))
            for number in numbers
        )
        return opening + b"".join(cells) + ustar.END

    return {
        "ok-volume": volume,
        "ok-parity": files[3],
        "ok-whole": whole,
        "ok-resent": resent(0, _LOST),
        "ok-front": b"rot" + volume[3:],
        "ok-text": volume.replace(b"This is", b"That is", 1),
        "no-first": files[0],
        "no-other": other[1],
        "no-foreign": foreign[_LOST],
        "no-resent": resent(_LOST, 0)[: len(opening)] + resent(1)[len(opening) :],
        "no-many": volume.replace(b"data 3 volumes 3 parity 1", b"data 3 volumes 9 parity 9", 1)[: at + 1024],
        "no-rot": volume[: cell + 5] + b"rot" + volume[cell + 8 :],
        "no-front": volume[: at - 600],
        "no-nothing": b"",
    }


def _bundle(serial: int = 7) -> bytes:
    content = archive(small_content(size=300), platform=LINUX)
    return make_bundle(archives=[content], uv_for=(), platforms=(LINUX,), serial=serial)


def _judge(signed: SignedIndex, name: str) -> Index:
    return verify_index(signed, trust=PACKER.trust, name=name).index


@functools.cache
def _whole() -> bytes:
    """Return the bundle as it was when the seeds were made: another zstd would make another one."""
    return (CORPUS / "volumes" / "ok-whole").read_bytes()


@functools.cache
def _folder() -> Path:
    """Return a folder with the volumes that are not lost."""
    folder = Path(tempfile.mkdtemp(prefix="uv-bundler-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for place, path in enumerate(make_set(_whole(), folder, volumes=3, parity=1)):
        if place >= _LOST:
            path.unlink()
    return folder
