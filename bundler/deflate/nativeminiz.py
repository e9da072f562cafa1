"""The bytes of `bundler.deflate.miniz` by `cramjam`: at the speed of Rust, in bounded memory, in a thread.

cramjam may become another encoder with any release. Whoever uses this checks a digest of what came out.

cramjam's `Compressor` keeps all output until its end, and the lock of the interpreter while it works. Its
`compress_into` does neither, but it reads and writes `File`s of its own, opened by path, for reading and
writing both: a pipe that is opened so never ends. So an empty file is opened, and its descriptor is then made
the end of a pipe. Where there are no such descriptors (Windows), the `Compressor` has to do.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import weakref
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bundler.deflate.miniz import MinizEncoder

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEVELS = range(2, 11)  # those that the reference has, too
_CANARY = b"".join(b"%d\n" % (n * n % 1009) for n in range(1500))
_PIECE: Final = 1 << 16  # bytes read or written at once, and what a pipe of Linux holds


def available() -> str | None:
    """Return why this encoder cannot be used here; None where it encodes a few KiB as the reference does."""
    try:
        name = f"cramjam {_cramjam().__version__}"
    except (ImportError, AttributeError) as error:
        return f"cramjam cannot be imported: {error}"
    try:
        native = NativeMinizEncoder()
        found = native.feed(_CANARY) + native.finish()
    except (AttributeError, OSError, TypeError, ValueError) as error:
        return f"{name} cannot be used: {error}"
    reference = MinizEncoder()
    if found != reference.feed(_CANARY) + reference.finish():
        return f"{name} does not encode as miniz_oxide 0.7 and 0.8 do"
    return None


def _cramjam() -> Any:
    return import_module("cramjam")


class NativeMinizEncoder:
    """A raw deflate stream at `level` 2 to 10; the output does not depend on how the input is cut.

    Holds two pipes and a thread; on Windows, all its output until `finish`. Raises `ValueError` for another
    level, `ImportError` where there is no cramjam, `OSError` where no pipe or temporary file can be had.
    """

    def __init__(self, *, level: int = 6) -> None:
        if level not in _LEVELS:
            raise ValueError(f"level of miniz: found {level}, expected 2 to 10")
        self._way = _Held(level) if os.name == "nt" else _Piped(level)

    def feed(self, data: bytes | memoryview) -> bytes:
        """Return what is ready by now; the encoder may still be busy with the end of `data`."""
        return self._way.feed(data)

    def finish(self) -> bytes:
        """Return the rest of the stream."""
        return self._way.finish()


class _Held:
    """cramjam's own compressor."""

    def __init__(self, level: int) -> None:
        self._compressor = _cramjam().deflate.Compressor(level)

    def feed(self, data: bytes | memoryview) -> bytes:
        self._compressor.compress(bytes(data))
        return b""

    def finish(self) -> bytes:
        return bytes(self._compressor.finish())


class _Piped:
    """cramjam between two pipes, in a thread that has the interpreter's lock only where it begins and ends.

    An encoder that is given up before `finish` closes its ends of the pipes, and so the thread ends.
    """

    def __init__(self, level: int) -> None:
        self._failure: list[str] = []
        source, own_input = os.pipe()
        self._input, self._close_input = own_input, weakref.finalize(self, os.close, own_input)
        with contextlib.closing(_End(source)) as far_source:
            own_output, target = os.pipe()
            self._output, self._close_output = own_output, weakref.finalize(self, os.close, own_output)
            with contextlib.closing(_End(target)) as far_target:
                files = [far_source.file(), far_target.file()]
        os.set_blocking(own_input, False)
        self._thread = threading.Thread(target=_run, args=(files, level, self._failure), daemon=True)
        self._thread.start()

    def feed(self, data: bytes | memoryview) -> bytes:
        from select import POLLIN, POLLOUT, poll

        left, found, ends = memoryview(data), [], poll()
        ends.register(self._output, POLLIN)
        ends.register(self._input, POLLOUT)
        while left:
            ready = dict(ends.poll())
            if self._output in ready:
                found.append(self._read())
                if not found[-1]:
                    self._end()
                    raise OSError("cramjam: ended before its input")
            if ready.get(self._input) == POLLOUT:
                left = left[os.write(self._input, left[:_PIECE]) :]
        return b"".join(found)

    def finish(self) -> bytes:
        self._close_input()
        found = b"".join(iter(self._read, b""))
        self._end()
        return found

    def _read(self) -> bytes:
        return os.read(self._output, _PIECE)

    def _end(self) -> None:
        self._close_input()
        self._close_output()
        self._thread.join()
        if self._failure:
            raise OSError(f"cramjam: {self._failure[0]}")


class _End:
    """The end of a pipe that cramjam shall have."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def close(self) -> None:
        os.close(self._descriptor)

    def file(self) -> Any:
        """Return cramjam's `File` of this end, which it owns and closes."""
        with _empty_file() as (own, name):
            file = _cramjam().File(name)
            os.dup2(self._descriptor, _other(own), inheritable=False)
        return file


@contextlib.contextmanager
def _empty_file() -> Iterator[tuple[int, str]]:
    """Give the descriptor and a path of an empty file: one in memory, where the system has such."""
    if hasattr(os, "memfd_create"):
        own = os.memfd_create("uv-bundler")
        try:
            yield own, f"/proc/self/fd/{own}"
        finally:
            os.close(own)
        return
    own, name = tempfile.mkstemp()
    try:
        yield own, name
    finally:
        os.close(own)
        Path(name).unlink()


def _other(descriptor: int) -> int:
    """Return the descriptor that somebody else in this process has of the same file."""
    wanted = os.fstat(descriptor)
    for name in os.listdir("/dev/fd"):  # noqa: PTH208  # a name is the number that is wanted
        with contextlib.suppress(OSError):  # that of the listing is closed by now
            if int(name) != descriptor and os.path.samestat(os.fstat(int(name)), wanted):
                return int(name)
    raise OSError("/dev/fd: expected the descriptor of a file that cramjam opened, found none")


def _run(files: list[Any], level: int, failure: list[str]) -> None:
    source, target = files
    files.clear()  # what is left are our own names, so both are closed when this returns
    try:
        _cramjam().deflate.compress_into(source, target, level=level)
    except Exception as error:  # noqa: BLE001  # a CompressionError, whose base differs between releases
        failure.append(str(error))
