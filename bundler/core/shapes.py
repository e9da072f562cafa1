"""Declared shapes of documents: one declaration reads a value and describes itself as JSON Schema.

The index, the lock and the manifest are declared with these, so that each foreign document is read
field by field, with the key path to the fault in the message, and unknown keys are refused by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from bundler.core.fault import Fault, KeyPath, UnknownKey, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Shape(Protocol):
    """Anything that can read a plain value (str, int, bool, None, list, dict) and describe itself."""

    def read(self, value: object, at: KeyPath = ()) -> Any:
        """Return the value read; raises `Fault` with the path to what does not fit."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema (draft 2020-12) of what `read` takes."""


def found(value: object) -> str:
    """Name a plain value for a message: its kind, and itself where it is short.

    What a reader has beside plain values (YAML's unquoted `3.10`) names itself with a property `found`.
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the string {value!r}" if len(value) <= 60 else f"a string of {len(value)} characters"
    if isinstance(value, list | dict):
        many = len(value)
        return f"a list of {many}" if isinstance(value, list) else f"a mapping of {many} keys"
    return str(getattr(value, "found", type(value).__name__))


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A string; `pattern` must match all of it, and `parse` turns it into a value (or raises ValueError)."""

    what: str = "a string"
    pattern: str | None = None
    options: tuple[str, ...] = ()
    max_chars: int = 4096
    parse: Callable[[str], Any] | None = None
    about: str = ""

    def read(self, value: object, at: KeyPath = ()) -> Any:
        """Return the string, or what `parse` makes of it."""
        if not isinstance(value, str):
            raise Fault(f"expected {self.what}, found {found(value)}", path=at)
        if len(value) > self.max_chars:
            raise Fault(f"expected at most {self.max_chars} characters, found {len(value)}", path=at)
        if self.options and value not in self.options:
            near = nearest(value, self.options)
            hint = f"did you mean {near!r}?" if near else None
            raise Fault(f"expected one of {', '.join(self.options)}; found {value!r}", path=at, hint=hint)
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise Fault(f"expected {self.what}, found {found(value)}", path=at)
        if self.parse is None:
            return value
        try:
            return self.parse(value)
        except Fault as fault:
            raise fault.under(at) from None
        except ValueError as error:
            raise Fault(f"expected {self.what}: {error}", path=at) from None

    def schema(self) -> dict[str, Any]:
        """Describe the string."""
        described: dict[str, Any] = {"type": "string", "maxLength": self.max_chars}
        if self.options:
            described["enum"] = list(self.options)
        if self.pattern:
            described["pattern"] = f"^(?:{self.pattern})$"
        return _about(described, self.about)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole number in a closed range."""

    minimum: int = 0
    maximum: int = 2**63 - 1
    unit: str = ""
    about: str = ""

    def read(self, value: object, at: KeyPath = ()) -> int:
        """Return the number; true and false are no numbers here."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise Fault(f"expected a whole number{self._of()}, found {found(value)}", path=at)
        if not self.minimum <= value <= self.maximum:
            raise Fault(
                f"expected {self.minimum} to {self.maximum}{self._of()}, found {value}",
                path=at,
            )
        return value

    def _of(self) -> str:
        return f" of {self.unit}" if self.unit else ""

    def schema(self) -> dict[str, Any]:
        """Describe the number."""
        return _about({"type": "integer", "minimum": self.minimum, "maximum": self.maximum}, self.about)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """True or false."""

    about: str = ""

    def read(self, value: object, at: KeyPath = ()) -> bool:
        """Return the truth value."""
        if not isinstance(value, bool):
            raise Fault(f"expected true or false, found {found(value)}", path=at)
        return value

    def schema(self) -> dict[str, Any]:
        """Describe the truth value."""
        return _about({"type": "boolean"}, self.about)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seq:
    """A list in which every item has one shape."""

    item: Shape
    min_items: int = 0
    max_items: int = 100_000
    about: str = ""

    def read(self, value: object, at: KeyPath = ()) -> tuple[Any, ...]:
        """Return the items, read."""
        if not isinstance(value, list):
            raise Fault(f"expected a list, found {found(value)}", path=at)
        if not self.min_items <= len(value) <= self.max_items:
            raise Fault(f"expected {self.min_items} to {self.max_items} items, found {len(value)}", path=at)
        return tuple(self.item.read(item, (*at, number)) for number, item in enumerate(value))

    def schema(self) -> dict[str, Any]:
        """Describe the list."""
        described: dict[str, Any] = {"type": "array", "items": self.item.schema()}
        if self.min_items:
            described["minItems"] = self.min_items
        return _about(described, self.about)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a record: its shape, whether it must be there, and what stands for it when it is not."""

    shape: Shape
    required: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A mapping with known keys; others are refused, with the nearest known one, or passed over."""

    keys: Mapping[str, Key]
    others: bool = False
    about: str = ""

    def read(self, value: object, at: KeyPath = ()) -> dict[str, Any]:
        """Return every known key, read or defaulted."""
        if not isinstance(value, dict):
            raise Fault(f"expected a mapping, found {found(value)}", path=at)
        for name in value:
            if name not in self.keys and not self.others:
                near = nearest(str(name), self.keys)
                raise UnknownKey(
                    f"unknown key, expected one of {', '.join(self.keys)}",
                    path=(*at, str(name)),
                    hint=f"did you mean {near!r}?" if near else None,
                )
        for name, key in self.keys.items():
            if key.required and name not in value:
                raise Fault("missing, but required", path=(*at, name))
        return {
            name: key.shape.read(value[name], (*at, name)) if name in value else key.default
            for name, key in self.keys.items()
        }

    def schema(self) -> dict[str, Any]:
        """Describe the mapping."""
        described: dict[str, Any] = {
            "type": "object",
            "properties": {name: key.shape.schema() for name, key in self.keys.items()},
            "additionalProperties": self.others,
        }
        if required := [name for name, key in self.keys.items() if key.required]:
            described["required"] = required
        return _about(described, self.about)


