"""YAML, read defensively: one UTF-8 document of mappings, lists and scalars, and where each of them stands.

Built on the events of PyYAML's pure-Python parser (its C parser has crashed on hostile input). No aliases,
anchors, tags or merge keys, so a document is never larger than its text; no duplicate keys; keys are
strings; scalars mean what `yamlscalars.resolve` says. Bounded in bytes, depth and number of values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

from bundler.connected.yamlscalars import quoted, resolve
from bundler.core.fault import Fault, KeyPath, UnknownKey
from bundler.core.shapes import found
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES = 256 << 10  # a manifest has a few KiB; the pure-Python parser takes a second for this much
MAX_DEPTH = 16  # levels; a manifest has 4
MAX_NODES = 20_000  # values and keys
Place = tuple[int, int]  # line and column, both counted from 1
_TOO_LARGE = "a manifest is small: see `uv-bundler init`"
_UNQUOTED_MARK = 'a text that begins with > or | or @ or % must be quoted: ">=3.11"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed document: its plain value, and the place of everything in it."""

    name: str
    value: Any
    values: Mapping[KeyPath, Place] = field(repr=False)
    keys: Mapping[KeyPath, Place] = field(repr=False)

    def place(self, path: KeyPath) -> Place:
        """Return line and column of the value at `path`, or of the nearest value above it that is there."""
        while path not in self.values and path:
            path = path[:-1]
        return self.values.get(path, (1, 1))

    def place_of_key(self, path: KeyPath) -> Place:
        """Return line and column of the last key of `path`; for what has no key, the place of the value."""
        return self.keys.get(path) or self.place(path)

    def refusal(self, fault: Fault, *, hint: str | None = None) -> UsageFault:
        """Return `fault` as an error that says `FILE:LINE:COL: key.path: what is wrong`.

        A key that nobody knows is shown where the key stands, anything else where its value does.
        `hint` stands in where the fault has none.
        """
        at = self.place_of_key(fault.path) if isinstance(fault, UnknownKey) else self.place(fault.path)
        return UsageFault(f"{self.name}:{at[0]}:{at[1]}: {fault}", hint=fault.hint or hint)


def parse(data: bytes, *, name: str) -> Document:
    """Read the one YAML document in `data`; `name` is the file's name for messages.

    The value is made of str, int, bool, None, list, dict and `Unquoted`; an empty document is None.
    Raises `UsageFault` with line and column for everything else, whatever the bytes are.
    """
    if len(data) > MAX_BYTES:
        raise UsageFault(f"{name}: expected at most {MAX_BYTES} bytes, found more", hint=_TOO_LARGE)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _place_in(data[: error.start].decode("utf-8", "replace"))
        message = f"expected UTF-8, found byte 0x{data[error.start]:02x}"
        raise UsageFault(f"{name}:{line}:{column}: {message}", hint="save the file as UTF-8") from None
    return _Builder(text, name=name).document()


def _place_in(before: str) -> Place:
    line = before.count("\n") + 1
    return line, len(before) - before.rfind("\n")


