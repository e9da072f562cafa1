"""Rows of uv's `download-metadata.json`, written so that uv 0.6.13 to 0.13.8 all read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bundler.core import strictjson
from bundler.core.digest import Digest
from bundler.core.fault import Fault, KeyPath
from bundler.core.platforms import Platform
from bundler.core.shapes import Either, Key, Nothing, Record, Text, Whole

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES = 16 << 20  # uv 0.13.8's own list has 3.8 MB with 6,816 rows
_text, _null = Text(max_chars=1024), Nothing()
_maybe_text = Either(kinds=((str, _text), (type(None), _null)), what="a string or null")
_arch = Record(keys={"family": Key(shape=_text, required=True), "variant": Key(shape=_maybe_text)})
ROW_SHAPE = Record(
    keys={
        "name": Key(shape=_text, required=True),
        "arch": Key(shape=_arch, required=True),
        "os": Key(shape=_text, required=True),
        "libc": Key(shape=_text, required=True),
        "major": Key(shape=Whole(maximum=255), required=True),
        "minor": Key(shape=Whole(maximum=255), required=True),
        "patch": Key(shape=Whole(maximum=255), required=True),
        "prerelease": Key(shape=_maybe_text),
        "url": Key(shape=_text, required=True),
        "sha256": Key(shape=_maybe_text),
        "variant": Key(shape=_maybe_text),
        "build": Key(shape=_maybe_text),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One interpreter that uv can download."""

    name: str
    version: tuple[int, int, int]
    prerelease: str
    variant: str
    platform: Platform
    url: str
    sha256: Digest | None
    build: str | None

    @property
    def key(self) -> str:
        """The installation key, uv's name of it: `cpython-3.13.5+freethreaded-linux-x86_64-gnu`."""
        variant = f"+{self.variant}" if self.variant else ""
        platform = str(self.platform).replace(
            "-riscv64-", "-riscv64gc-"
        )  # uv 0.6.13 to 0.13.8 say so in keys
        return f"{self.name}-{self.version_text}{variant}-{platform}"

    @property
    def version_text(self) -> str:
        """The Python version with its pre-release: `3.13.5`, `3.15.0a1`."""
        return ".".join(map(str, self.version)) + self.prerelease

    @classmethod
    def from_dict(cls, value: object, at: KeyPath = ()) -> Row:
        """Read one row; raises `Fault` for what no uv would read and for platforms that we do not know."""
        row = ROW_SHAPE.read(value, at)
        family, level = row["arch"]["family"], row["arch"]["variant"]
        arch = f"{family}_{level}" if level else family
        try:
            platform = Platform.parse(f"{row['os']}-{arch}-{row['libc']}")
            sha256 = Digest.parse(row["sha256"]) if row["sha256"] is not None else None
        except Fault as fault:
            raise fault.under(at) from None
        return cls(
            name=row["name"],
            version=(row["major"], row["minor"], row["patch"]),
            prerelease=row["prerelease"] or "",
            variant=row["variant"] or "",
            platform=platform,
            url=row["url"],
            sha256=sha256,
            build=row["build"],
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the row in the form that uv 0.6.13 to 0.13.8 all read; `build` is a string or left out."""
        arch, _, level = self.platform.arch.partition("_v")
        row: dict[str, Any] = {
            "name": self.name,
            "arch": {"family": "i686" if arch == "x86" else arch, "variant": f"v{level}" if level else None},
            "os": "darwin" if self.platform.os == "macos" else self.platform.os,
            "libc": self.platform.libc,
            "major": self.version[0],
            "minor": self.version[1],
            "patch": self.version[2],
            "prerelease": self.prerelease,
            "url": self.url,
            "sha256": str(self.sha256) if self.sha256 else None,
            "variant": self.variant or None,
        }
        return {**row, "build": self.build} if self.build is not None else row


def dump_rows(rows: list[Row]) -> bytes:
    """Write a `download-metadata.json` of exactly these rows, sorted by installation key.

    No row without a sha256 passes: uv would install it unverified. Raises `Fault` for one.
    """
    for row in rows:
        if row.sha256 is None:
            raise Fault(f"{row.key}: expected a sha256, uv would install this row unverified")
    return strictjson.dump({row.key: row.to_dict() for row in rows})


def select_rows(rows: list[Row], held: Mapping[str, Digest]) -> list[Row]:
    """Return the rows of the archives in `held` (installation key to digest), each exactly once.

    Raises `Fault` where an archive has no row, or its row has another digest.
    """
    chosen = [row for row in rows if row.key in held]
    for row in chosen:
        if row.sha256 != held[row.key]:
            raise Fault(f"{row.key}: expected sha256 {held[row.key]}, found {row.sha256}")
    if missing := sorted(held.keys() - {row.key for row in chosen}):
        raise Fault(f"{missing[0]}: expected a row for this archive, found none")
    return chosen


def parse_rows(data: bytes) -> list[Row]:
    """Read a `download-metadata.json` that we wrote; raises `Fault` for any row that does not fit."""
    document = strictjson.parse(data, max_bytes=MAX_BYTES)
    if not isinstance(document, dict):
        raise Fault("expected an object of rows")
    return [Row.from_dict(value, (key,)) for key, value in document.items()]
