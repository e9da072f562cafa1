"""Scanners for `--scan-cmd`, each a few lines of Python, and what the log of a prefix says of them."""

from __future__ import annotations

import json
import shlex
import sys

from bundles import make_bundle

from bundler.offline.scan import ScanCommand

BUNDLE = make_bundle()


def scanner(folder, body):
    """Return a command whose `folder` is what it shall scan."""
    script = folder / "scanner.py"
    lines = ["import os, pathlib, signal, sys, time", "folder = pathlib.Path(sys.argv[1])", *body]
    script.write_text("\n".join(lines) + "\n")
    return ScanCommand.parse(f"{shlex.quote(sys.executable)} {shlex.quote(str(script))} {{}}")


def log(prefix):
    """Return the entries of the log, the latest last."""
    return [json.loads(line) for line in (prefix / "state" / "log.jsonl").read_text().splitlines()]
