"""Artifacts out of an earlier bundle, rebuilt as a host would rebuild them, into the cache."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from bundler.core.progress import Silent
from bundler.core.text import size as show_size
from bundler.errors import DamagedFault, HostFault
from bundler.offline.members import copy_member
from bundler.offline.needs import needs_of, spooled
from bundler.offline.reader import reader_of
from bundler.offline.rebuild import Differs, rebuild
from bundler.offline.spool import Spool
from bundler.offline.streams import add_held, add_member
from bundler.volumes.opening import opened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bundler.connected.cache import Cache
    from bundler.connected.earlier import Earlier
    from bundler.core.digest import Digest
    from bundler.core.index import Artifact


def take_out(
    earlier: Earlier, bundle: Path, wanted: Sequence[Artifact], *, held: Mapping[Digest, Path], cache: Cache
) -> dict[Digest, Path]:
    """Return the artifacts' files in the cache; `held` is what they are rebuilt from beside the bundle.

    The index is read a second time, and the digest of every artifact decides. Raises `DamagedFault`, or
    `IncompleteFault` where a file of `held` changed, or `HostFault` where the disk is too small.
    """
    index, needs, quiet = earlier.index, needs_of(earlier.index, wanted), Silent()
    whole = {one.member: one for one in wanted if one.member is not None}
    with (
        cache.scratch() as folder,
        opened([bundle]) as found,
        Spool(folder / "spool") as spool,
    ):
        # Nobody asked who signed it: what it says of sizes must not fill the disk before a digest tells.
        needed, free = spooled(index, needs) + sum(one.size for one in wanted), shutil.disk_usage(folder).free
        if needed > free:
            raise HostFault(
                f"{bundle}: taking out of it what is built on needs {show_size(needed)} in {folder.parent}, "
                f"found {show_size(free)} free",
                hint="free some space there, or name the bundle's bundle.json in its place",
            )
        reader = reader_of(found.source, name=found.name)
        if reader.read_signed_index().digest != earlier.base.index_sha256.hex:
            raise DamagedFault(f"{bundle}: changed while it was read", hint="run the command again")
        reader.begin(index)
        for base in index.held:
            if base.sha256 in needs.contents:
                add_held(spool, base, held[base.sha256])
        for member in index.members:
            if artifact := whole.get(member.path):
                with (folder / artifact.sha256.hex).open("wb") as out:
                    copy_member(
                        reader,
                        member,
                        artifact,
                        block_size=index.block_size,
                        write=out.write,
                        progress=quiet,
                    )
            elif member.path in needs.members:
                add_member(spool, reader, member, block_size=index.block_size, progress=quiet)
            else:
                reader.skip(member, block_size=index.block_size)
        for one in wanted:
            if one.recipe:
                _rebuild(one, spool, folder / one.sha256.hex)
        return {one.sha256: cache.adopt(folder / one.sha256.hex, one.sha256) for one in wanted}


def _rebuild(artifact: Artifact, spool: Spool, file: Path) -> None:
    """Write the artifact; where an installed library encodes differently the reference does it again."""
    try:
        _write(artifact, spool, file, trust_native=True)
    except Differs:
        _write(artifact, spool, file, trust_native=False)


def _write(artifact: Artifact, spool: Spool, file: Path, *, trust_native: bool) -> None:
    if artifact.recipe is None:
        return
    with file.open("wb") as out:
        rebuild(
            artifact,
            artifact.recipe,
            spool,
            write=out.write,
            check=lambda: None,
            trust_native=trust_native,
        )
