"""A process cut off at any of its calls that change the disk."""

from __future__ import annotations

import functools
import os

import pytest

# Calls that change a disk. A process that was killed makes none of them any more, so neither do its `finally` blocks.
DISK_CALLS = (
    "open",
    "write",
    "fsync",
    "mkdir",
    "rename",
    "replace",
    "link",
    "symlink",
    "unlink",
    "rmdir",
    "chmod",
    "fchmod",
)


class KilledError(BaseException):
    """The process is gone."""


class _Power:
    """Counts the calls that change the disk; from call `at` on, each raises instead of being made."""

    def __init__(self, at: int) -> None:
        self.left = at

    def guard(self, name):
        call = getattr(os, name)

        @functools.wraps(call)
        def counted(*args, **kwargs):
            if name == "open" and not (args[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
                return call(*args, **kwargs)
            self.left -= 1
            if self.left < 0:
                raise KilledError
            return call(*args, **kwargs)

        return counted


def with_power(at: int, do):
    """Run `do`, cutting it off at its `at`-th call that changes the disk; tell whether it ended by itself."""
    power = _Power(at)
    with pytest.MonkeyPatch.context() as patch:
        for name in DISK_CALLS:
            patch.setattr(os, name, power.guard(name))
        try:
            do()
        except KilledError:
            return False
        return power.left >= 0
