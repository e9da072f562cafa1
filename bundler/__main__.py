"""`uv-bundler` and `python -m bundler`."""

from __future__ import annotations


def main() -> None:
    """Run the command line; ends the process with an exit code of the README's table."""
    try:
        from bundler.commands.app import app
    except KeyboardInterrupt:  # too early for the error boundary, which lives in there
        raise SystemExit(130) from None
    app(prog_name="uv-bundler")


if __name__ == "__main__":
    main()
