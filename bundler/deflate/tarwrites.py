"""The writes that tar-rs made, found again in the tar that they became.

The compressors of the zlib-ng family forget a match when they run out of input, so that their output hangs on
how the input was cut. python-build-standalone's archives were cut by tar-rs's `Builder::append` and `finish`:

- the header of an entry is one write of 512 bytes;
- its data, as many bytes as the header says, are writes of 8192 bytes and a shorter last one;
- the padding to the next multiple of 512 is one write;
- the two blocks of zeros at the end are one write.

The rule is total: from the first header on that has no size, or from a single block of zeros, or behind the
end, any bytes are cut into writes of 8192. Of one stream only one cut is possible, however it arrives.
"""

from __future__ import annotations

import re

_BLOCK = 512
_PIECE = 8192  # the buffer of Rust's std::io::copy
_SIZE = slice(124, 136)  # the size field of a header (POSIX ustar; all of tar's dialects have it there)
_OCTAL = re.compile(rb" *([0-7]+)[ \0]*")
_BASE_256 = 0x80  # first byte of a size that GNU tar wrote in binary, because octal digits did not suffice
_ENDLESS = 1 << 200


class TarWrites:
    """Tells the sizes of the writes that a stream of bytes was made by; holds at most 1 KiB of it."""

    def __init__(self) -> None:
        self._header = bytearray()  # what arrived of a header, or of the two blocks of zeros
        self._runs: list[int] = []  # bytes left of the entry's data and of its padding, the next run last
        self._have = 0  # bytes of an unfinished write that arrived

    def feed(self, data: bytes) -> list[int]:
        """Return the sizes of the writes that end in `data`, in order.

        The bytes behind the last one, fewer than 8192, begin a write that later bytes will finish.
        """
        sizes: list[int] = []
        at, end = 0, len(data)
        while at < end:
            if not self._runs:
                wanted = 2 * _BLOCK if len(self._header) >= _BLOCK else _BLOCK
                piece = data[at : at + wanted - len(self._header)]
                self._header += piece
                at += len(piece)
                if len(self._header) == wanted:
                    self._read_header(sizes)
                continue
            taken = min(self._runs[-1], end - at)
            at += taken
            self._runs[-1] -= taken
            whole, self._have = divmod(self._have + taken, _PIECE)
            sizes += [_PIECE] * whole
            if not self._runs[-1]:
                self._runs.pop()
                if self._have:
                    sizes.append(self._have)
                    self._have = 0
        return sizes

    def finish(self) -> list[int]:
        """Return the size of the write that the end of the stream cut off, or nothing."""
        rest = self._have + len(self._header)
        return [rest] if rest else []

    def _read_header(self, sizes: list[int]) -> None:
        if not any(self._header):
            if len(self._header) == _BLOCK:
                return  # the second block tells
            sizes.append(2 * _BLOCK)
            self._runs = [_ENDLESS]
        elif len(self._header) > _BLOCK or (size := _size(bytes(self._header[_SIZE]))) is None:
            self._have = len(self._header)
            self._runs = [_ENDLESS]
        else:
            sizes.append(_BLOCK)
            self._runs = [run for run in (-size % _BLOCK, size) if run]
        self._header.clear()


def _size(field: bytes) -> int | None:
    """Return the size that a header states, None if it states none."""
    if field[0] == _BASE_256:
        return int.from_bytes(field[1:], "big")
    octal = _OCTAL.fullmatch(field)
    return int(octal[1], 8) if octal else None
