"""Mutations that keep the outer form of an input, so that what lies behind it is reached.

Each takes bytes and a source of randomness and returns other bytes; what has not the form that a mutator knows
is mutated byte by byte.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

from bundler.core import ustar
from bundler.core.fault import Fault
from bundler.signing import wire
from bundler.signing.sshsig import MAGIC, armor

if TYPE_CHECKING:
    import random

_BYTES = (b"\0", b"\xff", b"\n", b"\r\n", b"\x80", b'"', b"\\", b"\xef\xbb\xbf", b"\x7f\xff\xff\xff", b"0")
_OPTIONS = (
    b'namespaces="git,!x"', b'namespaces="uv-bundler.*"', b'valid-after="20260102Z"', b'valid-before="209912312359UTC"',
    b'valid-before="20991231"', b"cert-authority", b'"two words"', b'"#a"', b"*,!b@c", b"# c", b"ssh-rsa",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 64, 65536, 2**31, 2**53 - 1, 2**53, 8**11, 10**18, 10**19, 1.5,
    "", "a", ".", "..", "a/b", "/a", "A", "con", "nul.txt", "a.", "x" * 101, "x/" * 130, "\u0660", "\ud800", "\u202e",
    "0" * 64, "9999-12-31T23:59:59Z", "2026-13-01T00:00:00Z", [], {}, [[]], ["a", "A"],
)  # fmt: skip


def byte_level(data: bytes, rng: random.Random) -> bytes:
    """Flip, cut, double, move or insert bytes, once."""
    at, end = sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))
    end = min(end, at + rng.choice((1, 2, 4, 16, 512)))
    piece = data[at:end]
    kind = rng.randrange(6)
    if kind == 0 and at < len(data):
        piece = bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 : end]
    elif kind == 1:
        piece = b""
    elif kind == 2:
        piece *= 2
    elif kind == 3:
        piece = rng.choice(_BYTES) + piece
    elif kind == 4:
        piece = rng.randbytes(len(piece))
    else:
        return data[:at] + data[end:] + piece
    return data[:at] + piece + data[end:]


def json_level(data: bytes, rng: random.Random) -> bytes:
    """Change one value, key or item of a JSON document."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return byte_level(data, rng)
    spots: list[tuple[Any, Any]] = [([document], 0)]
    for holder, key in spots:
        value = holder[key]
        if isinstance(value, dict | list):
            spots.extend(
                (value, inner) for inner in (value if isinstance(value, dict) else range(len(value)))
            )
    holder, key = rng.choice(spots)
    kind = rng.randrange(5)
    if kind == 0:
        holder[key] = rng.choice(_VALUES)
    elif kind == 1:
        other, its = rng.choice(spots)
        holder[key] = json.loads(json.dumps(other[its]))
    elif kind == 2:
        del holder[key]
    elif kind == 3 and isinstance(holder, list):
        copy = json.loads(json.dumps(holder[key]))
        holder.insert(rng.randint(0, len(holder)), _nearby(copy, rng) if rng.randrange(2) else copy)
    elif kind == 3:
        holder[_bent(key, rng)] = holder[key]
    else:
        holder[key] = _nearby(holder[key], rng)
    text = json.dumps(spots[0][0][0] if spots[0][0] else None, ensure_ascii=bool(rng.randrange(2)))
    return text.encode("utf-8", "surrogatepass")


