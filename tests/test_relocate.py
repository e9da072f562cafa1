"""Texts and binaries of an installed Python lose their place."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest
from ownbuild_fixture import host_build, host_tree

from bundler.connected import elf, relocate

PYTHON = "python3.11"
PREFIX = Path("/opt/py")


def test_a_script_of_this_python_starts_the_one_beside_it(tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / PYTHON).write_text('#!/bin/sh\necho "started $1 with $2"\n')
    script = relocate.script(
        b"#!/opt/py/bin/python3.11\nimport sys\n", python=PYTHON, prefix=PREFIX, is_ours=True
    )
    (folder / "pip").write_bytes(script)
    for name in (PYTHON, "pip"):
        (folder / name).chmod(0o755)
    (tmp_path / "link").symlink_to(folder / "pip")
    done = subprocess.run([tmp_path / "link", "list"], capture_output=True, text=True, check=True)
    assert done.stdout == f"started {tmp_path}/link with list\n"
    assert script.endswith(b"\nimport sys\n")


def test_the_first_lines_are_no_more_than_a_string_to_python():
    script = relocate.script(
        b"#!/opt/py/bin/python3.11\nanswer = 42\n", python=PYTHON, prefix=PREFIX, is_ours=True
    )
    space = {}
    exec(script, space)  # noqa: S102 - that it can be executed is what is tested
    assert space["answer"] == 42


@pytest.mark.parametrize(
    ("data", "taken"),
    [
        (b"#!/usr/bin/python2\nimport sys\n", False),
        (b"#!/bin/sh\nexec true\n", True),
        (b"#!/usr/bin/env bash\ntrue\n", False),
        (b"#!/usr/bin/bash\ntrue\n", True),
        (b"#!/usr/bin/perl\n1;\n", False),
        (b"\x7fELF\n", False),
        (b"#!/bin/sh", False),
        (b"", False),
    ],
)
def test_scripts_of_others_are_left_out_and_shell_scripts_are_taken_as_they_are(data, taken):
    expected = data if taken else None
    if data.startswith(b"#!/usr/bin/env bash"):
        expected = data  # a shell all the same
    assert relocate.script(data, python=PYTHON, prefix=PREFIX, is_ours=False) == expected


def test_the_prefix_in_build_time_values_becomes_what_uv_replaces():
    text = b"'/opt/py/lib' '-L/opt/py/lib' '/opt/py' '/opt/python' '/opt/py-2' '/opt/py.old' '/x/opt/py2'"
    assert relocate.build_time_text(text, prefix=PREFIX) == (
        b"'/install/lib' '-L/install/lib' '/install' '/opt/python' '/opt/py-2' '/opt/py.old' '/x/opt/py2'"
    )
    assert relocate.build_time_text(b"'/usr/bin/install'", prefix=Path("/usr")) == b"'/usr/bin/install'"


def test_a_pc_file_finds_its_prefix_itself():
    data = b"# See prefix=\nprefix=/opt/py\nlibdir=/opt/py/lib\nLibs: -L/opt/py/lib -L/opt/pypy\n"
    own = (
        b"# See prefix=\nprefix=${pcfiledir}/../..\nlibdir=${prefix}/lib\nLibs: -L${prefix}/lib -L/opt/pypy\n"
    )
    assert relocate.pkgconfig(data, prefix=PREFIX) == own


def test_the_config_script_finds_its_prefix_itself():
    data = b'#!/bin/sh\nprefix_real=$(here)\nprefix="/opt/py"\nLIBS="-L/opt/py/lib"\n'
    assert relocate.script(data, python=PYTHON, prefix=PREFIX, is_ours=False) == (
        b'#!/bin/sh\nprefix_real=$(here)\nprefix="/install"\nLIBS="-L${prefix_real}/lib"\n'
    )


@pytest.fixture
def program():
    own = host_build()
    if own.row.platform.os != "linux":
        pytest.skip("binaries are only changed on Linux")
    return next(path for path in (host_tree() / "bin").glob("python3.*") if elf.is_elf(path))


PLACES = [
    ("python/bin/python3", "$ORIGIN/../lib"),
    ("python/lib/libx.so", "$ORIGIN/../lib"),
    ("python/lib/python3.11/lib-dynload/x.so", "$ORIGIN/../../../lib"),
]


def test_folders_of_the_old_prefix_are_replaced_and_others_kept(program, tmp_path):
    library = elf.needed(program)[0]
    for name, expected in PLACES:
        copy = shutil.copy(program, tmp_path / "copy")
        elf.set_run_path(copy, ["/elsewhere/lib", "/opt/py/lib", "/opt/py/ssl/lib", "/opt/pypy"])
        needed = relocate.binary(copy, name=PurePosixPath(name), prefix=PREFIX, libraries=[library])
        assert needed == elf.needed(program)
        ssl = expected.removesuffix("lib") + "ssl/lib"
        assert elf.run_path(copy) == [expected, "/elsewhere/lib", ssl, "/opt/pypy"]


def test_a_binary_without_a_run_path_gets_one_only_where_it_needs_an_archived_library(program, tmp_path):
    copy = shutil.copy(program, tmp_path / "copy")
    elf.set_run_path(copy, [])
    options = {"name": PurePosixPath("python/bin/python3"), "prefix": PREFIX}
    before = copy.read_bytes()
    relocate.binary(copy, libraries=["libnone.so"], **options)
    assert copy.read_bytes() == before
    relocate.binary(copy, libraries=elf.needed(program), **options)
    assert elf.run_path(copy) == ["$ORIGIN/../lib"]