@dataclass(frozen=True, slots=True, kw_only=True)
class Either:
    """One of several shapes, told apart by the kind of the value (str, int, bool, list, dict, NoneType)."""

    kinds: Sequence[tuple[type, Shape]]
    what: str
    about: str = ""

    def read(self, value: object, at: KeyPath = ()) -> Any:
        """Return what the shape for this kind of value reads."""
        for kind, shape in self.kinds:
            if type(value) is kind:
                return shape.read(value, at)
        raise Fault(f"expected {self.what}, found {found(value)}", path=at)

    def schema(self) -> dict[str, Any]:
        """Describe the choice."""
        return _about({"anyOf": [shape.schema() for _, shape in self.kinds]}, self.about)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A mapping with free keys: each value has one shape, and each key too where `name` is given."""

    value: Shape
    name: Text | None = None
    min_items: int = 0
    max_items: int = 100_000
    about: str = ""

    def read(self, value: object, at: KeyPath = ()) -> dict[str, Any]:
        """Return the mapping with its values read."""
        if not isinstance(value, dict):
            raise Fault(f"expected a mapping, found {found(value)}", path=at)
        if not self.min_items <= len(value) <= self.max_items:
            raise Fault(f"expected {self.min_items} to {self.max_items} entries, found {len(value)}", path=at)
        if self.name:
            for name in value:
                self.name.read(name, at)
        return {name: self.value.read(item, (*at, name)) for name, item in value.items()}

    def schema(self) -> dict[str, Any]:
        """Describe the mapping."""
        return _about({"type": "object", "additionalProperties": self.value.schema()}, self.about)


@dataclass(frozen=True, slots=True)
class Nothing:
    """JSON's null."""

    def read(self, value: object, at: KeyPath = ()) -> None:
        """Return None."""
        if value is not None:
            raise Fault(f"expected null, found {found(value)}", path=at)

    def schema(self) -> dict[str, Any]:
        """Describe null."""
        return {"type": "null"}


def _about(described: dict[str, Any], about: str) -> dict[str, Any]:
    return {**described, "description": about} if about else described
