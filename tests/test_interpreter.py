"""What an interpreter says about itself, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from standins import stand_in

from bundler.connected.interpreter import describe, find_python
from bundler.core.platforms import host_platform
from bundler.errors import UsageFault

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="stand-ins are shell scripts")


def test_the_running_interpreter_is_described():
    python = describe(find_python(Path(sys.base_prefix)))
    assert python.version == sys.version_info[:3]
    assert python.platform == host_platform()
    assert python.prefix == Path(sys.base_prefix)
    assert python.executable.samefile(Path(sys.executable).resolve())
    assert {"ctypes", "venv", "zlib"} <= {*python.able, *python.unable}
    assert not any(name.startswith("_test") for name in python.able)


@pytest.mark.parametrize(
    ("changes", "platform"),
    [
        ({}, "linux-x86_64-gnu"),
        ({"glibc": False}, "linux-x86_64-musl"),
        ({"bits": 32}, "linux-x86-gnu"),
        ({"machine": "armv7l"}, "linux-armv7-gnueabihf"),
        ({"platform": "darwin", "machine": "arm64"}, "macos-aarch64-none"),
        ({"platform": "win32", "machine": "amd64"}, "windows-x86_64-none"),
    ],
)
def test_the_platform_is_named_as_uv_names_it(tmp_path, changes, platform):
    assert str(describe(stand_in(tmp_path, **changes)).platform) == platform


@pytest.mark.parametrize(
    ("changes", "version", "variant", "suffix"),
    [
        ({"version": [3, 15, 0, "alpha", 2]}, "a2", "", ""),
        ({"version": [3, 15, 0, "beta", 1]}, "b1", "", ""),
        ({"version": [3, 15, 0, "candidate", 3]}, "rc3", "", ""),
        ({"freethreaded": True}, "", "freethreaded", "t"),
        ({"debug": True}, "", "debug", "d"),
        ({"debug": True, "freethreaded": True}, "", "freethreaded+debug", "td"),
    ],
)
def test_pre_releases_and_variants_are_named_as_uv_names_them(tmp_path, changes, version, variant, suffix):
    python = describe(stand_in(tmp_path, **changes))
    assert (python.prerelease, python.variant, python.suffix) == (version, variant, suffix)


def test_a_virtual_environment_is_refused_with_the_python_to_name(tmp_path):
    with pytest.raises(UsageFault) as caught:
        describe(stand_in(tmp_path, prefix="/venv", base_prefix="/opt/py"))
    assert caught.value.message == "/venv: is a virtual environment of /opt/py, expected its base"
    assert caught.value.hint == "name the Python itself: path: /opt/py"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo no such option >&2; exit 2", "does not run: no such option"),
        ("exit 3", "does not run: exit code 3"),
        ("printf 'a\\033[31mb' >&2; exit 1", "does not run: a\\x1b[31mb"),
    ],
)
def test_a_program_that_is_no_python_is_refused(tmp_path, script, message):
    program = tmp_path / "python3"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    with pytest.raises(UsageFault) as caught:
        describe(program)
    assert caught.value.message == f"{program}: {message}"


def test_an_unknown_platform_is_refused(tmp_path):
    program = stand_in(tmp_path, machine="m68k")
    with pytest.raises(UsageFault, match="expected a platform such as"):
        describe(program)


def test_an_interpreter_is_found_below_its_prefix_or_named_itself(tmp_path):
    program = stand_in(tmp_path)
    assert find_python(tmp_path) == program
    assert find_python(program) == program
    with pytest.raises(UsageFault, match=r"holds no bin/python3, expected the prefix of an installed Python"):
        find_python(tmp_path / "bin")
