"""`split` and `join`: the same bundle in other files, whatever form it has now (FORMAT.md §17).

Every block is compared with the index on the way. Who signed that is asked only where there is something to
judge it by: a packer's own bundle need not be trusted to be cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from bundler.errors import UsageFault
from bundler.offline.reader import Reader, reader_of
from bundler.offline.signedindex import parse_named, verify_index
from bundler.volumes.choosecut import choose
from bundler.volumes.placing import Target, write_files
from bundler.volumes.source import Source
from bundler.volumes.splitting import Written, write_parity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from bundler.core.cut import Cut
    from bundler.core.progress import Progress
    from bundler.offline.signedindex import VerifiedIndex
    from bundler.signing.trust import Trust
    from bundler.volumes.choosecut import Wished


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A bundle that was begun to be read; `verified` where it was asked who signed it."""

    reader: Reader
    source: Source
    verified: VerifiedIndex | None

    def blocks(self) -> Iterator[bytes]:
        """Yield all blocks, each one authenticated; afterwards the end was checked."""
        for member in self.source.index.members:
            yield from self.reader.blocks(member, block_size=self.source.index.block_size)
        self.reader.expect_end()


def begin(
    given: BinaryIO | Reader, *, name: str, trust: Trust | None = None, verifier: str = "builtin"
) -> Given:
    """Read the signed index, and judge it where there is `trust`.

    Raises what `Reader.read_signed_index`, `verify_index` and `Reader.begin` raise.
    """
    reader = reader_of(given, name=name)
    signed = reader.read_signed_index()
    verified = verify_index(signed, trust=trust, name=name, verifier=verifier) if trust else None
    index = verified.index if verified else parse_named(signed, name=name)
    reader.begin(index)
    return Given(reader=reader, source=Source.of(signed, index), verified=verified)


def split(
    given: Given,
    output: Path,
    *,
    wished: Wished,
    inputs: Sequence[Path],
    progress: Progress,
) -> tuple[tuple[Written, ...], Cut | None]:
    """Write the bundle as it is wished, in volumes, with parity, or both; return the files and the cut.

    A bundle in one file that only gets parity stays where it is, if that goes beside it under its name.
    Raises `UsageFault`, also where a file would take the place of one of `inputs`, `HostFault`, and what
    reading the bundle raises.
    """
    source, target = given.source, Target.of(output, given.source.index)
    cut = choose(source, wished)
    if cut and cut.whole and len(inputs) == 1 and _same(inputs[0], target.file):
        written = write_parity(
            target.file, stem=target.stem, source=source, cut=cut, blocks=given.blocks(), progress=progress
        )
        return written, cut
    refuse_inputs(target.files(source, cut), inputs)
    return write_files(target, source=source, cut=cut, blocks=given.blocks(), progress=progress), cut


def refuse_inputs(outputs: Iterable[Path], inputs: Sequence[Path]) -> None:
    """Raise `UsageFault` where a file that is to be written would take the place of one that is read."""
    for path in outputs:
        if any(_same(one, path) for one in inputs):
            raise UsageFault(
                f"{path}: is read, expected another place for what is written",
                hint="name another folder with -o, or another name: -o FOLDER/other.uvb",
            )


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
