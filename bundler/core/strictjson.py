"""JSON, read strictly: UTF-8 without BOM, no duplicate keys, no floats, no NaN, bounded in size and depth.

Guarantees that two readers of the same bytes cannot see two documents (FORMAT.md, "JSON").
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from bundler.core.fault import Fault

MAX_DEPTH = 16  # levels; our own documents have 5
MAX_FOREIGN = 4 << 20  # bytes of a document that is not ASCII: in memory it may be four times as large
MAX_NODES = 500_000  # values and keys; bounds the memory that a hostile document can ask for
_MAX_DIGITS = 19  # of a whole number: 2**63 has 19


def parse(data: bytes, *, max_bytes: int) -> Any:
    """Return the plain value in `data`; raises `Fault` for anything that is not strict JSON.

    `max_bytes` is checked before anything is parsed. Memory stays below about 16 times `max_bytes`
    and below 100 MiB, because the number of values is bounded first.
    """
    if len(data) > max_bytes:
        raise Fault(f"expected at most {max_bytes} bytes, found {len(data)}")
    if sum(data.count(mark) for mark in (b",", b"[", b"{", b":")) > MAX_NODES:
        raise Fault(f"expected at most {MAX_NODES} values")
    if len(data) > MAX_FOREIGN and not data.isascii():
        raise Fault(f"expected ASCII in a document of more than {MAX_FOREIGN} bytes")
    if data.startswith(b"\xef\xbb\xbf"):
        raise Fault("expected UTF-8 without a byte order mark")
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_float=_refuse_float,
            parse_constant=_refuse_float,
            parse_int=_bounded_int,
        )
    except Fault:
        raise
    except RecursionError:
        raise Fault(f"expected at most {MAX_DEPTH} levels") from None
    except UnicodeDecodeError as error:
        raise Fault(f"expected UTF-8, found byte 0x{data[error.start]:02x} at offset {error.start}") from None
    except json.JSONDecodeError as error:
        raise Fault(f"line {error.lineno} column {error.colno}: {error.msg}") from None
    _check_depth_and_text(value)
    return value


def dump(value: Any) -> bytes:
    """Write a plain value the one way we write JSON: two spaces, sorted keys, ASCII, a final newline."""
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False).encode() + b"\n"


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise Fault(f"the key {key!r} stands twice in one object")
            seen.add(key)
    return mapping


def _refuse_float(text: str) -> NoReturn:
    raise Fault(f"expected a whole number, found {text}")


def _bounded_int(text: str) -> int:
    if len(text.lstrip("-")) > _MAX_DIGITS:
        raise Fault(f"expected at most {_MAX_DIGITS} digits, found {len(text)}")
    return int(text)


def _check_depth_and_text(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        if not level:
            return
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                for key in item:
                    _check_text(key)
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, str):
                _check_text(item)
        level = below
    raise Fault(f"expected at most {MAX_DEPTH} levels")


def _check_text(text: str) -> None:
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise Fault("expected text, found half of a surrogate pair")
