"""Small recompressed bundles and deltas, really signed, put together by hand: each part of one can be bent.

What an artifact is made of is told in parts: bytes lie in the stream of its group, a `Literal` beside the
programs, a `Deflated` is encoded, a `Taken` comes out of what an earlier bundle brought.
"""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from dataclasses import dataclass, field
from typing import Any

import zstandard
from bundles import HOST, PACKER, archive, small_content
from deflatedparts import NEW_TAR, OLD_TAR, Deflated, Literal, Taken, gzip_of, joined, with_wheel

from bundler.connected.bundlewriter import front
from bundler.core import strictjson, ustar
from bundler.core.index import FORMAT
from bundler.core.metadata import dump_rows
from bundler.core.program import Copy, Encode, End, dump_program
from bundler.core.uvnames import cache_name, mirror_path
from bundler.offline.reader import BundleReader

TEXT, RECIPES = "payload/{}/text.tar.zst", "payload/{}/recipes.zst"


@dataclass
class Box:
    """A bundle in the making. Everything in it may be changed until `seal`."""

    serial: int = 7
    name: str = "plant-7"
    platforms: tuple = (HOST,)
    contents: dict = field(default_factory=dict)  # of members with content, of held artifacts by digest
    prefixes: dict = field(default_factory=dict)  # member: list of ranges
    plain: dict = field(default_factory=dict)  # members that are stored as they are
    artifacts: list = field(default_factory=list)
    held: list = field(default_factory=list)
    base: list = field(default_factory=list)
    rows: list = field(default_factory=list)
    facts: dict = field(default_factory=dict)  # keys of the index
    order: list = field(default_factory=list)  # members in this order come before the others
    window_log: int | None = None

    def blob(self, path, data, *, stored=None, **facts):
        """Carry a file as it is."""
        self.plain[f"payload/{path}"] = data if stored is None else stored
        self.artifacts.append(
            {"path": path, "size": len(data), "sha256": sha(data), "member": f"payload/{path}"} | facts
        )

    def programs_of_uv(self):
        """Carry uv for each platform, as it is."""
        for platform in self.platforms:
            script = f"#!/bin/sh\necho uv 0.13.8 {platform}\n".encode()
            for program in ("uv", "uvx"):
                self.blob(
                    f"uv/0.13.8/{platform}/{program}", script, role="uv", platform=str(platform), uv="0.13.8",
                    executable=True,
                )  # fmt: skip
        return self

    def rebuilt(self, path, parts, *, group=None, steps=None, **facts):
        """Carry a file by a recipe; `steps` are those of another program."""
        data, group = joined(parts), group or str(self.platforms[0])
        text, recipes = TEXT.format(group), RECIPES.format(group)
        for one in (recipes, text):
            self.contents.setdefault(one, b"")
        sources, encoders = [recipes, text], []
        found = list(self._steps(parts, text, recipes, sources, encoders))
        program = dump_program(steps if steps is not None else found, sources=len(sources))
        recipe = {
            "member": recipes, "offset": len(self.contents[recipes]), "length": len(program),
            "sources": sources, "encoders": encoders,
        }  # fmt: skip
        self.contents[recipes] += program
        self.artifacts.append(
            {"path": path, "size": len(data), "sha256": sha(data), "recipe": recipe} | facts
        )
        return data

    def _steps(self, parts, text, recipes, sources, encoders):
        for part in parts:
            if isinstance(part, Deflated):
                if part.encoder not in encoders:
                    encoders.append(part.encoder)
                yield Encode(encoders.index(part.encoder))
                yield from self._steps(part.parts, text, recipes, sources, encoders)
                yield End()
            elif isinstance(part, Taken):
                if part.source not in sources:
                    sources.append(part.source)
                yield Copy(sources.index(part.source), part.offset, len(part.data))
            else:
                member = recipes if isinstance(part, Literal) else text
                data = part.data if isinstance(part, Literal) else part
                at = self.contents[member].find(data)
                if at < 0:
                    at = len(self.contents[member])
                    self.contents[member] += data
                yield Copy(sources.index(member), at, len(data))

    def archive(self, parts, *, version=(3, 13, 5), platform=None, how="recipe", **options):
        """Carry an archive: by `recipe`, `plain`, or as what the host has already (`held`)."""
        platform = platform or self.platforms[0]
        data = joined(parts)
        _, row = archive(data, version=version, platform=platform)
        self.rows.append(row)
        facts = {
            "role": "archive", "platform": str(platform), "key": row.key,
            "links": [f"python-cache/{cache_name(row.url, row.sha256)}"],
        }  # fmt: skip
        path = mirror_path(row.url)
        if how == "recipe":
            self.rebuilt(path, parts, group=options.pop("group", str(platform)), **options, **facts)
        elif how == "plain":
            self.blob(path, data, **facts)
        else:
            self.artifacts.append({"path": path, "size": len(data), "sha256": sha(data)} | facts)
        return data

    def builds_on(self, bundle, *artifacts, base=0, with_content=True, **facts):
        """Name a bundle, and artifacts (their bytes) of it that a host must have."""
        title = dict(zip(("name", "release", "serial", "index_sha256"), title_of(bundle), strict=True))
        if title not in self.base:
            self.base.append(title)
        for data in artifacts:
            content = inflated(data) if facts.get("inflate") else data
            self.contents[sha(data)] = content
            size = {"content": len(content)} if with_content else {}
            self.held.append({"sha256": sha(data), "size": len(data), "base": [base]} | size | facts)
        return self

    def seal(self, *, bend=None, packers=(PACKER,), stored=None, claimed=((), ())) -> bytes:
        """Return the bundle.

        `bend` may change the index before it is signed, `stored` members' bytes; `claimed` are further members
        and artifacts of an index, nothing of which is stored.
        """
        if self.rows:
            self.plain["payload/download-metadata.json"] = rows = dump_rows(self.rows)
            listed = {
                "path": "download-metadata.json",
                "size": len(rows),
                "sha256": sha(rows),
                "role": "metadata",
            }
            self.artifacts.append(listed | {"member": "payload/download-metadata.json"})
            self.rows = []
        pieces: dict[str, bytes] = {}
        members: list[dict[str, Any]] = []
        names = [one for one in self.contents if "/" in one] + list(self.plain)
        for path in sorted(names, key=lambda one: (one not in self.order, one not in self.contents)):
            ranges = self.prefixes.get(path, [])
            if path in self.contents:
                before = b"".join(
                    self.contents[one["source"]][one["offset"] :][: one["length"]] for one in ranges
                )
                data = framed(self.contents[path], prefix=before, window_log=self.window_log)
                more = {"content": len(self.contents[path])} | ({"prefix": ranges} if ranges else {})
            else:
                data, more = self.plain[path], {}
            data = (stored or {}).get(path, data)
            pieces[path] = data
            members.append(described(path, data, "zstd" if more else "identity") | more)
        members += claimed[0]
        sums = "".join(f"{one['sha256']}  {one['path']}\n" for one in members).encode()
        document = {
            "format": FORMAT,
            "requires": ["base"] * bool(self.base) + ["recompressed"] * any("recipe" in one for one in self.artifacts),
            "name": self.name, "release": "2026Q4", "serial": self.serial, "created": "2026-11-20T00:00:00Z",
            "tool": "uv-bundler test", "uv": ["0.13.8"] if any(one["role"] == "uv" for one in self.artifacts) else [],
            "platforms": [str(one) for one in self.platforms], "block_size": 1 << 20,
            "artifacts": [*self.artifacts, *claimed[1]], "members": [described("SHA256SUMS", sums, "identity"), *members],
            **({"base": self.base} if self.base else {}), **({"held": self.held} if self.held else {}), **self.facts,
        }  # fmt: skip
        if bend:
            document = json.loads(json.dumps(document))
            bend(document)
        raw = (
            json.dumps(document, separators=(",", ":")).encode() if claimed[0] else strictjson.dump(document)
        )
        out = [*front(raw, [one.sign(raw) for one in packers])]
        for path, data in (("SHA256SUMS", sums), *pieces.items()):
            out += [ustar.header(path, len(data)), data, ustar.padding(len(data))]
        return b"".join([*out, ustar.END])


