"""The encoders that recipes name (FORMAT.md §15): for each the reference, and a shortcut where one works.

The reference decides what a name means. A shortcut is native code that is believed to give the same bytes;
it is handed out only where it encodes a canary, content made up here, to the digest that the reference gives.
"""

from __future__ import annotations

import hashlib
import zlib
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Encoder(Protocol):
    """One raw deflate stream in the making (RFC 1951); how the content is cut into pieces does not matter."""

    def feed(self, data: bytes) -> bytes:
        """Take more content; return what is encoded by now."""

    def finish(self) -> bytes:
        """Return the rest of the stream."""


class _Zlib:
    """Python's own zlib, whichever that is, fed as if all content came in one call.

    zlib moves its window a byte earlier where a piece of input ended at just the wrong place, and then misses
    a match at its longest distance. Pieces that are a multiple of the window never end there.
    """

    def __init__(self, *, level: int, mem_level: int) -> None:
        self._state = zlib.compressobj(level, zlib.DEFLATED, -15, mem_level)
        self._rest = bytearray()

    def feed(self, data: bytes) -> bytes:
        self._rest += data
        whole = len(self._rest) & -_WINDOW
        if not whole:
            return b""
        out = self._state.compress(bytes(self._rest[:whole]))
        del self._rest[:whole]
        return out

    def finish(self) -> bytes:
        return self._state.compress(bytes(self._rest)) + self._state.flush()


_WINDOW: Final = 32 << 10  # bytes
ZLIB_NAMES: Final = tuple(f"zlib-{level}-{memory}" for memory in (8, 9) for level in range(1, 10))
MEDIUM_NAMES: Final = ("medium-16", "medium-17")
NAMES: Final = ("miniz-6", *MEDIUM_NAMES, *ZLIB_NAMES)
WHEELS: Final = {"miniz-6": "cramjam", "medium-16": "zlib-ng", "medium-17": "zlib-ng"}
TITLES: Final = {
    "miniz-6": "miniz_oxide",
    "medium-16": "zlib-rs 0.6.3",
    "medium-17": "zlib-rs 0.5.2",
}


def title(name: str) -> str:
    """Return what people call the encoder: `zlib-rs 0.5.2`, `zlib level 6`."""
    if name in TITLES:
        return TITLES[name]
    _, level, memory = name.split("-")
    return f"zlib level {level}" + (f", memLevel {memory}" if memory != "8" else "")


def reference(name: str) -> Encoder:
    """Return a new encoder in pure Python, which defines what `name` means."""
    if name == "miniz-6":
        from bundler.deflate.miniz import MinizEncoder

        return MinizEncoder(level=6)
    if name in MEDIUM_NAMES:
        from bundler.deflate.medium import MediumEncoder

        return MediumEncoder(max_lazy=int(name[-2:]))
    from bundler.deflate.classic import ClassicEncoder

    _, level, memory = name.split("-")
    return ClassicEncoder(level=int(level), mem_level=int(memory))


def native(name: str) -> Encoder | None:
    """Return a new encoder that is faster by far, or None where none encodes as the reference does."""
    make = _shortcut(name)
    return make() if make else None


def why_not_native(name: str) -> str | None:
    """Return why there is no shortcut for `name`, or None where there is one."""
    if _shortcut(name):
        return None
    make = _maker(name)
    return make if isinstance(make, str) else "what is installed encodes differently"


@cache
def _shortcut(name: str) -> Callable[[], Encoder] | None:
    make = _maker(name)
    if isinstance(make, str):
        return None
    try:
        right = _encoded(make()) == CANARIES[name]
    except Exception:  # noqa: BLE001  # foreign code that fails on the canary is not used
        return None
    return make if right else None


def _maker(name: str) -> Callable[[], Encoder] | str:
    """Return what makes a shortcut, or why there is none."""
    if name == "miniz-6":
        from bundler.deflate import nativeminiz

        return nativeminiz.available() or (lambda: nativeminiz.NativeMinizEncoder(level=6))
    if name in MEDIUM_NAMES:
        from bundler.deflate import nativeng

        return nativeng.available() or (lambda: nativeng.NativeMediumEncoder(max_lazy=int(name[-2:])))
    _, level, memory = name.split("-")
    return lambda: _Zlib(level=int(level), mem_level=int(memory))


