"""Interpreters that are made up: a script that answers as one, and the description of one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from bundler.connected.interpreter import Interpreter
from bundler.core.platforms import Platform

ANSWER = {
    "implementation": "cpython",
    "version": [3, 13, 5, "final", 0],
    "platform": "linux",
    "machine": "x86_64",
    "bits": 64,
    "glibc": True,
    "freethreaded": False,
    "debug": False,
    "executable": "/p/bin/python3.13",
    "prefix": "/p",
    "base_prefix": "/p",
    "stdlib": "/p/lib/python3.13",
    "platlibdir": "lib",
    "include": "/p/include/python3.13",
    "multiarch": "",
    "libdir": "/p/lib",
    "libpython": "",
    "path": [],
    "able": [],
    "unable": [],
    "mapped": [],
}


def stand_in(folder, *, code=0, **changes):
    """Write a program that answers as an interpreter does, with these changes, and return it."""
    (folder / "bin").mkdir()
    program = folder / "bin" / "python3"
    said = "uv-bundler:" + json.dumps({**ANSWER, **changes})
    program.write_text(f"#!/bin/sh\ncat <<'END'\nsome noise\n{said}\nEND\nexit {code}\n")
    program.chmod(0o755)
    return program


def interpreter(root, **changes):
    """Return what an interpreter whose prefix is `root` says of itself, with these changes."""
    python = Interpreter(
        implementation="cpython",
        version=(3, 13, 5),
        prerelease="",
        variant="",
        platform=Platform.parse("linux-x86_64-gnu"),
        executable=root / "bin" / "python3.13",
        prefix=root,
        stdlib=root / "lib" / "python3.13",
        platlibdir="lib",
        include=root / "include" / "python3.13",
        multiarch="",
        libdir=root / "lib",
        libpython="libpython3.13.so.1.0",
        search_path=(f"{root}/lib/python3.13",),
        able=("ssl", "zlib"),
        unable=(),
        mapped=(root / "bin" / "python3.13", root / "lib" / "libpython3.13.so.1.0", Path("/lib/libc.so.6")),
    )
    return dataclasses.replace(python, **changes)
