"""The shape of a lock, declared once: what `bundler.connected.lock` reads."""

from __future__ import annotations

from typing import Final

from packaging.version import InvalidVersion, Version

from bundler.connected.pyrequest import PythonRequest
from bundler.core.digest import Digest
from bundler.core.fault import Fault
from bundler.core.names import portable_path
from bundler.core.platforms import Platform
from bundler.core.shapes import Either, Key, Nothing, Record, Seq, Shape, Text, Whole

VERSION: Final = 1


def _parse_key(text: str) -> PythonRequest:
    key = PythonRequest.parse(text)
    whole = key.implementation and key.os and key.arch and key.libc and not key.specifiers
    if not whole or len(key.release) + bool(key.prerelease) < 3:
        raise Fault(f"expected a whole installation key, found {text!r}")
    return key


def _parse_file(text: str) -> str:
    if "/" in portable_path(text):
        raise Fault(f"expected a file name, found {text!r}")
    return text


def _parse_version(text: str) -> str:
    try:
        return str(Version(text))
    except InvalidVersion:
        raise Fault(f"expected a version of uv, found {text!r}") from None


def _maybe(shape: Shape, kind: type, what: str) -> Key:
    either = Either(kinds=((kind, shape), (type(None), Nothing())), what=f"{what} or null")
    return Key(shape=either, required=True)


def _all(keys: dict[str, Key]) -> Key:
    return Key(shape=Seq(item=Record(keys=keys)), required=True)


_TEXT, _SIZE = Text(), Whole(unit="bytes")
_DIGEST = Key(shape=Text(what="a sha256", parse=Digest.parse), required=True)
_VERSION = Text(what="a version of uv", max_chars=40, parse=_parse_version)
_PLATFORM = Text(what="a platform", max_chars=60, parse=Platform.parse)
_URL = Text(what="an https:// URL without user name", pattern=r"https?://[^\s\\<>\"@]+")
_FILE = {
    "file": Key(shape=Text(what="a file name", parse=_parse_file), required=True),
    "sha256": _DIGEST,
    "size": _maybe(_SIZE, int, "a size"),
}
_ROW = {
    "key": Key(shape=Text(what="an installation key", parse=_parse_key), required=True),
    "sha256": _DIGEST,
    "build": _maybe(_TEXT, str, "a build"),
}
SHAPE: Final = Record(
    keys={
        "version": Key(shape=Whole(minimum=VERSION, maximum=VERSION), required=True),
        "name": Key(shape=_TEXT, required=True),
        "manifest": _DIGEST,
        "index": _maybe(_TEXT, str, "a URL"),
        "uv": Key(shape=Seq(item=_VERSION, min_items=1), required=True),
        "latest": _maybe(_VERSION, str, "a version of uv"),
        "platforms": Key(shape=Seq(item=_PLATFORM, min_items=1), required=True),
        "list": _maybe(Record(keys=_FILE), dict, "a file"),
        "pythons": _all(
            {
                **_ROW,
                "url": Key(shape=_URL, required=True),
                "size": _FILE["size"],
                "requests": Key(shape=Seq(item=_TEXT), required=True),
            }
        ),
        "wheels": _all(
            {
                "uv": Key(shape=_VERSION, required=True),
                "platform": Key(shape=_PLATFORM, required=True),
                **_FILE,
            }
        ),
        "builds": _all(
            {
                **_ROW,
                **_FILE,
                "size": Key(shape=_SIZE, required=True),
                "source": Key(shape=_TEXT, required=True),
            }
        ),
    }
)
