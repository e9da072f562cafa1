"""Seeds: JSON, indexes, lists of downloads, and what a member is made of.

In all modules of samples, what a reader takes is `ok-…`, and what lies just beside that is `no-…`. Everything is
made here: nothing comes from a collection of vectors.
"""

from __future__ import annotations

import dataclasses
import json

import zstandard
from bundles import small_content
from recompressed import TEXT, delta_box, full_box, index_of

from bundler.core import ustar
from bundler.core.digest import Digest
from bundler.core.index import Artifact, Index, Member
from bundler.core.metadata import Row, dump_rows
from bundler.core.platforms import Platform

LINUX = Platform.parse("linux-x86_64-gnu")
TIME = "2026-11-20T00:00:00Z"


def jsons():
    """Return documents."""
    return {
        "ok-all": b'{"a": [1, -2, true, false, null, "\\u00e9\\n"], "b": {"": {}}, "c": [[], 1234567890123456789]}',
        "ok-text": '"\u00e9\U0001f600 \\ud83d\\ude00"'.encode(),
        "ok-deep": b"[" * 15 + b"0" + b"]" * 15,
        "ok-zero": b" -0\n",
        "no-deeper": b"[" * 17 + b"]" * 17,
        "no-twice": b'{"a": 1, "\\u0061": 2}',
        "no-float": b"[1.5e3]",
        "no-constant": b"[NaN, -Infinity]",
        "no-digits": b"12345678901234567890",
        "no-bom": b"\xef\xbb\xbf{}",
        "no-utf-16": '{"a": 1}'.encode("utf-16-le"),
        "no-half": b'"\\ud800"',
        "no-more": b"{} {}",
    }


