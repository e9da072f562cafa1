"""Shapes that a document written by people needs beside those of `core.shapes`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bundler.connected.yamlscalars import quoted
from bundler.core.fault import Fault, KeyPath, UnknownKey, nearest
from bundler.core.shapes import Either, Key, Record, Seq, found

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bundler.core.shapes import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotable:
    """A shape that takes strings; for a number or truth value it says to quote it."""

    shape: Shape
    examples: tuple[Any, ...] = ()

    def read(self, value: object, at: KeyPath = ()) -> Any:
        """Return what the shape reads; raises `Fault` with the advice where quotes are missing."""
        if advice := quoted(value):
            raise Fault(f"expected a string, found {found(value)} (quote it: {advice})", path=at)
        return self.shape.read(value, at)

    def schema(self) -> dict[str, Any]:
        """Describe the shape, with the examples that an editor may offer."""
        described = self.shape.schema()
        return {**described, "examples": list(self.examples)} if self.examples else described


@dataclass(frozen=True, slots=True, kw_only=True)
class Exactly:
    """One whole number and no other, such as the version of a document."""

    value: int
    hint: str
    about: str = ""

    def read(self, value: object, at: KeyPath = ()) -> int:
        """Return the number."""
        if type(value) is not int or value != self.value:
            raise Fault(f"expected the number {self.value}, found {found(value)}", path=at, hint=self.hint)
        return self.value

    def schema(self) -> dict[str, Any]:
        """Describe the number."""
        return {"const": self.value, "description": self.about}


@dataclass(frozen=True, slots=True, kw_only=True)
class ByKey:
    """One of several records, told apart by the one key that only it has."""

    records: Mapping[str, Record]
    about: str = ""

    def read(self, value: object, at: KeyPath = ()) -> dict[str, Any]:
        """Return what the record reads, without the keys of the others."""
        if not isinstance(value, dict):
            raise Fault(f"expected a mapping with {self._names()}, found {found(value)}", path=at)
        there = [name for name in self.records if name in value]
        if len(there) == 1:
            return self.records[there[0]].read(value, at)
        if there:
            raise Fault(f"expected {self._names()}, found {' and '.join(there)}", path=at)
        for name in value:
            if near := nearest(name, self.records):
                hint = f"did you mean {near!r}?"
                raise UnknownKey(f"unknown key, expected {self._names()}", path=(*at, name), hint=hint)
        raise Fault(f"expected {self._names()}, found neither", path=at)

    def _names(self) -> str:
        return " or ".join(self.records)

    def schema(self) -> dict[str, Any]:
        """Describe the choice."""
        return {"oneOf": [record.schema() for record in self.records.values()], "description": self.about}


def about(shape: Shape, path: KeyPath) -> str | None:
    """Return what `shape` says about the last key of `path` that it knows."""
    said: str | None = None
    for part in path:
        below = _below(shape, part)
        if below is None:
            break
        shape = below
        inner = shape.shape if isinstance(shape, Quotable) else shape
        said = getattr(inner, "about", "") or said
    return said


def _below(shape: Shape, part: str | int) -> Shape | None:
    if isinstance(shape, Quotable):
        return _below(shape.shape, part)
    if isinstance(shape, Seq):
        return shape.item if isinstance(part, int) else None
    if isinstance(shape, Record):
        key: Key | None = shape.keys.get(str(part))
        return key.shape if key else None
    choices: list[Shape] = []
    if isinstance(shape, Either):
        choices = [choice for _, choice in shape.kinds]
    elif isinstance(shape, ByKey):
        choices = list(shape.records.values())
    return next((found_below for choice in choices if (found_below := _below(choice, part))), None)
