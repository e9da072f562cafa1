"""The manifest, declared once: what reads it, and what its JSON Schema is generated from.

Version 1, as in README, "Manifest". Every key says what it is for: editors show it, and so does the
hint of an error at that key.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from bundler.connected import manifestwords as words
from bundler.connected.yamlshapes import ByKey, Exactly, Quotable
from bundler.core.digest import Digest
from bundler.core.index import NAME_PATTERN
from bundler.core.platforms import COMMON
from bundler.core.shapes import Either, Key, Record, Seq, Text, Whole

MAX_VALID_DAYS: Final = 3660  # ten years; longer is as good as not at all
MAX_PATCHES: Final = 100  # newest patches of one request; no minor version has had 30
MAX_UVS: Final = 32  # as many as an index may name (FORMAT.md, "Index")
MAX_PLATFORMS: Final = 64  # the same
MAX_WISHES: Final = 500  # requests, and builds, in one manifest
_UV = Text(what="a uv version", max_chars=40, parse=words.uv_version)
_REQUEST = Text(
    what="a Python request",
    max_chars=200,
    parse=words.request,
    about="What uv's own --python takes: 3.13, 3.12.7, 3.13t, 3.12+debug, pypy3.11, graalpy, >=3.11,<3.14.",
)
_PLATFORM = Text(
    what="a platform",
    max_chars=60,
    parse=words.platform,
    about="uv's name of a platform, a python-build-standalone triple, or host for this machine.",
)
_SHA256 = Text(what="64 lowercase hexadecimal digits", pattern=r"[0-9a-f]{64}", parse=Digest.parse)
_URL = Text(what="a URL", max_chars=2048, parse=words.url)
_PLATFORM_NAMES = (words.HOST, *COMMON)

_WISH = Record(
    about="A request with more to say than its text.",
    keys={
        "request": Key(
            shape=Quotable(shape=_REQUEST, examples=("3.13", "3.12.7", "pypy3.11")), required=True
        ),
        "patches": Key(
            shape=Whole(
                minimum=1,
                maximum=MAX_PATCHES,
                about="How many of the newest patch releases of each minor version to carry. Default: 1.",
            ),
            default=1,
        ),
        "sha256": Key(
            shape=Quotable(
                shape=replace(
                    _SHA256,
                    about="The digest that the archive must have; needed where uv's own list has none. "
                    "Only with an exact version and one platform.",
                )
            )
        ),
    },
)
_SOURCES = Record(
    about="Where artifacts come from. Left out: the public places.",
    keys={
        "index": Key(
            shape=replace(
                _URL,
                about="A package index that has uv: PEP 691 JSON, PEP 503 HTML, or a file:// directory. "
                "Default: UV_DEFAULT_INDEX, or pip's configuration, or the public Python package index.",
            )
        ),
        "pythons": Key(
            shape=Quotable(
                shape=Either(
                    kinds=((str, _URL), (list, Seq(item=_URL, min_items=1, max_items=16))),
                    what="a URL or a list of URLs",
                    about="What stands in for https://github.com/astral-sh/python-build-standalone/releases/"
                    "download: one mirror, or several that are tried in order; http(s):// or file://.",
                )
            ),
            default=(),
        ),
    },
)
_OWN_ARCHIVE = Record(
    about="A ready-made archive, carried byte for byte.",
    keys={
        "archive": Key(
            shape=Text(
                what="a path",
                max_chars=1024,
                parse=words.archive,
                about="The .tar.gz, .tgz, .tar.zst, .tar or .zip, relative to the manifest or absolute.",
            ),
            required=True,
        ),
        "version": Key(
            shape=Quotable(
                shape=Text(
                    what="an exact Python version such as 3.13.5",
                    pattern=r"[0-9]{1,2}\.[0-9]{1,3}\.[0-9]{1,3}(?:(?:a|b|rc)[0-9]{1,2})?",
                    about="The Python version in it, exact, with its pre-release: 3.13.5, 3.15.0a1.",
                )
            ),
            required=True,
        ),
        "platform": Key(shape=Quotable(shape=_PLATFORM, examples=_PLATFORM_NAMES), required=True),
        "sha256": Key(
            shape=Quotable(shape=replace(_SHA256, about="The digest that the file must have. Default: any."))
        ),
        "implementation": Key(
            shape=Text(
                options=("cpython", "pypy", "graalpy"), about="What kind of Python it is. Default: cpython."
            ),
            default="cpython",
        ),
        "variant": Key(
            shape=Text(
                options=("freethreaded", "debug", "freethreaded+debug"),
                about="How it was built, in uv's words. Default: the ordinary way.",
            )
        ),
    },
)
_OWN_PREFIX = Record(
    about="An installed interpreter, archived by uv-bundler and proved by running it.",
    keys={
        "path": Key(
            shape=Text(
                what="a path",
                max_chars=1024,
                parse=words.path,
                about="The folder that holds its bin and lib, relative to the manifest or absolute.",
            ),
            required=True,
        ),
        "platform": Key(shape=Quotable(shape=_PLATFORM, examples=_PLATFORM_NAMES), default=None),
    },
)
SHAPE = Record(
    about="What a bundle of uv and Python interpreters is to hold.",
    keys={
        "version": Key(
            shape=Exactly(
                value=1,
                hint="write `version: 1`; for a higher one install a newer uv-bundler",
                about="The version of this file's form.",
            ),
            required=True,
        ),
        "name": Key(
            shape=Quotable(
                shape=Text(
                    what="a name of a-z, 0-9 and -, at most 40 characters",
                    max_chars=40,
                    pattern=NAME_PATTERN,
                    about="What these bundles are called. A host takes updates only under the name it knows.",
                )
            ),
            required=True,
        ),
        "release": Key(
            shape=Quotable(
                shape=Text(
                    what="a label of 1 to 80 characters",
                    pattern=r"[^\x00-\x20\x7f][^\x00-\x1f\x7f]{0,79}",
                    max_chars=80,
                    parse=words.release,
                    about="A label for people, such as 2026Q4. It orders nothing.",
                )
            ),
            required=True,
        ),
        "serial": Key(
            shape=Whole(
                minimum=1,
                maximum=2**53 - 1,
                about="The number that only grows, so that a host knows an old bundle. Default: the UTC "
                "time of packing, YYYYMMDDhhmmss.",
            )
        ),
        "valid_days": Key(
            shape=Whole(
                minimum=1,
                maximum=MAX_VALID_DAYS,
                unit="days",
                about="For how many days after packing the bundle should be unpacked. Hosts warn after that, "
                "or refuse it where their trust document says so. Default: it never expires.",
            )
        ),
        "uv": Key(
            shape=Quotable(
                shape=Either(
                    kinds=((str, _UV), (list, Seq(item=Quotable(shape=_UV), min_items=1, max_items=MAX_UVS))),
                    what="a uv version or a list of them",
                    about='The uv to carry: an exact version such as "0.13.8", latest, or a list of these.',
                ),
                examples=(words.LATEST,),
            ),
            required=True,
        ),
        "pythons": Key(
            shape=Seq(
                item=Quotable(
                    shape=Either(
                        kinds=((str, _REQUEST), (dict, _WISH)),
                        what="a Python request, or a mapping with the key request",
                        about="A request in uv's own syntax, or a mapping with request, patches, sha256.",
                    ),
                    examples=("3.13", "3.12.7", "3.13t", "pypy3.11"),
                ),
                max_items=MAX_WISHES,
                about="The Pythons to carry. May be left out where there are builds.",
            ),
            default=(),
        ),
        "platforms": Key(
            shape=Seq(
                item=Quotable(shape=_PLATFORM, examples=_PLATFORM_NAMES),
                min_items=1,
                max_items=MAX_PLATFORMS,
                about="Where the bundle is meant to run: every Python and every uv is carried for each.",
            ),
            required=True,
        ),
        "sources": Key(shape=_SOURCES, default=None),
        "builds": Key(
            shape=Seq(
                item=ByKey(
                    records={"archive": _OWN_ARCHIVE, "path": _OWN_PREFIX},
                    about="One interpreter of your own: archive (ready-made) or path (an installed one).",
                ),
                max_items=MAX_WISHES,
                about="Interpreters of your own, beside pythons or in their place.",
            ),
            default=(),
        ),
    },
)