def canary() -> bytes:
    """Return content on which encoders differ: repeats near and far, long and short, in a tar."""
    text, word = bytearray(b"uv-bundler"), 1
    while len(text) < 80_000:
        word = (word * 6364136223846793005 + 1442695040888963407) % 2**64
        kind, far, length = word >> 61, word >> 40 & 0x7FFF, word >> 30 & 0x3FF
        if kind < 4:
            text += b"%x" % (word >> 44)
        else:  # a repeat of up to 1023 bytes, or of 255 to 258
            begin = max(0, len(text) - far - 1)
            text += text[begin : begin + (length if kind < 6 else 255 + length % 4)]
    header = b"canary".ljust(124, b"\0") + b"%011o\0" % len(text)
    return header.ljust(512, b"\0") + text + bytes(-len(text) % 512) + bytes(1024)


def _encoded(encoder: Encoder) -> str:
    return hashlib.sha256(encoder.feed(canary()) + encoder.finish()).hexdigest()


# sha256 of the canary as the reference encodes it; tests/test_deflate_catalog.py makes them anew.
CANARIES: Final = {
    "miniz-6": "6e6cc05d160f4c7f5a4fdc491ae7e5f8b994f42f6ead511c823651d3dc4684ba",
    "medium-16": "ab8f8762da007e777bb802b974e81c39a63802e9c907014e2226605589f95f3b",
    "medium-17": "a8f00ff0b0f45a99eac979edac89f2ac4969ab0e458621a7b05a6091150b07c2",
    "zlib-1-8": "647287600e37fd9b0de8b75c22f7948cb5bcbb09d5b63f8f75f381aa082e95ff",
    "zlib-2-8": "4f05ec4a5ea81d14a6bd98d26fc867bf64c10bbf943672fcee70b3fa36011b4b",
    "zlib-3-8": "eac25d9f3509e8d48b309d01a57b48b880d15fdb7b99904f7e03bf29a4a9cad7",
    "zlib-4-8": "94da7d19001f245243134d3247701f3918e69114bce632dd493d8b3ce5127884",
    "zlib-5-8": "2ec546ebc84f9b3aeb96d16fb8f747d64529b8440710bb825797c55a10175689",
    "zlib-6-8": "33f598f60c6f44b03a62fd64db4bf072af8ba7ecc17143dff516375bbd60fa30",
    "zlib-7-8": "5c347cddd7246c94ddc68899b03cda2f479884b86e2ad9f82cbe76325dcc51ef",
    "zlib-8-8": "90db9777d50b106cd5938fc752ed3302a7ecfca6e34ceed68c040c546d22521c",
    "zlib-9-8": "c987e10b3e99346c31133224e756169bdc48b4468af5915d6564bbb08bd793e4",
    "zlib-1-9": "895cabc03dd97f05adc8b797c3cfc13028b2ca479500895d9c8445dba75d1c05",
    "zlib-2-9": "80a872e7c7e2a709815fc604b7d78d476f8e6e1ab2076fc018587b18b532d3e7",
    "zlib-3-9": "eac25d9f3509e8d48b309d01a57b48b880d15fdb7b99904f7e03bf29a4a9cad7",
    "zlib-4-9": "b34cb5bbfe30454cb327b4fe1c3651e36a8409b5fd6bad6f8d9ab728aec30c68",
    "zlib-5-9": "cec31621a503b443a7a97553c40c4974ef40487a167847cc4e0716f1e947ded8",
    "zlib-6-9": "4bcb2416209b7803f3e7b0e0de863cfd5d9f621b18b418ef127d6ea62ed7cbd4",
    "zlib-7-9": "6d96a31adaa6c01b39c6662a748fc46952a11caf1311d378919277d5fd6107a6",
    "zlib-8-9": "90db9777d50b106cd5938fc752ed3302a7ecfca6e34ceed68c040c546d22521c",
    "zlib-9-9": "c987e10b3e99346c31133224e756169bdc48b4468af5915d6564bbb08bd793e4",
}
