"""The index, declared once: each key, its limits, and which of them must stand (FORMAT.md §3).

What must hold between keys is in `bundler.core.indexchecks`.
"""

from __future__ import annotations

from bundler.core.digest import Digest
from bundler.core.index import FORMAT, IDENTITY, MIN_BLOCK_SIZE, NAME_PATTERN, ROLES, ZSTD
from bundler.core.names import portable_path
from bundler.core.platforms import Platform
from bundler.core.recipe import BASE, HELD, MAX_BASES, MAX_CONTENT, MAX_HELD, PREFIX, RECIPE
from bundler.core.shapes import Either, Flag, Key, Nothing, Record, Seq, Text, Whole
from bundler.core.times import utc_time

_SERIAL_MAX = 2**53 - 1  # so that every JSON reader keeps it exact
_NAME = Text(what="a name of a-z, 0-9 and -, at most 40 characters", pattern=NAME_PATTERN)
_DIGEST = Text(what="64 lowercase hexadecimal digits", max_chars=64, parse=Digest.parse)
_PATH = Text(what="a portable relative path", max_chars=240, parse=portable_path)
_PLATFORM = Text(what="a platform", max_chars=60, parse=Platform.parse)
_TIME = Text(what="a UTC time", max_chars=20, parse=utc_time)
_MEMBER = Record(
    keys={
        "path": Key(shape=_PATH, required=True),
        "size": Key(shape=Whole(maximum=8**11 - 1, unit="bytes"), required=True),
        "sha256": Key(shape=_DIGEST, required=True),
        "encoding": Key(shape=Text(options=(IDENTITY, ZSTD)), required=True),
        "blocks": Key(shape=Seq(item=_DIGEST), required=True),
        "content": Key(shape=Whole(maximum=MAX_CONTENT, unit="bytes")),
        "prefix": Key(shape=PREFIX, default=()),
    }
)
_ARTIFACT = Record(
    keys={
        "path": Key(shape=_PATH, required=True),
        "size": Key(shape=Whole(maximum=2**53 - 1, unit="bytes"), required=True),
        "sha256": Key(shape=_DIGEST, required=True),
        "role": Key(shape=Text(options=ROLES), required=True),
        "member": Key(shape=_PATH),
        "recipe": Key(shape=RECIPE),
        "links": Key(shape=Seq(item=_PATH, max_items=8), default=()),
        "executable": Key(shape=Flag(), default=False),
        "platform": Key(
            shape=Either(kinds=((str, _PLATFORM), (type(None), Nothing())), what="a platform or null")
        ),
        "key": Key(shape=Text(what="an installation key", pattern=r"[A-Za-z0-9._+-]{1,120}")),
        "uv": Key(shape=Text(what="a uv version", pattern=r"[0-9][0-9A-Za-z.+-]{0,40}")),
        "origin": Key(shape=Text(what="a URL", max_chars=2048)),
    }
)
SHAPE = Record(
    keys={
        "format": Key(shape=Text(options=(FORMAT,)), required=True),
        "requires": Key(shape=Seq(item=Text(max_chars=40)), required=True),
        "name": Key(shape=_NAME, required=True),
        "release": Key(shape=Text(max_chars=80), required=True),
        "serial": Key(shape=Whole(minimum=1, maximum=_SERIAL_MAX), required=True),
        "created": Key(shape=_TIME, required=True),
        "expires": Key(shape=_TIME),
        "tool": Key(shape=Text(max_chars=80), required=True),
        "uv": Key(shape=Seq(item=Text(pattern=r"[0-9][0-9A-Za-z.+-]{0,40}"), max_items=32), required=True),
        "platforms": Key(shape=Seq(item=_PLATFORM, max_items=64), required=True),
        "base": Key(shape=Seq(item=BASE, min_items=1, max_items=MAX_BASES), default=()),
        "held": Key(shape=Seq(item=HELD, min_items=1, max_items=MAX_HELD), default=()),
        "block_size": Key(shape=Whole(minimum=MIN_BLOCK_SIZE, maximum=1 << 22, unit="bytes"), required=True),
        "artifacts": Key(shape=Seq(item=_ARTIFACT), required=True),
        "members": Key(shape=Seq(item=_MEMBER), required=True),
    }
)
