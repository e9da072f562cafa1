"""The earlier bundles that `pack --since` names: their indexes, read as `inspect` reads them (FORMAT.md §16).

Nothing asks who signed them, and nothing needs to. Of an earlier index only digests are taken over: of files
that the new bundle has too, whose digests its own lock gives, and of files to copy from, whose content is
hashed before it is used. A host takes from its generations what it verified itself, by these digests. So a
forged index makes a bundle that hosts refuse because they lack what it builds on, and no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from bundler.core.digest import Digest
from bundler.core.durable import host_faults
from bundler.core.index import INDEX_NAME, MAX_INDEX_BYTES, Index
from bundler.core.recipe import MAX_BASES, Base
from bundler.core.text import counted
from bundler.errors import DamagedFault, UsageFault
from bundler.offline.reader import reader_of
from bundler.offline.signedindex import SignedIndex, parse_named
from bundler.volumes.opening import opened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A bundle that was packed before, and its file where that is here and not only its index."""

    base: Base
    index: Index
    bundle: Path | None


def read_earlier(files: Sequence[Path], *, name: str, serial: int) -> tuple[Earlier, ...]:
    """Read what `--since` names for a bundle called `name` with this serial; the oldest comes first.

    An index that is named twice counts once, as the bundle where both are there. Raises `UsageFault` for
    what is of another name, not older, or no file, and `DamagedFault` for what is neither bundle nor index.
    """
    found: dict[str, Earlier] = {}
    for file in files:
        one = _read(file)
        if one.base.name != name:
            raise UsageFault(
                f"{file}: is {one.base.title}, expected an earlier bundle of {name}",
                hint="hosts count serials by name: name a bundle that was packed from this manifest",
            )
        if one.base.serial >= serial:
            raise UsageFault(
                f"{file}: is {one.base.title}, expected a serial before {serial}, which is packed now",
                hint="name a bundle that hosts have by then, or raise `serial` in the manifest",
            )
        known = found.get(one.base.index_sha256.hex)
        if known is None or known.bundle is None:
            found[one.base.index_sha256.hex] = one
    if len(found) > MAX_BASES:
        raise UsageFault(
            f"--since: names {counted(len(found), 'bundle')}, expected at most {MAX_BASES}",
            hint="each of them describes the complete state of its time: name the newest ones",
        )
    return tuple(found[key] for key in sorted(found, key=lambda key: (found[key].base.serial, key)))


def _read(file: Path) -> Earlier:
    is_index = False
    with host_faults(file):
        if not file.exists():
            raise UsageFault(
                f"{file}: no such file, expected an earlier bundle or its {INDEX_NAME}",
                hint=f"name the file of the bundle, or {INDEX_NAME} of PREFIX/current on a host that has it",
            )
        if file.is_file():
            with file.open("rb") as stream:
                is_index = stream.read(1) in (b"{", b" ", b"\n", b"\r", b"\t")
                stream.seek(0)
                if is_index:
                    signed = _bare(stream, file)
    if not is_index:
        with opened([file]) as bundle:
            signed = reader_of(bundle.source, name=bundle.name).read_signed_index()
    index = parse_named(signed, name=str(file))
    base = Base(
        name=index.name, release=index.release, serial=index.serial, index_sha256=Digest(signed.digest)
    )
    return Earlier(base=base, index=index, bundle=None if is_index else file)


def _bare(stream: BinaryIO, file: Path) -> SignedIndex:
    raw = stream.read(MAX_INDEX_BYTES + 1)
    if len(raw) > MAX_INDEX_BYTES:
        raise DamagedFault(
            f"{file}: expected at most {MAX_INDEX_BYTES} bytes of index, found more",
            hint=f"name an earlier bundle, or its {INDEX_NAME}",
        )
    return SignedIndex(raw=raw, signatures=())
