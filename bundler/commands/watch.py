"""How far a long command is: a bar on a terminal, a line now and then in a log, nothing when asked."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from bundler.commands.output import say
from bundler.core.progress import Progress, Silent
from bundler.core.text import duration, printable, size

if TYPE_CHECKING:
    from types import TracebackType

_EVERY = 5.0  # seconds between two lines in a log


def watch(*, quiet: bool) -> Watch:
    """Return the progress that fits: silent when asked, a bar on a terminal, lines elsewhere."""
    if quiet:
        return Watch(Silent())
    return Watch(_Bar() if sys.stderr.isatty() else _Lines())


class Watch:
    """A progress for a `with` block, so that a bar is closed before an error line is printed."""

    def __init__(self, inner: Progress) -> None:
        self._inner = inner

    def __enter__(self) -> Progress:
        return self._inner

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(self._inner, _Bar):
            self._inner.close()


class _Bar:
    """A tqdm bar a stage."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._lock = threading.Lock()

    def stage(self, label: str, total: int | None) -> None:
        from tqdm import tqdm

        with self._lock:
            self.close()
            self._bar = tqdm(
                total=total,
                desc=f"uv-bundler: {printable(label)}",
                unit="B",
                unit_scale=True,
                unit_divisor=1024,
                leave=False,
            )

    def advance(self, count: int) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.update(count)

    def note(self, line: str) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.clear()
            say(line)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class _Lines:
    """A plain line every few seconds: `verify 31 % 1.2 GiB of 4.0 GiB, 84.0 MiB/s, 35 s left`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._label, self._total, self._done = "", 0, 0
        self._begun = self._said = time.monotonic()

    def stage(self, label: str, total: int | None) -> None:
        with self._lock:
            self._label, self._total, self._done = label, total or 0, 0
            self._begun = self._said = time.monotonic()

    def advance(self, count: int) -> None:
        with self._lock:
            self._done += count
            now = time.monotonic()
            if now - self._said >= _EVERY:
                self._said = now
                say(self._line(now - self._begun))

    def note(self, line: str) -> None:
        say(line)

    def _line(self, elapsed: float) -> str:
        rate = self._done / elapsed
        if not self._total:
            return f"{self._label} {size(self._done)}, {size(int(rate))}/s"
        done = f"{self._label} {100 * self._done // self._total} % {size(self._done)} of {size(self._total)}"
        if not self._done:
            return done
        left = max(0, self._total - self._done) / rate
        return f"{done}, {size(int(rate))}/s, {duration(left)} left"
