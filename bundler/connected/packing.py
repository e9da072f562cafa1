"""`pack`: from a lock and fetched files to one signed bundle, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from bundler import __version__
from bundler.connected.bundlewriter import container, store_plain, with_sums, write_to
from bundler.connected.recompress import recompress, untouched
from bundler.connected.since import Made, make_since
from bundler.core.digest import Digest
from bundler.core.durable import host_faults, whole_file
from bundler.core.index import MAX_INDEX_BYTES, Index
from bundler.core.indexchecks import MAX_PREFIXED_INDEX
from bundler.core.times import write_time
from bundler.errors import HostFault, UsageFault
from bundler.signing.trust import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bundler.connected.accounts import Share
    from bundler.connected.bundlewriter import Ingredient, Stored
    from bundler.connected.earliercontent import Contents
    from bundler.core.platforms import Platform
    from bundler.core.progress import Progress
    from bundler.signing.signer import SigningKey
    from bundler.signing.trustdoc import SignedDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What the index says of the bundle beside its content."""

    name: str
    release: str
    serial: int
    created: str
    expires: str | None
    uv: tuple[str, ...]
    platforms: tuple[Platform, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A finished bundle: where it is (None: written to stdout), its size in bytes, and what went into it."""

    path: Path | None
    size: int
    index: Index
    index_sha256: str
    seconds: tuple[tuple[str, float], ...]
    shares: Mapping[str, Share]
    recognised: str


def packing_time() -> datetime:
    """Return the time that a bundle is labelled with: `SOURCE_DATE_EPOCH` where it is set, else now, in UTC.

    https://reproducible-builds.org/specs/source-date-epoch/; raises `UsageFault` where it is no number.
    """
    named = os.environ.get("SOURCE_DATE_EPOCH")
    if named is None:
        return datetime.now(timezone.utc)
    if not named.isdecimal() or len(named) > 11:
        raise UsageFault(
            f"SOURCE_DATE_EPOCH: expected seconds since 1970, found {named!r}", hint="unset it, or correct it"
        )
    return datetime.fromtimestamp(int(named), timezone.utc)


def label(
    *,
    name: str,
    release: str,
    serial: int | None,
    valid_days: int | None,
    uv: tuple[str, ...],
    platforms: tuple[Platform, ...],
    now: datetime,
) -> Label:
    """Return the label; a serial that the manifest leaves open is the time, `YYYYMMDDhhmmss`.

    The bundle expires `valid_days` after `now`, or never.
    """
    return Label(
        name=name,
        release=release,
        serial=serial_of(serial, now),
        created=write_time(now),
        expires=write_time(now + timedelta(days=valid_days)) if valid_days else None,
        uv=uv,
        platforms=platforms,
    )


def serial_of(serial: int | None, now: datetime) -> int:
    """Return the serial that a bundle packed now gets."""
    return serial if serial is not None else int(now.strftime("%Y%m%d%H%M%S"))


def output_path(output: Path, marked: Label) -> Path:
    """Return the bundle's path: `output` itself, or `NAME-SERIAL.uvb` in it where it is a folder."""
    return output / f"{marked.name}-{marked.serial}.uvb" if output.is_dir() else output


def check_output(output: Path) -> None:
    """Refuse a place that cannot take the bundle, before anything is fetched for it.

    Raises `UsageFault` for a folder that is not there and for a device, whose place a finished file would
    take, and `HostFault` for a folder that may not be written.
    """
    if str(output) == "-":
        return
    with host_faults(output):
        if output.exists() and not (output.is_file() or output.is_dir()):
            raise UsageFault(
                f"{output}: is a device or a pipe, expected a file or a folder",
                hint="for a stream say -o - and redirect it",
            )
        folder = output if output.is_dir() else output.parent
        if not folder.is_dir():
            raise UsageFault(
                f"{folder}: no such folder, expected one for the bundle",
                hint=f"mkdir {shlex.quote(str(folder))}",
            )
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


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
    progress: Progress,
) -> Packed:
    """Store, sign and write the bundle; `output` is a file, a folder, or `-` for stdout.

    With `since` it carries only what those earlier bundles did not. Without a level everything is carried as
    it is, whatever `since` says. What is packed lies inflated in a folder
    in `scratch` meanwhile, several times the size of the bundle: its own place may be a stick.
    Raises `HostFault` where either cannot be written; then nothing is left behind.
    """
    to_stdout = str(output) == "-"
    path = output_path(output, marked)
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
        compressed = time.monotonic()
        index = _index(marked, stored, whole)
        raw = index.to_bytes()
        most = MAX_PREFIXED_INDEX if any(one.prefix for one in index.members) else MAX_INDEX_BYTES
        if len(raw) > most:
            raise UsageFault(
                f"{path}: its index would have {len(raw)} bytes, expected at most {most}",
                hint="carry less in one bundle: split the manifest, by platforms for instance",
            )
        signatures = [key.sign(raw, namespace=NAMESPACE)]
        chunks = container(raw, signatures, stored, chain=chain, progress=progress)
        if to_stdout:
            size = _to_stdout(chunks)
        else:
            with whole_file(path) as out:
                size = write_to(out, chunks)
    return Packed(
        path=None if to_stdout else path,
        size=size,
        index=index,
        index_sha256=str(Digest.of(raw)),
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


def _to_stdout(chunks: Iterator[bytes]) -> int:
    with host_faults(Path("stdout")):
        size = write_to(sys.stdout.buffer, chunks)
        sys.stdout.buffer.flush()
    return size


def _index(marked: Label, stored: Sequence[Stored], whole: Made) -> Index:
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
    return lines
