"""`doctor` on programs: mounts, the uv of the bundle, and the uv that comes first on PATH."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from diagnosed import other_uv, unpacked_host

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the healthy tree's uv is a shell script")


@pytest.fixture
def host():
    with unpacked_host() as made:
        yield made


def test_a_noexec_mount_is_found(host):
    place = os.path.realpath(host.prefix).replace(" ", "\\040")
    with host.mountinfo.open("a") as stream:
        stream.write(f"37 36 0:2 / {place} rw,nosuid,noexec,relatime - ext4 /dev/y rw\n")
    finding = host.the_trouble()
    point = os.path.realpath(host.prefix)
    assert finding.what == (f"{host.current}: {point} is mounted noexec, no program below it can be started")
    assert finding.fix.startswith(f"mount -o remount,exec '{point}'")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has mount namespaces")
def test_a_real_noexec_mount_is_found(host):
    inside = (
        "import os, sys; from pathlib import Path; from bundler.offline.doctor import diagnose\n"
        "for source in (Path('/proc/self/mountinfo'), Path(os.devnull)):\n"
        "    found = diagnose(Path(sys.argv[1]), env={'PATH': ''}, cwd=Path('/'), mountinfo=source)\n"
        "    print(*(one.what for one in found if one.level == 'problem'), sep='\\n')"
    )
    script = 'mount -t tmpfs -o noexec t "$1" && cp -a "$0"/. "$1" && exec "$2" -c "$3" "$1"'
    point = host.prefix.parent / "mounted"
    point.mkdir()
    run = subprocess.run(
        ["unshare", "-r", "-m", "sh", "-c", script, host.prefix, point, sys.executable, inside],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare failed" in run.stderr or "mount:" in run.stderr:
        pytest.skip(f"needs to mount in a namespace of its own: {run.stderr.strip()}")
    blocked, tried = run.stdout.splitlines()
    assert blocked == f"{point}/current: {point} is mounted noexec, no program below it can be started"
    assert tried == f"{point}/current/bin/uv: does not run: Permission denied"


def test_interpreters_of_a_person_on_a_noexec_mount_are_found(host):
    with host.mountinfo.open("a") as stream:
        stream.write(f"37 36 0:2 / {os.path.realpath(host.home)} rw,noexec - ext4 /dev/y rw\n")
    assert host.the_trouble().what.startswith(f"{host.home}/.local/share/uv/python: ")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("#!/no/such/shell\n", "does not run: No such file or directory"),
        ("#!/bin/sh\necho no such libc >&2; exit 3\n", "does not run: exit code 3: no such libc"),
        ("#!/bin/sh\necho something else\n", "does not run: exit code 0: something else"),
        ("#!/bin/sh\necho uv 0.6.5 '(x86_64)'\n", "is uv 0.6.5, expected 0.13.8"),
    ],
)
def test_a_bundled_uv_that_does_not_run_is_found(script, reason, host):
    place = host.first("bin/uv")
    size = place.stat().st_size
    place.write_text(script.ljust(size - 1, "#") + "\n")
    finding = next(one for one in host.troubles() if "bin/uv" in one.what)
    assert finding.level == "problem"
    assert finding.what.endswith(reason)
    assert finding.fix


def test_a_missing_uv_in_bin_is_found(host):
    host.first("bin/uv").unlink()
    assert f"{host.first('bin')}/uv: is not the uv of the bundle" in [one.what for one in host.troubles()]


def test_no_uv_on_path_is_found(host):
    host.env["PATH"] = str(host.home)
    finding = host.the_trouble()
    assert finding.what == "PATH: finds no uv, expected the one of the bundle"
    assert finding.fix == f"""eval "$(uv-bundler env --prefix '{host.prefix}')\""""


def test_a_uv_of_the_current_folder_is_found_and_not_run(host, monkeypatch):
    fake = host.cwd / "uv"
    fake.write_text(f"#!/bin/sh\ntouch {host.cwd}/ran\n")
    fake.chmod(0o755)
    monkeypatch.chdir(host.cwd)
    host.env["PATH"] = f".:{host.env['PATH']}"
    assert host.the_trouble().what == "PATH: finds uv in the current folder, whatever folder that is"
    assert not (host.cwd / "ran").exists()


def test_another_uv_on_path_is_found(host):
    place = other_uv(host, "echo uv 0.12.24")
    finding = host.the_trouble()
    assert finding.level == "warn"
    assert finding.what == f"{place}: comes first on PATH and is uv 0.12.24, not the one of the bundle"


def test_a_uv_on_path_that_is_too_old_for_the_exports_is_found(host):
    place = other_uv(host, "echo uv 0.6.5")
    finding = host.the_trouble()
    assert finding.level == "problem"
    assert finding.what == (
        f"{place}: comes first on PATH, and uv 0.6.5 is too old for "
        "UV_PYTHON_DOWNLOADS_JSON_URL (since 0.6.13), UV_PYTHON_CACHE_DIR (since 0.7.0)"
    )


def test_a_uv_on_path_that_does_not_run_is_found(host):
    place = other_uv(host, "exit 7")
    assert host.the_trouble().what == f"{place}: comes first on PATH, and does not run: exit code 7"
