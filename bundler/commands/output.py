"""What reaches a person: the one error boundary, and lines on stderr.

Rules: stdout carries data only, and nothing on failure. Everything else goes to stderr, prefixed
`uv-bundler:`, lower case, no full stop. Foreign text is made printable here and nowhere else.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from bundler.core.text import printable
from bundler.errors import BundlerError

_INTERRUPTED = 130  # the shell's code for a process ended by Ctrl-C


def say(line: str) -> None:
    """Tell a person one thing, on stderr."""
    print(f"uv-bundler: {printable(line)}", file=sys.stderr, flush=True)


def emit(text: str) -> None:
    """Write data to stdout, as it is; called once a command has succeeded."""
    sys.stdout.write(text)
    sys.stdout.flush()


class Boundary(TyperGroup):
    """The group of all commands: the one place where an error becomes a line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an expected error ends as its line, its hint and its exit code."""
        try:
            return super().invoke(ctx)
        except BundlerError as error:
            say(f"error: {error.message}")
            if error.hint:
                say(f"next: {error.hint}")
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            say("stopped; nothing half-done is left visible")
            raise typer.Exit(_INTERRUPTED) from None
        except BrokenPipeError:
            # The reader of stdout went away: its choice. Python must not complain again on exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if type(error).__module__.startswith(("typer", "click")):
                raise
            say(f"error: this is a bug: {type(error).__name__}: {error}")
            say("next: run the command again with UV_BUNDLER_DEBUG=1 and report what it prints")
            if os.environ.get("UV_BUNDLER_DEBUG"):
                traceback.print_exc()
            raise typer.Exit(1) from None


def is_terminal() -> bool:
    """Tell whether a person can answer: both ends of the dialogue are a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask_secret(prompt: str) -> str:
    """Ask for a passphrase on the terminal, without echo."""
    import getpass

    return getpass.getpass(f"uv-bundler: {printable(prompt)}: ", stream=sys.stderr)


def confirm(question: str) -> bool:
    """Ask a yes-or-no question on the terminal; anything but y or yes is a no."""
    print(f"uv-bundler: {printable(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
