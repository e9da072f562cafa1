"""SSH wire strings (RFC 4251 §5), read strictly and written (FORMAT.md, "Signatures").

A `Reader` never reads beyond its bytes, and `end` insists that nothing is left: two readers of the same
bytes see the same fields.
"""

from __future__ import annotations

from bundler.core.fault import Fault


class Reader:
    """The fields of one SSH blob, from first to last; methods raise `Fault` where a field does not fit."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int, what: str) -> bytes:
        """Return the next `count` bytes as they are."""
        left = len(self._data) - self._at
        if count > left:
            raise Fault(f"{what}: expected {count} bytes, found {left}")
        piece = self._data[self._at : self._at + count]
        self._at += count
        return piece

    def byte(self, what: str) -> int:
        """Return the next byte as a number."""
        return self.take(1, what)[0]

    def uint32(self, what: str) -> int:
        """Return the next four bytes as a big-endian number."""
        return int.from_bytes(self.take(4, what), "big")

    def string(self, what: str) -> bytes:
        """Return the next string: a uint32 length and that many bytes."""
        return self.take(self.uint32(f"length of {what}"), what)

    def text(self, what: str) -> str:
        """Return the next string as printable ASCII without blanks, as names are (RFC 4251 §6)."""
        raw = self.string(what)
        if not all(0x20 < char < 0x7F for char in raw):
            raise Fault(f"{what}: expected printable ASCII, found {raw[:40]!r}")
        return raw.decode("ascii")

    def mpint(self, what: str) -> int:
        """Return the next mpint; zero, negative numbers and needless leading bytes are refused."""
        raw = self.string(what)
        if not raw or raw[0] & 0x80:
            raise Fault(f"{what}: expected a number above zero")
        if raw[0] == 0 and (len(raw) == 1 or not raw[1] & 0x80):
            raise Fault(f"{what}: expected a number above zero without needless leading zeros")
        return int.from_bytes(raw, "big")

    def rest(self) -> bytes:
        """Return everything that is left."""
        return self.take(len(self._data) - self._at, "rest")

    def end(self, what: str) -> None:
        """Raise `Fault` unless every byte was read."""
        left = len(self._data) - self._at
        if left:
            raise Fault(f"{what}: expected its end, found {left} more bytes")


def string(data: bytes) -> bytes:
    """Write a string: its length as uint32, then its bytes."""
    return len(data).to_bytes(4, "big") + data


def text(name: str) -> bytes:
    """Write an ASCII name as a string."""
    return string(name.encode("ascii"))


def uint32(number: int) -> bytes:
    """Write a number as four big-endian bytes."""
    return number.to_bytes(4, "big")


def mpint(number: int) -> bytes:
    """Write a number that is not negative as an mpint: as few bytes as keep its sign bit clear."""
    if number < 0:
        raise ValueError(f"expected a number that is not negative, found {number}")
    return string(number.to_bytes((number.bit_length() + 8) // 8, "big") if number else b"")
