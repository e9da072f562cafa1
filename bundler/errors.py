"""The error tree: each class is a category with its exit code (README, "Exit codes").

Core code raises these and never prints; `bundler.commands.output` prints them, once.
A message reads *thing: what is, what was expected*; the hint is the next step.
"""

from __future__ import annotations


class BundlerError(Exception):
    """An expected failure: one clear line, a next step, and an exit code.

    `message` and `hint` may contain text from foreign documents: the command layer makes it printable.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageFault(BundlerError):
    """A wrong command line, or an invalid manifest, lock or configuration."""

    exit_code = 2


class SignatureFault(BundlerError):
    """A signature is missing, invalid, untrusted, revoked, or there are too few of them."""

    exit_code = 3


class IncompleteFault(BundlerError):
    """A volume, or the content of an earlier bundle, is missing."""

    exit_code = 4


class DamagedFault(BundlerError):
    """Something is malformed or truncated, or a digest differs."""

    exit_code = 5


class HostFault(BundlerError):
    """No space, no permission, a read-only or an unsuitable file system."""

    exit_code = 6


class SourceFault(BundlerError):
    """An index or an archive is not reachable, not found, or has the wrong digest upstream."""

    exit_code = 7


class PolicyFault(BundlerError):
    """Refused by policy: an older serial, the wrong name, platform or audience."""

    exit_code = 8


class LockedFault(BundlerError):
    """Another uv-bundler holds the lock."""

    exit_code = 9
