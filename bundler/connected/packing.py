"""`pack`: from a lock and fetched files to one signed bundle, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bundler import __version__
from bundler.connected.bundlewriter import (
    block_size_for,
    front,
    in_blocks,
    store_plain,
    stored_blocks,
    with_sums,
)
from bundler.connected.recompress import recompress, untouched
from bundler.connected.since import Made, make_since
from bundler.core.digest import Digest
from bundler.core.durable import host_faults
from bundler.core.index import MAX_INDEX_BYTES, Index
from bundler.core.indexchecks import MAX_PREFIXED_INDEX
from bundler.core.volumehead import stem_in_name
from bundler.errors import HostFault, UsageFault
from bundler.signing.trust import NAMESPACE
from bundler.volumes.choosecut import ONE_FILE, choose
from bundler.volumes.placing import Target, describe, write_files, write_joined
from bundler.volumes.source import Source
from bundler.volumes.splitting import Written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bundler.connected.accounts import Share
    from bundler.connected.bundlewriter import Ingredient, Stored
    from bundler.connected.earliercontent import Contents
    from bundler.connected.labels import Label
    from bundler.core.cut import Cut
    from bundler.core.progress import Progress
    from bundler.signing.signer import SigningKey
    from bundler.signing.trustdoc import SignedDocument
    from bundler.volumes.choosecut import Wished


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A finished bundle: its files, those of a set with the list of their sums, and what went into it."""

    files: tuple[Written, ...]
    cut: Cut | None
    index: Index
    index_sha256: str
    seconds: tuple[tuple[str, float], ...]
    shares: Mapping[str, Share]
    recognised: str

    @property
    def size(self) -> int:
        """The bytes of the bundle, without parity."""
        return sum(one.size for one in self.files[: self.cut.data_volumes if self.cut else 1])

    @property
    def name(self) -> str:
        """What messages call it: its file, `stdout`, or a pattern that its volumes fit."""
        path = self.files[0].path
        whole = self.cut is None or self.cut.whole
        return str(path if whole else path.with_name(f"{stem_in_name(path.name)}.*.uvb"))


def pack(
    ingredients: Sequence[Ingredient],
    *,
    marked: Label,
    output: Path,
    key: SigningKey,
    level: str | None,
    scratch: Path,
    chain: Sequence[SignedDocument] = (),
    since: Contents | None = None,
    wished: Wished = ONE_FILE,
    progress: Progress,
) -> Packed:
    """Store, sign and write the bundle; `output` is a file, a folder, or `-` for stdout.

    With `since` it carries only what those earlier bundles did not. Without a level everything is carried as
    it is, whatever `since` says. What is packed lies inflated in a folder
    in `scratch` meanwhile, several times the size of the bundle: its own place may be a stick.
    Raises `HostFault` where either cannot be written; then nothing is left behind.
    """
    begun = time.monotonic()
    with _room(scratch), tempfile.TemporaryDirectory(dir=scratch) as folder:
        if level is None:
            whole = Made(recompressed=untouched(ingredients))
        elif since:
            whole = make_since(ingredients, since, level=level, spool=Path(folder), progress=progress)
        else:
            whole = Made(
                recompressed=recompress(ingredients, level=level, spool=Path(folder), progress=progress)
            )
        made = whole.recompressed
        plain = store_plain(made.left, level=level, spool=Path(folder), progress=progress)
        stored = with_sums([*plain, *made.stored], Path(folder))
        block_size = block_size_for(sum(one.member.size for one in stored))
        stored = in_blocks(stored, block_size)
        compressed = time.monotonic()
        index = _index(marked, stored, whole, block_size=block_size)
        raw = index.to_bytes()
        most = MAX_PREFIXED_INDEX if any(one.prefix for one in index.members) else MAX_INDEX_BYTES
        if len(raw) > most:
            raise UsageFault(
                f"{marked.name}: its index would have {len(raw)} bytes, expected at most {most}",
                hint="carry less in one bundle: split the manifest, by platforms for instance",
            )
        signatures = [key.sign(raw, namespace=NAMESPACE)]
        opening = b"".join(front(raw, signatures, chain))
        source = Source(front=opening, index=index, digest=str(Digest.of(raw)))
        files, cut = _write(source, stored, output=output, wished=wished, progress=progress)
    return Packed(
        files=files,
        cut=cut,
        index=index,
        index_sha256=source.digest,
        seconds=(
            *made.seconds,
            ("store", compressed - begun - sum(spent for _, spent in made.seconds)),
            ("write", time.monotonic() - compressed),
        ),
        shares=made.shares,
        recognised=made.recognised,
    )


@contextlib.contextmanager
def _room(scratch: Path) -> Iterator[None]:
    """Raise `HostFault` where `scratch` cannot take what is written; of a full disk say what it is for."""
    with host_faults(scratch):
        try:
            yield
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise HostFault(
                f"{scratch}: {error.strerror}, expected room for what is packed, inflated",
                hint="that is several times the size of the archives: make room, or name a folder on "
                "another file system with --cache-dir",
            ) from None


def _write(
    source: Source, stored: Sequence[Stored], *, output: Path, wished: Wished, progress: Progress
) -> tuple[tuple[Written, ...], Cut | None]:
    """Write the bundle as it is wished; return its files and the cut, None for one file."""
    blocks = stored_blocks(stored, block_size=source.index.block_size)
    if str(output) == "-":
        out = sys.stdout.buffer
        with host_faults(Path("stdout")):
            size = write_joined(out.write, source=source, blocks=blocks, progress=progress)
            out.flush()
        return (Written(path=Path("stdout"), size=size, sha256=None),), None
    cut = choose(source, wished) if wished else None
    target = Target.of(output, source.index)
    return write_files(target, source=source, cut=cut, blocks=blocks, progress=progress), cut


def _index(marked: Label, stored: Sequence[Stored], whole: Made, *, block_size: int) -> Index:
    return Index(
        name=marked.name,
        release=marked.release,
        serial=marked.serial,
        created=marked.created,
        expires=marked.expires,
        tool=f"uv-bundler {__version__}",
        uv=marked.uv,
        platforms=marked.platforms,
        artifacts=(*(one.artifact for one in stored if one.artifact), *whole.recompressed.artifacts),
        members=tuple(one.member for one in stored),
        block_size=block_size,
        base=whole.base,
        held=whole.held,
    )


def table(packed: Packed) -> list[str]:
    """Return a line per artifact: what it was, what it takes, how it is stored; then the totals.

    How stored bytes that artifacts share are counted: `bundler.connected.accounts`.
    """
    from bundler.core.text import duration, size

    members = {one.path: one for one in packed.index.members}
    lines = []
    for one in packed.index.artifacts:
        share = packed.shares.get(one.path)
        stored = members[one.member].size if one.member else share.stored if share else 0
        how = share.how if share else members[one.member].encoding if one.member else ""
        ratio = stored / one.size if one.size else 1
        lines.append(
            f"{size(one.size):>11} -> {size(stored):>11}  {ratio:4.2f}  {one.key or one.path}  {how}"
        )
    content = sum(one.size for one in packed.index.artifacts)
    times = ", ".join(f"{what} {duration(seconds)}" for what, seconds in packed.seconds)
    ratio = packed.size / max(1, content)
    if packed.recognised:
        lines.append(packed.recognised)
    lines.append(f"{size(content):>11} -> {size(packed.size):>11}  {ratio:4.2f}  in all; {times}")
    if packed.cut:
        total = size(sum(one.size for one in packed.files))
        lines.append(f"{'':>11}    {total:>11}        in {describe(packed.cut, packed.files)}")
    return lines
