"""Programs: the steps that give an artifact's bytes back (FORMAT.md §15, "Program").

A program is read only after the digest over its member held, and still nothing in it is believed: numbers,
nesting, sources and ends are checked here, ranges by who copies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bundler.core.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_NESTING: Final = 2  # a wheel inside an archive
_MAX_NUMBER_BYTES = 9  # 63 bits


class Copy(NamedTuple):
    """Yield `length` bytes of the content of `source`."""

    source: int
    offset: int
    length: int


class Encode(NamedTuple):
    """Encode what the steps up to the matching `End` yield."""

    encoder: int


class End(NamedTuple):
    """End what the innermost `Encode` began."""


Step = Copy | Encode | End
_END = End()


def parse_program(data: bytes, *, sources: Sequence[int], encoders: int) -> Iterator[Step]:
    """Yield the steps; the last `End` of the program is not one of them.

    `sources` are the sizes of the contents that copies must lie in, in bytes. Raises `Fault`.
    """
    after, depth, at = [0] * len(sources), 0, 0
    while True:
        begin = at
        word, at = _number(data, at)
        if word & 1:
            source = word >> 1
            delta, at = _number(data, at)
            length, at = _number(data, at)
            if source >= len(sources):
                raise Fault(f"byte {begin}: expected one of {len(sources)} sources, found number {source}")
            offset = after[source] + (delta >> 1 if not delta & 1 else -(delta + 1 >> 1))
            after[source] = offset + length
            if not length or offset < 0 or offset + length > sources[source]:
                raise Fault(
                    f"byte {begin}: expected a range of the {sources[source]} bytes of source {source}, "
                    f"found {length} bytes at {offset}"
                )
            yield Copy(source, offset, length)
        elif word:
            encoder = (word >> 1) - 1
            depth += 1
            if encoder >= encoders:
                raise Fault(f"byte {begin}: expected one of {encoders} encoders, found number {encoder}")
            if depth > MAX_NESTING:
                raise Fault(
                    f"byte {begin}: expected at most {MAX_NESTING} encoders in each other, found more"
                )
            yield Encode(encoder)
        elif depth:
            depth -= 1
            yield _END
        else:
            break
    if at != len(data):
        raise Fault(f"byte {at}: expected the end of the program, found {len(data) - at} bytes more")


def _number(data: bytes, at: int) -> tuple[int, int]:
    if at < len(data) and data[at] < 0x80:  # most of them
        return data[at], at + 1
    value = shift = 0
    for place in range(at, min(at + _MAX_NUMBER_BYTES, len(data))):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if not byte and place > at:
                raise Fault(f"byte {place}: expected a number in its shortest form")
            return value, place + 1
        shift += 7
    raise Fault(f"byte {at}: expected a number, found {'the end' if at >= len(data) else 'one without end'}")


def dump_program(steps: Iterable[Step], *, sources: int) -> bytes:
    """Write a program that `parse_program` reads as the same steps."""
    out, after = bytearray(), [0] * sources
    for step in steps:
        if isinstance(step, Copy):
            delta = step.offset - after[step.source]
            after[step.source] = step.offset + step.length
            _put(out, 2 * step.source + 1)
            _put(out, 2 * delta if delta >= 0 else -2 * delta - 1)
            _put(out, step.length)
        elif isinstance(step, Encode):
            _put(out, 2 * step.encoder + 2)
        else:
            out.append(0)
    out.append(0)
    return bytes(out)


def _put(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
