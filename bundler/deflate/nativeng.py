"""The zlib-rs-era encoder by the zlib-ng that the wheel `zlib-ng` brings along: fast, where it can be had.

The wheel's Python interface compresses with other buffers than the archives' makers did, so its C functions
are called instead (zlib-ng.h, the native interface). Where the wheel is missing or hides them, as on Windows,
and for a future release that encodes differently, `bundler.deflate.medium` gives the same bytes; what is
written here is worth something only when a digest has confirmed it.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from importlib.util import find_spec

from bundler.deflate.tarwrites import TarWrites

_OK, _STREAM_END = 0, 1
_NO_FLUSH, _FINISH = 0, 4
_LEVEL, _DEFLATED, _RAW, _MEMORY, _DEFAULT_STRATEGY = 6, 8, -15, 8, 0
_GOOD, _NICE, _CHAIN = 8, 128, 128  # level 6 of zlib-ng 2.1 to 2.3
_OUTPUT = 32768  # the buffer of flate2's writers


class Unavailable(Exception):
    """An encoder does not work here; the message says why."""


class _Stream(ctypes.Structure):
    """`zng_stream`; the names of zlib-ng.h."""

    _fields_ = (
        ("next_in", ctypes.c_void_p),
        ("avail_in", ctypes.c_uint32),
        ("total_in", ctypes.c_size_t),
        ("next_out", ctypes.c_void_p),
        ("avail_out", ctypes.c_uint32),
        ("total_out", ctypes.c_size_t),
        ("msg", ctypes.c_char_p),
        ("state", ctypes.c_void_p),
        ("zalloc", ctypes.c_void_p),
        ("zfree", ctypes.c_void_p),
        ("opaque", ctypes.c_void_p),
        ("data_type", ctypes.c_int),
        ("adler", ctypes.c_uint32),
        ("reserved", ctypes.c_ulong),
    )


@cache
def _library() -> ctypes.CDLL | str:
    """Return the wheel's library, or the reason why it cannot be used."""
    try:
        spec = find_spec("zlib_ng.zlib_ng")
    except ImportError:
        spec = None
    if spec is None or spec.origin is None:
        return "the wheel zlib-ng is not installed"
    integer, stream = ctypes.c_int32, ctypes.POINTER(_Stream)
    try:
        library = ctypes.CDLL(spec.origin)  # its calls release the interpreter's lock
        library.zng_deflateInit2.argtypes = [stream, *[integer] * 5]
        library.zng_deflateTune.argtypes = [stream, *[integer] * 4]
        library.zng_deflate.argtypes = [stream, integer]
        library.zng_deflateEnd.argtypes = [stream]
        library.zlibng_version.restype = ctypes.c_char_p
    except (OSError, AttributeError) as error:
        return f"the wheel zlib-ng offers no zng_deflate to C on {sys.platform}: {error}"
    if not library.zlibng_version().startswith(b"2."):  # another one may have another struct
        return f"expected version 2 of zlib-ng in the wheel, found {library.zlibng_version().decode()}"
    return library


def available() -> str | None:
    """Return None where this encoder works, else why it does not."""
    library = _library()
    return library if isinstance(library, str) else None


class NativeMediumEncoder:
    """Raw deflate of tars as flate2 with zlib-rs writes it at level 6, by zlib-ng.

    `max_lazy` is 17 for zlib-rs 0.5.2 and 16 for 0.6.3. Raises `Unavailable` where there is no library, and
    when it says that something went wrong, which it has no reason for but a lack of memory.
    """

    def __init__(self, *, max_lazy: int = 16) -> None:
        library = _library()
        if isinstance(library, str):
            raise Unavailable(library)
        self._library = library
        self._writes = TarWrites()
        self._rest = b""  # of a write that has not ended
        self._stream = _Stream()
        self._open = False
        self._buffer = ctypes.create_string_buffer(_OUTPUT)
        self._check(
            "zng_deflateInit2",
            library.zng_deflateInit2(self._stream, _LEVEL, _DEFLATED, _RAW, _MEMORY, _DEFAULT_STRATEGY),
        )
        self._open = True
        self._check("zng_deflateTune", library.zng_deflateTune(self._stream, _GOOD, max_lazy, _NICE, _CHAIN))

    def __del__(self) -> None:
        if getattr(self, "_open", False):
            self._library.zng_deflateEnd(self._stream)

    def feed(self, data: bytes | memoryview) -> bytes:
        """Take more of the tar, in pieces of any size; return what is ready of the output."""
        data = bytes(data)
        sizes = self._writes.feed(data)
        data = self._rest + data
        out: list[bytes] = []
        end = self._deflate(data, sizes, out)
        self._rest = data[end:]
        return b"".join(out)

    def finish(self) -> bytes:
        """Return the rest of the output; nothing may be fed after that."""
        out: list[bytes] = []
        self._deflate(self._rest, self._writes.finish(), out)
        self._stream.next_in = None
        code = _OK
        while code != _STREAM_END:
            code = self._call(_FINISH, out)
        self._open = False
        self._check("zng_deflateEnd", self._library.zng_deflateEnd(self._stream))
        return b"".join(out)

    def _deflate(self, data: bytes, sizes: list[int], out: list[bytes]) -> int:
        """Compress the writes at the begin of `data`; return where they end."""
        stream = self._stream
        begin = at = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
        for size in sizes:
            stream.next_in, stream.avail_in = at, size
            while stream.avail_in:
                self._call(_NO_FLUSH, out)
            at += size
        return at - begin

    def _call(self, flush: int, out: list[bytes]) -> int:
        """Call `zng_deflate` with an empty output buffer, as flate2 does."""
        stream, buffer = self._stream, self._buffer
        stream.next_out, stream.avail_out = ctypes.addressof(buffer), _OUTPUT
        before = stream.avail_in
        code: int = self._library.zng_deflate(stream, flush)
        if code != _STREAM_END or flush != _FINISH:
            self._check("zng_deflate", code)
            if stream.avail_out == _OUTPUT and stream.avail_in == before:
                raise Unavailable("zlib-ng: zng_deflate neither reads nor writes")
        if stream.avail_out != _OUTPUT:
            out.append(ctypes.string_at(buffer, _OUTPUT - stream.avail_out))
        return code

    @staticmethod
    def _check(name: str, code: int) -> None:
        if code != _OK:
            raise Unavailable(f"zlib-ng: {name} returned {code}, expected {_OK}")
