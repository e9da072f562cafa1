"""A bundle in several files, read without joining them, and recovered on the way (FORMAT.md §17)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bundler.core.text import counted
from bundler.core.volumehead import PARITY
from bundler.errors import DamagedFault, IncompleteFault
from bundler.offline.reader import Reader
from bundler.volumes.adopting import adopt
from bundler.volumes.ends import check_ends
from bundler.volumes.falseparity import false_parity
from bundler.volumes.parts import parts_of
from bundler.volumes.recovery import Rows
from bundler.volumes.shelf import Shelf
from bundler.volumes.shortage import absent_lines, check_enough, send_again

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundler.core.index import Index, Member
    from bundler.core.progress import Progress
    from bundler.offline.signedindex import SignedIndex
    from bundler.volumes.choosing import Found

_TOLD = 40  # files that are told one by one


class SetReader(Reader):
    """The bundle that the files of `found` are; `name` is what messages call all of them together.

    `words` are what a person types after another command to name the same files.
    """

    def __init__(self, found: Found, *, name: str, words: str) -> None:
        self._found, self._name, self._words = found, name, words
        self._shelf: Shelf | None = None
        self._rows: Rows | None = None
        self._places: dict[str, int] = {}
        self._enough = False

    def read_signed_index(self) -> SignedIndex:
        """Return what one of the files has before its payload."""
        return self._found.signed

    def parts(self) -> list[dict[str, Any]]:
        """Return which volumes are here, and which are not, as their fronts say."""
        return parts_of(self._found.files)

    @property
    def shelf(self) -> Shelf:
        """The files, laid out; valid after `begin`."""
        if self._shelf is None:
            raise RuntimeError("begin() comes first")
        return self._shelf

    def begin(self, index: Index) -> None:
        """Lay the files out as the index asks for, and check that enough of them are there."""
        self._shelf = Shelf(index, adopt(index, self._found))
        self._rows = Rows(self._shelf)
        self._places = {member.path: place for place, member in enumerate(index.members)}
        check_enough(self._shelf, name=self._name, words=self._words)
        self._enough = True

    def stored_size(self, index: Index) -> int:  # noqa: ARG002  # a stream needs it
        """Return the bytes of all files of the bundle that are there."""
        return sum(one.size for one in self._found.files)

    def blocks(self, member: Member, *, block_size: int) -> Iterator[bytes]:  # noqa: ARG002  # as above
        """Yield the stored bytes of a member, block by block, from the files or from their rows."""
        first = self.shelf.blocks.first_of(self._places[member.path])
        for block in range(first, first + len(member.blocks)):
            data = self._rows.get(block) if self._rows else None
            if data is None:
                raise DamagedFault(
                    f"{self._name}: {self.shelf.blocks.describe(block)} is in none of the files as it was "
                    f"signed, and too little of its row is left to recover it",
                    hint=send_again(self._words),
                )
            yield data

    def skip(self, member: Member, *, block_size: int) -> None:
        """Do nothing: blocks are read where they are asked for."""

    def expect_end(self) -> None:
        """Do nothing: each block was found by its place."""

    def check_strictly(self, progress: Progress) -> None:
        """Raise `IncompleteFault` or `DamagedFault` where parity had to help or is false.

        To be called after `check_rest`; reads every row once more.
        """
        hint = f"copy these files once more, or: uv-bundler repair {self._words} --to FOLDER"
        if absent := absent_lines(self.shelf):
            raise IncompleteFault(f"{self._name}: {absent[0]}", hint=hint)
        if self.shelf.harm:
            raise DamagedFault(
                f"{self._name}: {counted(len(self.shelf.harm), 'file')} damaged, expected none", hint=hint
            )
        if false := false_parity(self.shelf, progress):
            path, what = next(iter(false.items()))
            raise DamagedFault(
                f"{self._name}: {counted(len(false), 'parity file')} of no use, expected none: "
                f"{path}: {what}",
                hint="copy these files once more from where they were made; where they are the same there, "
                "make parity anew with `uv-bundler split`",
            )

    def told(self) -> list[str]:
        """Return a line for each file with something wrong in it, and one for what was recovered."""
        if self._shelf is None:
            return []
        shelf, lines = self._shelf, []
        used = {one.path for one in shelf.files}
        for one in self._found.doubtful:
            if one.path not in used and one.fault:
                what = "cannot be read" if one.unread else "is no part of this bundle"
                lines.append(f"{one.path}: {what}: {one.fault}")
        lines += [
            f"{one.path}: its front is damaged: {one.fault}"
            for one in shelf.files
            if one.fault and one.path not in shelf.harm
        ]
        for path, harm in shelf.harm.items():
            lines.append(f"{path}: {harm}")
        if len(lines) > _TOLD:
            lines[_TOLD:] = [f"{self._name}: {len(lines) - _TOLD} more files with something wrong in them"]
        if self._enough:  # else the error says which volumes are missing
            lines[:0] = [f"{self._name}: {line}" for line in absent_lines(shelf)]
        if self._rows and self._rows.recovered:
            lines.append(f"{self._name}: {counted(self._rows.recovered, 'block')} recovered from parity")
        return lines

    def check_rest(self, progress: Progress) -> None:
        """Read what the payload did not need: parity, further copies, fronts and ends; note what is wrong."""
        shelf = self.shelf
        progress.stage("verify parity and copies", None)
        for layout in shelf.layouts:
            for volume in range(layout.cut.parity_volumes):
                if shelf.copies(layout.cut, PARITY, volume):
                    for group, row, column in layout.parity_cells(volume):
                        shelf.parity(layout.cut, group, row, column)
                        progress.advance(layout.row_size(group, row))
        for block in range(len(shelf.blocks)) if shelf.has_copies else ():
            shelf.read_copies(block, progress)
        for one in shelf.files:
            check_ends(shelf, one, front=self._found.front)

    def close(self) -> None:
        """Close the files."""
        if self._shelf:
            self._shelf.close()
