"""For tests that drive the real uv: older versions of it, and an interpreter small enough to install."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from bundler.core.digest import Digest
from bundler.core.metadata import Row, dump_rows
from bundler.core.platforms import host_platform
from bundler.core.uvnames import cache_name, mirror_path, own_build_url

VERSIONS = ("0.6.17", "0.7.22", "0.8.23", "0.9.30", "0.11.33")
TAIL = "-install_only_stripped.tar.gz"


def uv_of(version: str) -> Path:
    """Return the uv of that version, from a wheel of the package index; skips the test without one."""
    default = Path(tempfile.gettempdir()) / f"uv-bundler-tests-{os.getuid() if hasattr(os, 'getuid') else ''}"
    folder = Path(os.environ.get("UV_BUNDLER_TEST_CACHE") or default) / f"uv-{version}"
    name = "uv.exe" if os.name == "nt" else "uv"
    if not (folder / name).exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
            run = subprocess.run(
                [*command, "-d", scratch, f"uv=={version}"],
                capture_output=True,
                text=True,
                check=False,
            )
            if run.returncode:
                pytest.skip(f"needs uv {version}, and pip cannot fetch it: {run.stderr.strip()[-200:]}")
            wheel = next(Path(scratch).glob("*.whl"))
            with zipfile.ZipFile(wheel) as opened:
                member = next(one for one in opened.namelist() if one.endswith(f"/scripts/{name}"))
                fresh = Path(opened.extract(member, scratch))
            fresh.chmod(0o755)
            fresh.replace(folder / name)
    return folder / name


def tiny_archive() -> bytes:
    """Return an `install_only` archive that uv installs, though it holds no Python."""
    files = {
        "python/bin/python3.11": (b"#!/bin/sh\necho Python 3.11.99\n", 0o755),
        "python/lib/python3.11/os.py": (b"", 0o644),
        "python/lib/python3.11/_sysconfigdata__linux_x86_64-linux-gnu.py": (
            b"# system configuration generated and used by the sysconfig module\nbuild_time_vars = {}\n",
            0o644,
        ),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for path, (data, mode) in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), mode
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def tiny_tree(current: Path) -> Row:
    """Write mirror, cache and metadata of one tiny interpreter for this host below `current`."""
    data, host = tiny_archive(), host_platform()
    digest = Digest.of(data)
    url = own_build_url(f"cpython-3.11.99+20260101-{host}{TAIL}", digest)
    row = Row(
        name="cpython",
        version=(3, 11, 99),
        prerelease="",
        variant="",
        platform=host,
        url=url,
        sha256=digest,
        build="20260101",
    )
    for path in (current / mirror_path(url), current / "python-cache" / cache_name(url, digest)):
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    (current / "download-metadata.json").write_bytes(dump_rows([row]))
    return row


def clean_env(home: Path) -> dict[str, str]:
    """Return an environment in which uv sees no configuration, and no network but a closed port."""
    home.mkdir(parents=True, exist_ok=True)
    return {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "XDG_CONFIG_DIRS": str(home / "no-config"),
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
