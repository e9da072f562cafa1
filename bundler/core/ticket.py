"""The repair ticket: what a far side still needs, as a line to read out, and as a file (FORMAT.md §17).

A ticket asks and proves nothing: what is sent for it counts by the digests of the signed index.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core.cut import Cut
from bundler.core.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LINE_CHARS = 80  # what a person reads out without losing the place
MAX_TICKET_BYTES = 2 << 20  # the file; an index has at most 250 000 blocks, every other one of them is 0.9 MB
SUFFIX = ".ticket"
SHORT = 10  # digits of the index's sha256 in a line: 40 bits
_MAGIC, _FILE_MAGIC = "UVB1", "uv-bundler.ticket.v1"
_CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+,-"
_PRIME = 65519  # the powers of 16 modulo this repeat after 32 759, so no two places of a line weigh the same
_CHECK = 4  # hexadecimal digits, which hold any remainder
_READ_AS = str.maketrans("OILSZG\u2013\u2014\u2212", "011526---")  # none of these letters is in a line
_LIST = r"[0-9]{1,7}(?:-[0-9]{1,7})?(?:,[0-9]{1,7}(?:-[0-9]{1,7})?)*"
_CUT = r"(W?)([0-9]{1,4})\+([0-9]{1,3})(?:X([0-9]{1,4}))?"
_LINE = re.compile(rf"UVB1([0-9A-F]{{10}}){_CUT}(?:V({_LIST}))?(?:B({_LIST}))?([0-9A-F]{{4}})")
_GROUPED = re.compile(r"^(UVB1)-?((?:[0-9A-F]-?){9}[0-9A-F])-?(.*?)-?((?:[0-9A-F]-?){3}[0-9A-F])$")
_SPAN = re.compile(r"(0|[1-9][0-9]{0,6})(?:-([1-9][0-9]{0,6}))?")
_PER_LINE = 12  # ranges in a line of the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What is needed of the bundle whose index has this sha256, of which a line has the first ten digits.

    `volumes` are data volumes of the cut, numbered from 1 as in their names; `blocks` are numbered from 0
    through the bundle. Both are ascending ranges with gaps between them; there is at least one.
    """

    index: str
    cut: Cut
    volumes: tuple[range, ...] = ()
    blocks: tuple[range, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{10}(?:[0-9a-f]{54})?", self.index):
            raise Fault(f"expected 10 or 64 hexadecimal digits of an index, found {self.index[:100]!r}")
        if not self.volumes and not self.blocks:
            raise Fault("expected volumes or blocks that are needed, found none")
        for ranges, what, first, last in (
            (self.volumes, "volume", 1, self.cut.data_volumes),
            (self.blocks, "block", 0, 9_999_999),
        ):
            before = first - 2
            for one in ranges:
                if not before + 1 < one.start < one.stop <= last + 1:
                    raise Fault(
                        f"expected {what}s between {first} and {last}, each once and ascending, "
                        f"found {_span(one)}"
                    )
                before = one.stop - 1

    @classmethod
    def parse(cls, text: str) -> Ticket:
        """Read a line as people type it; raises `Fault`.

        Blanks and hyphens between the parts, small letters, and O, I, L, S, Z and G for the digits that they
        look like are forgiven. Any one wrong character, and any two that changed places, are told.
        """
        compact = "".join(text[:1000].upper().translate(_READ_AS).split())
        grouped = _GROUPED.match(compact)
        if grouped:  # hyphens mean something in the lists alone
            magic, index, needed, check = grouped.groups()
            compact = magic + index.replace("-", "") + needed + check.replace("-", "")
        found = _LINE.fullmatch(compact)
        if not found or found[0][:4] != _MAGIC:
            raise Fault(
                f"expected a line that begins with {_MAGIC}, as `missing` prints it, found {text[:100]!r}",
                hint="type the whole line, with its commas and hyphens",
            )
        if _remainder(compact) != 1:
            raise Fault(
                "the last four characters do not fit the line: something in it was misheard or mistyped",
                hint="have it read out once more, character by character",
            )
        index, whole, volumes, parity, groups, wanted, blocks, _ = found.groups()
        ticket = cls(
            index=index.lower(),
            cut=_cut(volumes=volumes, parity=parity, groups=groups or "1", whole=bool(whole)),
            volumes=tuple(_spans(wanted or "")),
            blocks=tuple(_spans(blocks or "")),
        )
        if str(ticket).replace(" ", "") != compact:
            raise Fault(f"expected a line as `missing` prints it, found {text[:100]!r}")
        return ticket

    def __str__(self) -> str:
        cut = self.cut
        spread = f"{'W' * cut.whole}{cut.volumes}+{cut.parity}" + f"X{cut.groups}" * (cut.groups > 1)
        parts = [_MAGIC, self.index[:SHORT].upper(), spread]
        parts += ["V" + show_ranges(self.volumes)] * bool(self.volumes)
        parts += ["B" + show_ranges(self.blocks)] * bool(self.blocks)
        rest = (1 - _remainder("".join(parts) + "0" * _CHECK)) % _PRIME
        return " ".join((*parts, f"{rest:0{_CHECK}X}"))

    @classmethod
    def from_bytes(cls, data: bytes) -> Ticket:
        """Read a ticket file, strictly, or a file with a line in it; raises `Fault`."""
        if len(data) > MAX_TICKET_BYTES:
            raise Fault(f"expected at most {MAX_TICKET_BYTES} bytes, found more")
        text = data.decode("ascii", "replace").replace("\r\n", "\n")  # as mail and editors leave it
        if not text.startswith(_FILE_MAGIC):
            return cls.parse(text)
        lines = text.split("\n")
        first = re.fullmatch(rf"{re.escape(_FILE_MAGIC)} index ([0-9a-f]{{64}})", lines[0])
        second = re.fullmatch(
            r"volumes ([0-9]{1,4}) parity ([0-9]{1,3}) groups ([0-9]{1,4}) whole ([01])", "".join(lines[1:2])
        )
        if not first or not second:
            raise Fault(f"line {2 if first else 1}: expected the head of a ticket, found another line")
        needed: dict[str, list[range]] = {"volume": [], "block": []}
        for number, line in enumerate(lines[2:-2], 3):
            word, _, ranges = line.partition(" ")
            if word not in needed or not re.fullmatch(_LIST, ranges):
                raise Fault(f"line {number}: expected `volume` or `block` and numbers, found {line[:100]!r}")
            needed[word] += _spans(ranges)
        volumes, parity, groups, whole = second.groups()
        ticket = cls(
            index=first[1],
            cut=_cut(volumes=volumes, parity=parity, groups=groups, whole=whole == "1"),
            volumes=tuple(needed["volume"]),
            blocks=tuple(needed["block"]),
        )
        if ticket.to_bytes().decode() != text:
            raise Fault(
                "the sha256 in the last line, or the form, is not this ticket's: it was changed or cut off"
            )
        return ticket

    def to_bytes(self) -> bytes:
        """Write the ticket as a file; the index's whole sha256 must be known."""
        cut = self.cut
        lines = [
            f"{_FILE_MAGIC} index {self.index}",
            f"volumes {cut.volumes} parity {cut.parity} groups {cut.groups} whole {int(cut.whole)}",
            *(f"volume {show_ranges(some)}" for some in _batches(self.volumes)),
            *(f"block {show_ranges(some)}" for some in _batches(self.blocks)),
        ]
        said = "".join(line + "\n" for line in lines).encode("ascii")
        return said + f"sha256 {hashlib.sha256(said).hexdigest()}\n".encode("ascii")

    def is_for(self, digest: str) -> bool:
        """Tell whether the bundle whose index has this sha256 is the one."""
        return digest.startswith(self.index)


def identity(digest: str) -> str:
    """Return what a line says of a bundle: the first digits of its index's sha256, in capitals."""
    return digest[:SHORT].upper()


def ranges_of(numbers: Iterable[int]) -> tuple[range, ...]:
    """Return ascending numbers as ranges."""
    found: list[range] = []
    for number in numbers:
        if found and found[-1].stop == number:
            found[-1] = range(found[-1].start, number + 1)
        else:
            found.append(range(number, number + 1))
    return tuple(found)


def show_ranges(ranges: Iterable[range]) -> str:
    """Write ranges as people do: `7,19,31-33`."""
    return ",".join(map(_span, ranges))


def _span(one: range) -> str:
    return str(one.start) if len(one) == 1 else f"{one.start}-{one.stop - 1}"


def _spans(text: str) -> Iterator[range]:
    for part in text.split(",") if text else ():
        found = _SPAN.fullmatch(part)
        if not found or (found[2] and int(found[2]) <= int(found[1])):
            raise Fault(f"expected a number or a range such as 31-33, found {part!r}")
        yield range(int(found[1]), int(found[2] or found[1]) + 1)


def _batches(ranges: tuple[range, ...]) -> Iterator[tuple[range, ...]]:
    for at in range(0, len(ranges), _PER_LINE):
        yield ranges[at : at + _PER_LINE]


def _cut(*, volumes: str, parity: str, groups: str, whole: bool) -> Cut:
    try:
        return Cut(volumes=int(volumes), parity=int(parity), groups=int(groups), whole=whole)
    except ValueError:
        raise Fault(
            f"expected a cut, found one of {volumes} volumes, {parity} parity columns and {groups} groups"
        ) from None


def _remainder(line: str) -> int:
    """Return the line's rest modulo the prime, read as a number in base 16 whose digits go up to 38.

    One digit that is wrong changes the number by less than 39 times a power of 16, and two that changed
    places by their difference times the difference of two powers; the prime divides neither. In a whole
    line the rest is 1 and not 0, so that a 0 that is left out at the end is told, too (as in ISO 7064).
    """
    rest = 0
    for character in line:
        rest = (rest * 16 + _CHARACTERS.index(character)) % _PRIME
    return rest
