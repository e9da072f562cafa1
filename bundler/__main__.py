"""`uv-bundler` and `python -m bundler`."""

from __future__ import annotations


def main() -> None:
    """Run the command line; ends the process with an exit code of the README's table."""
    from bundler.commands.app import app

    app(prog_name="uv-bundler")


if __name__ == "__main__":
    main()
