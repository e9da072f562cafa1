"""How an artifact is rebuilt: recipes, prefixes, and what earlier bundles must give (FORMAT.md §15, §16)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from bundler.core.digest import Digest
from bundler.core.names import portable_path
from bundler.core.shapes import Flag, Key, Record, Seq, Text, Whole

MAX_PROGRAM_BYTES: Final = 1 << 20  # read whole, by each worker; an archive of 10 000 files has about 100 KB
MAX_SOURCES: Final = 64
MAX_ENCODERS: Final = 16
MAX_BASES: Final = 16
MAX_HELD: Final = 4096
MAX_RANGES: Final = 4096  # of one prefix
MAX_CONTENT: Final = 2**53 - 1  # bytes that a member decodes to
Source = str | Digest  # the path of a member with content, or the sha256 of a held artifact


def _source(text: str) -> Source:
    return portable_path(text) if "/" in text else Digest.parse(text)


_COUNT = Whole(maximum=MAX_CONTENT, unit="bytes")
_SOURCE = Text(what="the path of a member, or a sha256", max_chars=240, parse=_source)
_DIGEST = Text(what="64 lowercase hexadecimal digits", max_chars=64, parse=Digest.parse)
# What FORMAT.md §15 lists under "Encoders"; `bundler.deflate.catalog` has one for each.
_ENCODER = Text(what="the name of an encoder", pattern=r"zlib-[1-9]-[89]|miniz-6|medium-1[67]")
RECIPE: Final = Record(
    keys={
        "member": Key(
            shape=Text(what="the path of a member", max_chars=240, parse=portable_path), required=True
        ),
        "offset": Key(shape=_COUNT, required=True),
        "length": Key(shape=Whole(minimum=1, maximum=MAX_PROGRAM_BYTES, unit="bytes"), required=True),
        "sources": Key(shape=Seq(item=_SOURCE, min_items=1, max_items=MAX_SOURCES), required=True),
        "encoders": Key(shape=Seq(item=_ENCODER, max_items=MAX_ENCODERS), required=True),
    }
)
PREFIX: Final = Seq(
    item=Record(
        keys={
            "source": Key(shape=_SOURCE, required=True),
            "offset": Key(shape=_COUNT, required=True),
            "length": Key(shape=Whole(minimum=1, maximum=MAX_CONTENT, unit="bytes"), required=True),
        }
    ),
    min_items=1,
    max_items=MAX_RANGES,
)
BASE: Final = Record(
    keys={
        "name": Key(shape=Text(what="a bundle's name", pattern=r"[a-z0-9][a-z0-9-]{0,39}"), required=True),
        "release": Key(shape=Text(max_chars=80), required=True),
        "serial": Key(shape=Whole(minimum=1, maximum=2**53 - 1), required=True),
        "index_sha256": Key(shape=_DIGEST, required=True),
    }
)
HELD: Final = Record(
    keys={
        "sha256": Key(shape=_DIGEST, required=True),
        "size": Key(shape=_COUNT, required=True),
        "base": Key(
            shape=Seq(item=Whole(maximum=MAX_BASES - 1), min_items=1, max_items=MAX_BASES), required=True
        ),
        "content": Key(shape=_COUNT),
        "inflate": Key(shape=Flag(), default=False),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Where an artifact's program lies, what it copies from, and what it encodes with."""

    member: str
    offset: int
    length: int
    sources: tuple[Source, ...]
    encoders: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as it stands in the index."""
        return {
            "member": self.member,
            "offset": self.offset,
            "length": self.length,
            "sources": [str(one) for one in self.sources],
            "encoders": list(self.encoders),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Bytes of a source's content, which stand before a member's own."""

    source: Source
    offset: int
    length: int

    def to_dict(self) -> dict[str, Any]:
        """Return the range as it stands in the index."""
        return {"source": str(self.source), "offset": self.offset, "length": self.length}


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """An earlier bundle that a delta builds on."""

    name: str
    release: str
    serial: int
    index_sha256: Digest

    @property
    def title(self) -> str:
        """The bundle as people speak of it: `plant-7 2026Q3 (serial 2026082001)`."""
        return f"{self.name} {self.release} (serial {self.serial})"

    def to_dict(self) -> dict[str, Any]:
        """Return the bundle as it stands in the index."""
        return {
            "name": self.name,
            "release": self.release,
            "serial": self.serial,
            "index_sha256": str(self.index_sha256),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An artifact that a host has from an earlier bundle; `base` are numbers of such bundles."""

    sha256: Digest
    size: int
    base: tuple[int, ...]
    content: int | None = None
    inflate: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return it as it stands in the index; keys without a value are left out."""
        optional = {"content": self.content, "inflate": self.inflate}
        return {
            "sha256": str(self.sha256),
            "size": self.size,
            "base": list(self.base),
            **{name: value for name, value in optional.items() if value not in (None, False)},
        }
