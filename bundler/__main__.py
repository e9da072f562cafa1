"""`uv-bundler` and `python -m bundler`."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command line; ends the process with an exit code of the README's table."""
    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        if hasattr(signal, name):
            # An orderly end: what is half-written is removed on the way out, as with Ctrl-C.
            signal.signal(getattr(signal, name), lambda number, _: sys.exit(128 + number))
    try:
        from bundler.commands.app import app
    except KeyboardInterrupt:  # too early for the error boundary, which lives in there
        raise SystemExit(130) from None
    app(prog_name="uv-bundler")


if __name__ == "__main__":
    main()
