"""Lines of the audit log, and the chain that ties each to all before it (FORMAT.md §10, "log.jsonl").

A line is ASCII without control characters, whatever its facts hold: it fakes no second line and moves no
cursor. Whoever noted the head of a log detects every later change of what stood there, the last newline
excepted.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from bundler.core import strictjson
from bundler.core.fault import Fault
from bundler.core.shapes import Key, Record, Seq, Text, Whole
from bundler.core.times import utc_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_LINE = 1 << 16  # bytes, without the newline
MAX_TEXT = 1000  # characters; a shorter cut only where a line would be longer than MAX_LINE
MAX_ITEMS = 16  # signers: as many as a bundle has signatures
START = "0" * 64  # what stands for a digest where nothing stands before
EVENTS = ("unpack", "install", "rollback", "recover", "trust")
OUTCOMES = ("begun", "done", "nothing", "refused", "failed")
_CUTS = (MAX_TEXT, 300, 100)  # characters; with the last one, a line of only escapes still has its 64 KiB
_PLAIN = re.compile(rb"\{[ -~]*\}")
_WORD = "[a-z][a-z-]{0,39}"  # events and outcomes of later versions are words too
_DIGEST = Text(what="64 lowercase hexadecimal digits", pattern="[0-9a-f]{64}")
_LINK = Record(
    keys={
        "number": Key(shape=Whole(minimum=1, maximum=10**12), required=True),
        "previous": Key(shape=_DIGEST, required=True),
    },
    others=True,
)


def _record(*, events: tuple[str, ...], outcomes: tuple[str, ...], others: bool) -> Record:
    def record(keys: dict[str, Key]) -> Record:
        return Record(keys=keys, others=others)

    text, count = Text(max_chars=MAX_LINE), Whole()
    needed, number = Key(shape=text, required=True), Key(shape=Whole(minimum=1))
    trust = Key(
        shape=record({"name": needed, "version": number, "sha256": Key(shape=_DIGEST, required=True)})
    )
    bundle = {
        "name": needed,
        "release": needed,
        "serial": Key(shape=Whole(minimum=1), required=True),
        "index_sha256": Key(shape=_DIGEST, required=True),
        "file": Key(shape=text),
    }
    signer = record({"name": needed, "fingerprint": needed})
    return record(
        {
            **_LINK.keys,
            "time": Key(shape=Text(parse=utc_time), required=True),
            "event": Key(shape=Text(what="a word", pattern=_WORD, options=events), required=True),
            "outcome": Key(shape=Text(what="a word", pattern=_WORD, options=outcomes), required=True),
            "exit_code": Key(shape=count),
            "user": needed,
            "uid": Key(shape=count),
            "sudo_user": Key(shape=text),
            "host": needed,
            "tool": needed,
            "command": needed,
            "bundle": Key(shape=record(bundle)),
            "signers": Key(shape=Seq(item=signer)),
            "serial_before": number,
            "serial_after": number,
            "generation_before": number,
            "generation_after": number,
            "trust_before": trust,
            "trust_after": trust,
            "scan": Key(shape=text),
            "reason": Key(shape=text),
            "message": Key(shape=text),
        }
    )


_OURS = _record(events=EVENTS, outcomes=OUTCOMES, others=False)
_ANY = _record(events=(), outcomes=(), others=True)  # a log outlives the versions that write it


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A whole line that fits all before it: its bytes, and its facts by key, None where it has none."""

    number: int
    raw: bytes
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stump:
    """A line of the file that is no entry: a crash cut it off, or it is being written. `size` is in bytes."""

    line: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Where the next line ties on: the number of the last entry, and the digest of all from there on."""

    number: int
    head: str


def write_line(facts: Mapping[str, Any], *, number: int, previous: str) -> bytes:
    """Return the line with its newline: keys in their order, facts that are None left out, texts cut.

    Raises `Fault` for facts that the format does not have, which is a bug of the caller.
    """
    given = {**facts, "number": number, "previous": previous}
    known = {name: given.pop(name, None) for name in _OURS.keys}
    for cut in _CUTS:
        value = _plain({**known, **given}, cut)
        line = json.dumps(value).encode("ascii")
        if len(line) <= MAX_LINE:
            break
    _OURS.read(strictjson.parse(line, max_bytes=MAX_LINE))
    return line + b"\n"


def _plain(value: Any, cut: int) -> Any:
    if isinstance(value, str):
        text = value.encode("utf-8", "backslashreplace").decode()  # paths may hold bytes that are no UTF-8
        return text if len(text) <= cut else text[: cut - 1] + "…"
    if isinstance(value, dict):
        return {key: _plain(item, cut) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item, cut) for item in value[:MAX_ITEMS]]
    return value


def _whole(line: bytes) -> Mapping[str, Any] | None:
    """Return the object on a line that some version of ours wrote whole; None for anything else."""
    if not _PLAIN.fullmatch(line):
        return None
    try:
        value = strictjson.parse(line, max_bytes=MAX_LINE)
        _LINK.read(value)
    except Fault:
        return None
    return dict(value)


def end_of(tail: bytes, *, complete: bool) -> End | None:
    """Return the end of a log from its last bytes; None where they hold no entry and are not `complete`."""
    body = tail.removesuffix(b"\n")
    end = len(body)
    while True:
        start = body.rfind(b"\n", 0, end) + 1
        if not start and not complete:
            return None
        found = _whole(body[start:end])
        if found or not start:
            head = hashlib.sha256(body[start:]).hexdigest() if tail else START
            return End(number=found["number"] if found else 0, head=head)
        end = start - 1


class Chain:
    """A log read from its start, line by line, in flat memory: how many entries and stumps, and the head.

    The head is the digest of the last entry and all stumps after it, without the last newline: what the next
    entry has as `previous`.
    """

    def __init__(self) -> None:
        self.entries = self.lines = self.stumps = 0
        self._state = hashlib.sha256()

    @property
    def head(self) -> str:
        """The digest that the next entry must have as `previous`."""
        return self._state.hexdigest() if self.lines else START

    def follow(self, stream: BinaryIO) -> Iterator[Entry | Stump]:
        """Yield what each line is; raises `Fault` at the first entry that does not fit what is before it."""
        while data := stream.readline(MAX_LINE + 1):
            body = data.removesuffix(b"\n")
            found = _whole(body)
            yield self._entry(body, found) if found else self._stump(data, stream)

    def _entry(self, body: bytes, found: Mapping[str, Any]) -> Entry:
        head, where = self.head, f"line {self.lines + 1}"
        if found["number"] != self.entries + 1:
            raise Fault(f"{where}: number is {found['number']}, expected {self.entries + 1}")
        if found["previous"] != head:
            raise Fault(f"{where}: previous is {found['previous']}, expected {head}")
        try:
            facts = _ANY.read(found)
        except Fault as fault:
            raise Fault(f"{where}: {fault}") from None
        self.lines, self.entries = self.lines + 1, self.entries + 1
        self._state = hashlib.sha256(body)
        return Entry(number=self.entries, raw=body, facts=facts)

    def _stump(self, data: bytes, stream: BinaryIO) -> Stump:
        if self.lines:
            self._state.update(b"\n")
        size = 0
        while data:
            body = data.removesuffix(b"\n")
            self._state.update(body)
            size += len(body)
            data = b"" if data.endswith(b"\n") else stream.readline(MAX_LINE + 1)
        self.lines, self.stumps = self.lines + 1, self.stumps + 1
        return Stump(line=self.lines, size=size)