class _Builder:
    """Builds the tree from PyYAML's events and stops at the first that has no place in it."""

    def __init__(self, text: str, *, name: str) -> None:
        self._name = name
        self._text = text
        self._last: Place = (1, 1)
        self._count = 0
        self._values: dict[KeyPath, Place] = {}
        self._keys: dict[KeyPath, Place] = {}
        self._loader: yaml.SafeLoader | None = None

    def document(self) -> Document:
        try:
            self._loader = yaml.SafeLoader(self._text)
            value = self._stream()
        except yaml.reader.ReaderError as error:
            self._last = _place_in(self._text[: error.position])
            number = ord(self._text[error.position])
            hint = f'remove it, or write it as "\\u{number:04x}"'
            self._refuse(f"expected printable text, found character U+{number:04X}", hint=hint)
        except yaml.MarkedYAMLError as error:
            self._refuse_marked(error)
        except (ValueError, OverflowError):
            # PyYAML 6.0.3 lets int() and chr() complain: an escape above U+10FFFF, a %YAML of 5,000 digits
            self._refuse(
                "expected YAML, found a number or an escape out of its range after this place",
                hint="an escape goes up to \\U0010FFFF, a %YAML line says %YAML 1.2",
            )
        finally:
            if self._loader is not None:
                self._loader.dispose()
        return Document(name=self._name, value=value, values=self._values, keys=self._keys)

    def _refuse(self, message: str, *, hint: str | None = None) -> NoReturn:
        line, column = self._last
        raise UsageFault(f"{self._name}:{line}:{column}: {message}", hint=hint) from None

    def _refuse_marked(self, error: yaml.MarkedYAMLError) -> NoReturn:
        mark = error.problem_mark or error.context_mark
        if mark is not None:
            self._last = (mark.line + 1, mark.column + 1)
        problem = error.problem or "malformed"
        hint = "check the indentation, the brackets and the quotes here and on the line above"
        if "\\t" in problem:
            hint = "indent with blanks: YAML takes no tabs there"
        elif "indentation indicators" in problem or "cannot start any token" in problem:
            hint = _UNQUOTED_MARK
        context = f" {error.context}" if error.context else ""
        self._refuse(f"not YAML:{context}: {problem}" if context else f"not YAML: {problem}", hint=hint)

    def _next(self) -> Any:
        assert self._loader is not None  # noqa: S101 - tells mypy what document() has just done
        event = self._loader.get_event()  # type: ignore[no-untyped-call]
        self._last = (event.start_mark.line + 1, event.start_mark.column + 1)
        return event

    def _stream(self) -> Any:
        self._next()  # the start of the stream
        start = self._next()
        if isinstance(start, yaml.StreamEndEvent):
            self._values[()] = (1, 1)
            return None
        if start.tags:
            self._refuse("expected no tags, found a %TAG directive", hint="leave the directive out")
        value = self._node(self._next(), ())
        self._next()  # the end of the document
        if not isinstance(self._next(), yaml.StreamEndEvent):
            self._refuse("expected one document, found a second", hint="leave out the line --- or ...")
        return value

    def _node(self, event: Any, path: KeyPath) -> Any:
        if isinstance(event, yaml.AliasEvent):
            self._refuse(f"expected no aliases, found *{event.anchor}", hint="write the value out")
        if event.anchor is not None:
            self._refuse(f"expected no anchors, found &{event.anchor}", hint=f"leave out &{event.anchor}")
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._refuse(f"expected no tags, found {tag}", hint="leave the tag out; quote what is a string")
        self._count += 1
        if self._count > MAX_NODES:
            self._refuse(f"expected at most {MAX_NODES} values", hint=_TOO_LARGE)
        if len(path) > MAX_DEPTH:
            self._refuse(f"expected at most {MAX_DEPTH} levels", hint=_TOO_LARGE)
        self._values[path] = self._last
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        return self._list(path) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(path)

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        if any("\ud800" <= char <= "\udfff" for char in event.value):
            hint = "write the character itself, or one escape such as \\U0001F600"
            self._refuse("expected text, found half of a surrogate pair", hint=hint)
        return event.value if event.style else resolve(event.value)

    def _list(self, path: KeyPath) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event, path)
            below = (*path, key)
            if key in pairs:
                line = self._keys[below][0]
                self._refuse(
                    f"the key {key!r} stands twice, first on line {line}", hint="keep one of the two"
                )
            self._keys[below] = self._last
            pairs[key] = self._node(self._next(), below)
        return pairs

    def _key(self, event: Any, path: KeyPath) -> str:
        at = self._last
        aside = (*path, -1)  # where no value can lie
        key = self._node(event, aside)
        self._values.pop(aside)
        self._last = at
        if key == "<<" and isinstance(event, yaml.ScalarEvent) and not event.style:
            self._refuse("expected no merge keys, found <<", hint="write the keys out")
        if not isinstance(key, str):
            advice = f" (quote it: {quoted(key)})" if quoted(key) else ""
            hint = "each line of a mapping reads `key: value`"
            self._refuse(f"expected a string as the key, found {found(key)}{advice}", hint=hint)
        return key
