"""What stands in a file of a bundle before and after its cells, and between members (FORMAT.md §17)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundler.core import ustar
from bundler.core.text import counted
from bundler.core.volumehead import VOLUME_NAME

if TYPE_CHECKING:
    from bundler.volumes.shelf import Shelf
    from bundler.volumes.survey import Seen


def check_ends(shelf: Shelf, seen: Seen, *, front: str) -> None:
    """Note what is wrong with the file's front, `VOLUME`, headers of members and end.

    `front` is the digest of a good front.
    """
    if seen.fault or not seen.intact:
        shelf.note(seen, f"its front is damaged: {seen.fault or 'the index is not the one that was signed'}")
    elif seen.front != front:
        shelf.note(seen, "its signatures or trust documents are not those of the other files")
    elif seen.head:
        expected = seen.head.to_member(shelf.index)
        if shelf.bytes_before(seen, len(expected)) != expected:
            shelf.note(seen, f"{VOLUME_NAME} is damaged")
    else:
        _check_between(shelf, seen)
    if shelf.tail(seen) != ustar.END:
        shelf.note(
            seen, f"expected the end at byte {shelf.expected_size(seen)}, found {counted(seen.size, 'byte')}"
        )


def _check_between(shelf: Shelf, seen: Seen) -> None:
    """Note where a bundle in one file has other bytes than the headers and paddings of its members."""
    at = seen.start
    for member in shelf.index.members:
        if at >= seen.size:  # which was noted for the first block that is not there
            return
        header, zeros = ustar.header(member.path, member.size), ustar.padding(member.size)
        after = at + len(header) + member.size
        if (
            shelf.bytes_at(seen, at, len(header)) != header
            or shelf.bytes_at(seen, after, len(zeros)) != zeros
        ):
            shelf.note(seen, f"byte {at}: the header or the padding of {member.path} is damaged")
        at += ustar.stored_size(member.size)
