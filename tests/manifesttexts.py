"""Manifests as text, short ones to be bent in one line, and how they are read or refused."""

from pathlib import Path

import pytest

from bundler.connected.manifest import parse_manifest
from bundler.core.platforms import Platform
from bundler.errors import UsageFault

HEAD = "version: 1\nname: lab\nrelease: 2026Q4\nuv: latest\nplatforms: [linux-x86_64-gnu]\n"  # five lines
LINUX = Platform("linux", "x86_64", "gnu")
WINDOWS = Platform("windows", "x86_64", "none")
ZEROS = "0" * 64


def read(text: str, path: str = "lab.yaml"):
    return parse_manifest(text.encode(), path=Path(path))


def with_line(number: int, line: str, more: str = 'pythons: ["3.13"]\n') -> str:
    lines = HEAD.splitlines()
    lines[number - 1] = line
    return "\n".join(lines) + "\n" + more


def check_refused(text: str, message: str) -> None:
    with pytest.raises(UsageFault) as caught:
        read(text)
    assert caught.value.message == f"lab.yaml:{message}"
    assert caught.value.hint
    assert "secret" not in caught.value.message + caught.value.hint


BASE = with_line(5, "platforms: [host]", 'pythons: ["3.13", "3.12"]\nbuilds: [{path: ../python}]\n')
