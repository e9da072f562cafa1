"""A supplement: the blocks that a far side asked for with a ticket, and no others (FORMAT.md §17).

The same ticket and the same bundle give the same bytes, whatever files the packer has the bundle in.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from bundler.core import ustar
from bundler.core.cut import Layout
from bundler.core.durable import host_faults, whole_file
from bundler.core.fault import Fault
from bundler.core.ticket import MAX_TICKET_BYTES, SUFFIX, Ticket, identity
from bundler.core.ticketfit import blocks_of
from bundler.core.volumehead import RESEND, Head, volume_name
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bundler.core.index import Index
    from bundler.core.progress import Progress
    from bundler.offline.signedindex import SignedIndex
    from bundler.volumes.choosing import Judge
    from bundler.volumes.recutting import Given


def read_ticket(given: str, *, path: Path | None) -> Ticket:
    """Read a ticket: the file at `path`, or else the line `given`. Raises `UsageFault`, `HostFault`."""
    if path is None and given.lower().endswith(SUFFIX):
        raise UsageFault(
            f"{given}: no such file, expected the ticket that `missing -o` wrote",
            hint="check the path, or type the line itself, between quotes",
        )
    try:
        if path is None:
            return Ticket.parse(given)
        with host_faults(path), path.open("rb") as stream:
            return Ticket.from_bytes(stream.read(MAX_TICKET_BYTES + 1))
    except Fault as fault:
        raise UsageFault(
            f"{path or '--ticket'}: {fault}",
            hint=fault.hint or "ask for the ticket once more: `uv-bundler missing` prints it",
        ) from None


def judge_by(ticket: Ticket) -> Judge:
    """Return what picks the ticket's bundle among several in one folder."""
    from bundler.offline.signedindex import parse_named

    def judge(signed: SignedIndex, name: str) -> Index:
        check_bundle(ticket, digest=signed.digest, name=name)
        return parse_named(signed, name=name)

    return judge


def check_bundle(ticket: Ticket, *, digest: str, name: str) -> None:
    """Raise `UsageFault` where the ticket is for another bundle than the one whose index has this sha256."""
    if not ticket.is_for(digest):
        raise UsageFault(
            f"{name}: is bundle {identity(digest)}, the ticket is for bundle {identity(ticket.index)}",
            hint="name the bundle that the far side has: the sha256 of its bundle.json begins like this",
        )


def wanted_blocks(ticket: Ticket, given: Given, *, name: str) -> list[int]:
    """Return the blocks of the bundle that the ticket asks for, ascending; raises `UsageFault`."""
    check_bundle(ticket, digest=given.source.digest, name=name)
    try:
        return blocks_of(ticket, Layout(given.source.index, ticket.cut))
    except Fault as fault:
        raise UsageFault(f"--ticket: {fault}", hint="ask for the ticket once more") from None


def supplement_path(output: Path, given: Given, ticket: Ticket) -> Path:
    """Return where the supplement goes: into the folder `output`, or it is that file; raises `UsageFault`."""
    path = output / volume_name(given.source.index.stem, _head(given, ticket)) if output.is_dir() else output
    if path.exists():
        raise UsageFault(
            f"{path}: is there already, expected a new file",
            hint="name another one with -o: a far side takes supplements by any name",
        )
    return path


def write_supplement(
    path: Path, given: Given, *, ticket: Ticket, blocks: Sequence[int], progress: Progress
) -> int:
    """Write the supplement with these blocks, whole or not at all; return its size in bytes.

    Raises what reading the bundle raises, and `HostFault`.
    """
    layout = Layout(given.source.index, ticket.cut)
    written = 0
    with whole_file(path) as stream:
        written += stream.write(given.source.opening(_head(given, ticket)))
        for block, data in _read(given, blocks, progress=progress):
            written += stream.write(ustar.member(layout.blocks.name(block), data))
        written += stream.write(ustar.END)
    return written


def _head(given: Given, ticket: Ticket) -> Head:
    return Head(kind=RESEND, number=1, cut=ticket.cut, index=given.source.digest)


def _read(given: Given, blocks: Sequence[int], *, progress: Progress) -> Iterator[tuple[int, bytes]]:
    """Yield the blocks with their numbers; members without any of them are passed over."""
    index, first, done = given.source.index, 0, 0
    progress.stage("read", sum(member.size for member in index.members))
    for member in index.members:
        after = first + len(member.blocks)
        if bisect_left(blocks, after) == done:
            given.reader.skip(member, block_size=index.block_size)
            progress.advance(member.size)
        else:
            for block, data in enumerate(given.reader.blocks(member, block_size=index.block_size), first):
                progress.advance(len(data))
                if block == blocks[done]:
                    yield block, data
                    done += 1
                    if done == len(blocks):
                        return
        first = after