def _member(path, *, size=70_000, encoding="identity"):
    blocks = tuple(Digest.of(b"%d" % number) for number in range(-(-size // (1 << 16))))
    return Member(path=path, size=size, sha256=Digest.of(path.encode()), encoding=encoding, blocks=blocks)


def whole_index():
    """Return an index with an artifact of each role."""
    sources = [
        _member("SHA256SUMS", size=400),
        _member("payload/mirror/20261120/cpython-3.13.5+20261120-x86_64.tar.gz"),
        _member("payload/uv/0.13.8/linux-x86_64-gnu/uv.zst", encoding="zstd"),
        _member("payload/download-metadata.json.zst", size=100, encoding="zstd"),
        _member("payload/bundle.lock", size=0),
    ]
    names = (("archive", {"links": ("python-cache/123456789-cpython.tar.gz",), "platform": LINUX,
                          "key": "cpython-3.13.5-linux-x86_64-gnu", "origin": "https://index.example/a"}),
             ("uv", {"executable": True, "uv": "0.13.8", "platform": LINUX}), ("metadata", {}), ("lock", {}))  # fmt: skip
    artifacts = [
        Artifact(
            path=one.path.removeprefix("payload/").removesuffix(".zst"),
            size=one.size, sha256=one.sha256, role=role, member=one.path, **facts,
        )
        for one, (role, facts) in zip(sources[1:], names, strict=True)
    ]  # fmt: skip
    return Index(
        name="plant-7", release="2026Q4", serial=2026112001, created=TIME, tool="uv-bundler", uv=("0.13.8",),
        platforms=(LINUX,), artifacts=tuple(artifacts), members=tuple(sources), block_size=1 << 16,
    )  # fmt: skip


def indexes():
    """Return indexes."""
    index, full = whole_index(), full_box(platforms=(LINUX,)).seal()
    beyond = delta_box(full, platform=LINUX)
    beyond.prefixes[TEXT.format(LINUX)][0]["length"] = 1 << 20
    whole = json.loads(index.to_bytes())

    def bent(**changes):
        return json.dumps(whole | changes).encode()

    def other(artifact):
        return dataclasses.replace(index, artifacts=(artifact, *index.artifacts[1:])).to_bytes()

    def linked(*links):
        return other(dataclasses.replace(index.artifacts[0], links=links))

    return {
        "ok-whole": index.to_bytes(),
        "ok-nothing": dataclasses.replace(index, artifacts=(), members=index.members[:1], uv=()).to_bytes(),
        "ok-recipes": index_of(full),
        "ok-delta": index_of(delta_box(full, platform=LINUX).seal()),
        "no-feature-used": index_of(full).replace(b'"recompressed"', b""),
        "no-prefix": index_of(beyond.seal()),
        "no-content": index_of(full).replace(b'"content"', b'"content "'),
        "no-held": index_of(delta_box(full, platform=LINUX).seal()).replace(
            b'"base": [\n        0', b'"base": [\n        1'
        ),
        "ok-expires": dataclasses.replace(index, expires="2028-02-29T00:00:00Z").to_bytes(),
        "ok-empty-origin": other(dataclasses.replace(index.artifacts[0], origin="")),
        "no-expires": dataclasses.replace(index, expires=index.created).to_bytes(),
        "no-feature": bent(requires=["volumes"]),
        "no-key": bent(serail=1),
        "no-member": bent(members=whole["members"][:-1]),
        "no-sums": bent(members=whole["members"][1:]),
        "no-blocks": bent(block_size=1 << 17),
        "no-case": linked("python-cache/a.tar", "python-cache/A.tar"),
        "no-below": linked("python-cache/a", "python-cache/a/b"),
        "no-climbing": linked("python-cache/../../etc"),
        "no-device": linked("python-cache/nul.txt"),
        "no-elsewhere": linked("bin/uv"),
    }


def _row(**changes):
    facts = {
        "name": "cpython", "version": (3, 13, 5), "prerelease": "", "variant": "", "platform": LINUX,
        "url": "https://index.example/cpython.tar.gz", "sha256": Digest.of(b"a"), "build": "20261120",
    }  # fmt: skip
    return Row(**(facts | changes))


def rows():
    """Return lists of downloads."""
    several = [
        _row(),
        _row(variant="freethreaded", build=None),
        _row(platform=Platform.parse("windows-x86-none"), prerelease="rc1", version=(3, 15, 0)),
        _row(platform=Platform.parse("linux-x86_64_v3-musl")),
        _row(platform=Platform.parse("linux-riscv64-gnu"), name="pypy"),
    ]
    unpinned = json.loads(dump_rows([_row()]))
    unpinned["cpython-3.13.5-linux-x86_64-gnu"]["sha256"] = None
    return {
        "ok-several": dump_rows(several),
        "ok-none": b"{}",
        "ok-unpinned": json.dumps(unpinned).encode(),
        "no-list": b"[]",
        "no-platform": dump_rows(several).replace(b'"linux"', b'"plan9"'),
        "no-digest": dump_rows([_row()]).replace(b'"sha256": "', b'"sha256": "A'),
    }


def headers():
    """Return blocks of 512 bytes."""
    plain = ustar.header("payload/mirror/20261120/a.tar.gz", 1234)
    return {
        "ok-plain": plain,
        "ok-empty": ustar.header("bundle.json", 0),
        "ok-large": ustar.header("a+b", ustar.MAX_SIZE),
        "ok-prefix": ustar.header("payload/" + "d" * 90 + "/" + "f" * 100, 77),
        "no-folder": plain[:156] + b"5" + plain[157:],
        "no-gnu": plain.replace(b"ustar\x0000", b"ustar  \0"),
        "no-base-256": plain[:124] + b"\x80" + bytes(10) + b"\x01" + plain[136:],
        "no-climbing": b"../etc/passwd".ljust(100, b"\0") + plain[100:],
        "no-end": bytes(512),
        "no-half": plain[:256],
    }


def frame(plain, *, checksum=True, content_size=True):
    writer = zstandard.ZstdCompressor(level=3, write_checksum=checksum, write_content_size=content_size)
    return writer.compress(plain)


def frames():
    """Return stored bytes with what the target reads before them: block length and declared size."""
    auto, text = b"\3\0\0\0", b"uv-bundler carries uv and Python to machines without a network. " * 40
    return {
        "ok-text": auto + frame(text),
        "ok-small-blocks": b"\0\0\0\0" + frame(text + small_content(size=700)),
        "ok-declared": b"\0" + len(text).to_bytes(3, "big") + frame(text),
        "ok-empty": auto + frame(b""),
        "ok-raw": auto + frame(small_content(size=200)),
        "ok-run": auto + frame(bytes(300_000)),
        "no-checksum": auto + frame(text, checksum=False),
        "no-size": b"\0" + len(text).to_bytes(3, "big") + frame(text, content_size=False),
        "no-other-size": b"\0\0\0\1" + frame(text),
        "no-two": auto + frame(text) * 2,
        "no-skippable": auto + b"\x50\x2a\x4d\x18\4\0\0\0skip" + frame(text),
        "no-cut": auto + frame(text)[:-3],
        "no-window": auto + bytes.fromhex("28b52ffd84b000000000000100000000000000000000"),
        "no-frame": auto + b"PK\3\4",
    }