def sha(data: bytes) -> str:
    """Return the digest as an index writes it."""
    return hashlib.sha256(data).hexdigest()


def inflated(data: bytes) -> bytes:
    """Return what a gzip file of one member holds."""
    return zlib.decompress(data, 31)


def described(path, data, encoding):
    """Return a member as an index writes it."""
    blocks = [sha(data[at : at + (1 << 20)]) for at in range(0, len(data), 1 << 20)]
    return {"path": path, "size": len(data), "sha256": sha(data), "encoding": encoding, "blocks": blocks}


def framed(content, *, prefix=b"", window_log=None, level=3):
    """Return a frame as the format wants it, with what stands before its content."""
    options = {"window_log": window_log} if window_log else {}
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, source_size=len(content), write_checksum=True, write_content_size=True, write_dict_id=False,
        **options,
    )  # fmt: skip
    before = {}
    if prefix:
        raw = zstandard.ZstdCompressionDict(prefix, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        before = {"dict_data": raw}
    return zstandard.ZstdCompressor(compression_params=parameters, **before).compress(content)


def index_of(bundle: bytes):
    """Return the index as bytes."""
    return BundleReader(io.BytesIO(bundle), name="x").read_signed_index().raw


def title_of(bundle: bytes):
    """Return name, release, serial and digest of the index."""
    raw = index_of(bundle)
    document = json.loads(raw)
    return document["name"], document["release"], document["serial"], sha(raw)


def full_box(*, serial=7, tar=OLD_TAR, encoder="zlib-6-8", version=(3, 13, 5), how="recipe", **facts) -> Box:
    """Return a bundle of two archives, one with a wheel in it, and uv."""
    box = Box(serial=serial, **facts)
    for platform in box.platforms:
        box.archive(gzip_of(tar, encoder=encoder), version=version, platform=platform, how=how)
        box.archive(
            gzip_of(*with_wheel(tar), encoder=encoder), version=(3, 12, 1), platform=platform, how=how
        )
    return box.programs_of_uv()


def delta_box(base: bytes, *, serial=8, platform=HOST, **facts) -> Box:
    """Return a delta to the bundle that `full_box` makes: one archive is held, one is new and copies from it.

    Its stream has the content of the held archive before it.
    """
    box = Box(serial=serial, platforms=(platform,), **facts)
    old, wheel = joined(gzip_of(OLD_TAR)), joined(gzip_of(*with_wheel(OLD_TAR)))
    box.builds_on(base, old, inflate=True)
    box.builds_on(base, wheel, with_content=False)
    at = OLD_TAR.index(small_content(1, 2500))
    shared = Taken(sha(old), at, small_content(1, 2500))
    begin = NEW_TAR.index(small_content(1, 2500))
    box.archive(
        gzip_of(NEW_TAR[:begin], shared, NEW_TAR[begin + 2500 :]), version=(3, 13, 6), platform=platform
    )
    box.archive(gzip_of(*with_wheel(OLD_TAR)), version=(3, 12, 1), platform=platform, how="held")
    box.prefixes[TEXT.format(platform)] = [
        {"source": sha(old), "offset": 0, "length": 2000},
        {"source": sha(old), "offset": 4000, "length": len(OLD_TAR) - 4000},
    ]
    return box.programs_of_uv()