def _nearby(value: Any, rng: random.Random) -> Any:
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        return rng.choice((value + 1, value - 1, -value, value * 2, value // 2))
    if isinstance(value, str):
        swapped = value[:-1] + value[-1:].swapcase()
        below = value + rng.choice(("/a", "/nul.txt", "/..", "."))
        return rng.choice((_bent(value, rng), value.upper(), swapped, value * 2, below))
    if isinstance(value, list):
        return value[::-1]
    return value


def _bent(text: str, rng: random.Random) -> str:
    return byte_level(text.encode("utf-8", "surrogatepass"), rng).decode("utf-8", "replace")


def wire_level(blob: bytes, rng: random.Random) -> bytes:
    """Change one field of an SSH blob, at any depth, and keep the lengths around it right."""
    front = len(MAGIC) + 4 if blob.startswith(MAGIC) else 0
    fields = _split(blob[front:])
    if not fields:
        return byte_level(blob, rng)
    at, kind = rng.randrange(len(fields)), rng.randrange(8)
    if kind == 0:
        del fields[at]
    elif kind == 1:
        fields.insert(rng.randint(0, len(fields)), fields[at])
    elif kind == 2:
        other = rng.randrange(len(fields))
        fields[at], fields[other] = fields[other], fields[at]
    elif kind == 3:
        return blob[:front] + b"".join(map(wire.string, fields)) + rng.randbytes(rng.randint(1, 5))
    else:
        fields[at] = wire_level(fields[at], rng)
    return blob[:front] + b"".join(map(wire.string, fields))


def _split(data: bytes) -> list[bytes]:
    """Return the strings that `data` is made of, or none where it is made of something else as well."""
    reader, fields = wire.Reader(data), []
    try:
        while len(b"".join(map(wire.string, fields))) < len(data):
            fields.append(reader.string("field"))
    except Fault:
        return []
    return fields


def armor_level(armored: bytes, rng: random.Random) -> bytes:
    """Change what an armored signature holds, or the armor."""
    lines = armored.split(b"\n")
    try:
        blob = base64.b64decode(b"".join(lines[1:-2]), validate=True)
    except ValueError:
        return byte_level(armored, rng)
    kind = rng.randrange(4)
    if kind == 0:
        return byte_level(armored, rng)
    if kind == 1:
        body, width = base64.b64encode(blob), rng.randint(1, 80)
        lines[1:-2] = [body[at : at + width] for at in range(0, len(body), width)]
        return b"\n".join(lines)
    return armor(wire_level(blob, rng))


def words_level(data: bytes, rng: random.Random) -> bytes:
    """Change one word of a line of keys: move it, take it out, put an option or a name beside it, or bend it."""
    lines = data.split(b"\n")
    number = rng.randrange(len(lines))
    words = re.split(rb"(?<=[ ,])", lines[number])
    at, kind = rng.randrange(len(words)), rng.randrange(7)
    if kind == 0:
        del words[at]
    elif kind == 1:
        words.insert(rng.randint(0, len(words)), words[at])
    elif kind in (2, 3):
        words[at : at + rng.randrange(2)] = [rng.choice(_OPTIONS) + rng.choice((b",", b" "))]
    elif kind == 4:
        lines.insert(rng.randrange(len(lines)), lines[number])
        return b"\n".join(lines)
    else:
        words[at] = byte_level(words[at], rng)
    lines[number] = b"".join(words)
    return b"\n".join(lines)


def member_level(data: bytes, rng: random.Random) -> bytes:
    """Change one member of a container, and make its header fit; or drop, double or swap members."""
    members: list[tuple[bytes, bytes]] = []
    at = 0
    try:
        while any(data[at : at + ustar.BLOCK]):
            _, size = ustar.parse_header(data[at : at + ustar.BLOCK])
            at += ustar.BLOCK
            members.append((data[at - ustar.BLOCK : at], data[at : at + size]))
            at += size + -size % ustar.BLOCK
    except Fault:
        return byte_level(data, rng)
    if not members:
        return byte_level(data, rng)
    number, other = rng.randrange(len(members)), rng.randrange(len(members))
    header, content = members[number]
    kind = rng.randrange(8)
    if kind == 7:
        return byte_level(data, rng)
    if kind == 0:
        del members[number]
    elif kind == 1:
        members.insert(other, members[number])
    elif kind == 2:
        members[number], members[other] = members[other], members[number]
    elif kind == 3:
        members[number] = (byte_level(header, rng)[: ustar.BLOCK].ljust(ustar.BLOCK, b"\0"), content)
    elif kind == 4:
        members[number] = (members[other][0], content)
    else:
        content = (armor_level if content.startswith(b"-----") else byte_level)(content, rng)
        members[number] = (ustar.header(ustar.parse_header(header)[0], len(content)), content)
    return b"".join(head + body + ustar.padding(len(body)) for head, body in members) + data[at:]


def signed_level(data: bytes, rng: random.Random) -> bytes:
    """Change the index before the first NUL, or the bytes after it."""
    raw, mark, payload = data.partition(b"\0")
    if rng.randrange(3):
        return json_level(raw, rng) + mark + payload
    return raw + mark + byte_level(payload, rng)


def records_level(data: bytes, rng: random.Random) -> bytes:
    """Change one of the records between NULs: its first byte, or the JSON after it; or drop or double one."""
    records = data.split(b"\0")
    at, kind = rng.randrange(len(records)), rng.randrange(6)
    record = records[at]
    if kind == 0:
        del records[at]
    elif kind == 1:
        records.insert(at, record)
    elif kind == 2:
        records[at] = bytes([rng.randint(1, 255)]) + record[1:]
    else:
        records[at] = record[:1] + json_level(record[1:], rng)
    return b"\0".join(records)
