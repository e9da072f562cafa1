"""Contents on their way into the spool: streams, and archives of earlier bundles (FORMAT.md §15, §16)."""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING

from bundler.core.decode import decode
from bundler.core.digest import read_chunks
from bundler.core.durable import host_faults
from bundler.core.fault import Fault
from bundler.errors import DamagedFault, IncompleteFault
from bundler.offline.members import REPACK, authenticated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundler.core.index import Member
    from bundler.core.progress import Progress
    from bundler.core.recipe import Held
    from bundler.offline.reader import Reader
    from bundler.offline.spool import Spool

AFRESH = (  # the same bundle alone would be told that it is active already
    "unpack a newer full bundle (packed without --since); or remove the link `current` in the prefix, then "
    "unpack the earlier bundle again and this one after it"
)
_STEP = 1 << 20  # bytes that gzip may inflate to at a time
_PIECE = 1 << 14  # bytes given to gzip at a time: what is behind each member in it is copied
_ANY_GZIP = 16 + zlib.MAX_WBITS


def add_member(spool: Spool, reader: Reader, member: Member, *, block_size: int, progress: Progress) -> None:
    """Decode the next member into the spool, every digest of it checked; raises `DamagedFault`."""
    with authenticated(reader, member, block_size=block_size, progress=progress) as blocks:
        content = decode(
            blocks,
            encoding=member.encoding,
            size=member.content or 0,
            prefix=spool.join(member.prefix),
            reach=sum(one.length for one in member.prefix),
        )
        spool.add(member.path, content)


def add_held(spool: Spool, held: Held, file: Path) -> None:
    """Take the content of what an earlier bundle brought.

    Raises `IncompleteFault` where that has changed, `DamagedFault` where it holds something else than the
    index says.
    """
    state = hashlib.sha256()

    def watched() -> Iterator[bytes]:
        for data in read_chunks(file):
            state.update(data)
            yield data

    chunks = watched()
    with host_faults(file):
        try:
            spool.add(held.sha256, _inflated(chunks, held.content or 0) if held.inflate else chunks)
            whole = spool.size(held.sha256) == held.content
        except (Fault, zlib.error):
            whole = False
        for _ in chunks:  # what is left of a file whose content is not as expected: whose fault is that?
            pass
    if state.hexdigest() != held.sha256.hex:
        raise IncompleteFault(
            f"{file}: is not what was unpacked any more, expected sha256 {held.sha256} to build on",
            hint=AFRESH,
        )
    if not whole:
        raise DamagedFault(f"{held.sha256}: expected {held.content} bytes of content in it", hint=REPACK)


def _inflated(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Yield what all gzip members in `chunks` inflate to; raises `Fault` or `zlib.error`."""
    state, total = zlib.decompressobj(_ANY_GZIP), 0
    for given in (chunk[at : at + _PIECE] for chunk in chunks for at in range(0, len(chunk), _PIECE)):
        data = given
        while data:
            if state.eof:
                state = zlib.decompressobj(_ANY_GZIP)
            piece = state.decompress(data, _STEP)
            total += len(piece)
            if total > size:
                raise Fault(f"expected {size} bytes, found more")
            yield piece
            data = state.unused_data if state.eof else state.unconsumed_tail
    if not state.eof:
        raise Fault("expected the end of a gzip member, found the end of the file")
