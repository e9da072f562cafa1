"""The whole journey with the real uv, old and new, where there is no network at all."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from shlex import quote

import pytest
from conftest import SHARED

from bundler.core.platforms import host_platform
from bundler.offline.isolation import without_network

VERSIONS = ("0.13.8", "0.11.33", "0.9.30", "0.8.23", "0.7.22", "0.6.17")
OWN = platform.python_version()
ARCHIVE = SHARED / "archives" / "cpython-3.13.5lto-x86_64-linux-install_only_stripped.tar.gz"
pytestmark = [
    pytest.mark.uv,
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: namespaces, and an own build by prefix"),
]


def bundler(*words, cwd, **env):
    """Run the command line; return its stdout. A failure shows what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "bundler", *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False,
        env={**os.environ, **env},
    )  # fmt: skip
    if done.returncode == 7 and "reach" in done.stderr:
        pytest.skip(f"needs the package index: {done.stderr.splitlines()[-2]}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def without_absolute_links(archive, target):
    """Repack an archive as a site must for uv 0.8.3 and newer, which refuse it for 7 links to /lib/terminfo."""
    with tarfile.open(archive) as old, tarfile.open(target, "w:gz", compresslevel=1) as new:
        for member in old:
            if not (member.issym() and member.linkname.startswith("/")):
                new.addfile(member, old.extractfile(member) if member.isreg() else None)


@pytest.fixture(scope="module")
def open_folder():
    """A folder that every user may search; pytest keeps its own to itself."""
    with tempfile.TemporaryDirectory(prefix="uv-bundler-journey-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def home(open_folder):
    """A new home of a user who may write nowhere else."""
    path = open_folder / f"a home {len(list(open_folder.iterdir()))}"
    path.mkdir()
    path.chmod(0o777)
    return path


@pytest.fixture(scope="module")
def site(open_folder):
    """A packed bundle with six versions of uv and the running Python, verified and unpacked on a `host`."""
    folder = open_folder / "site"
    folder.mkdir()
    folder.chmod(0o755)
    builds = [f"  - {{path: {json.dumps(os.path.realpath(sys.base_prefix))}, platform: host}}"]
    if ARCHIVE.exists() and str(host_platform()) == "linux-x86_64-gnu":
        without_absolute_links(ARCHIVE, folder / ARCHIVE.name)
        builds.append(f'  - {{archive: {ARCHIVE.name}, version: "3.13.5", platform: linux-x86_64-gnu}}')
    uv = ", ".join(f'"{version}"' for version in VERSIONS)
    (folder / "site.yaml").write_text(
        f"version: 1\nname: site\nrelease: test\nuv: [{uv}]\npythons: []\nplatforms: [host]\nbuilds:\n"
        + "\n".join(builds)
        + "\n"
    )
    cache = os.environ.get("UV_BUNDLER_TEST_CACHE", str(folder / "cache"))
    bundler("keygen", "key", "--comment", "packer@site", cwd=folder)
    packed = bundler(
        "pack",
        "site.yaml",
        "-o",
        ".",
        "--key",
        "key",
        "--level",
        "fast",
        "-q",
        cwd=folder,
        UV_BUNDLER_CACHE_DIR=cache,
    )
    bundler("verify", packed.strip(), "--trust", "key.pub", "--verifier", "both", cwd=folder)
    exports = bundler(
        "unpack",
        packed.strip(),
        "--trust",
        "key.pub",
        "--prefix",
        "a host's prefix",
        "--shell",
        "sh",
        cwd=folder,
    )
    (folder / "exports").write_text(exports)
    return folder


@pytest.fixture(scope="module")
def keys(site):
    listed = json.loads((site / "a host's prefix" / "current" / "download-metadata.json").read_bytes())
    return sorted(listed)


def offline(site, home, version, script):
    """Run a shell script after the exports, as an ordinary user without a network, that uv first on PATH."""
    program = site / "a host's prefix" / "current" / "uv" / version / str(host_platform())
    lines = [
        "set -e",
        f". {quote(str(site / 'exports'))}",
        f'PATH={quote(str(program))}:"$PATH"',
        "cd ~",
        script,
    ]
    return as_user("\n".join(lines), home)


def as_user(script, home):
    """Run a shell script as nobody (where we are root) in an empty network namespace and environment."""
    isolated = without_network()
    if not isolated:
        pytest.skip("needs a network namespace (unshare -n), which this machine does not allow")
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    return subprocess.run(
        [*isolated, *nobody, "env", "-i", f"HOME={home}", "PATH=/usr/bin:/bin", "sh", "-c", script],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
def test_this_uv_installs_and_runs_what_came_across_from_the_exports_alone(site, keys, home, version):
    done = offline(site, home, version, "uv --version; uv python list --only-downloads --all-versions")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1] == version
    shown = {line.split()[0] for line in done.stdout.splitlines()[1:]}
    assert shown == set(keys)
    for key in keys:
        wanted = key.split("-")[1]
        script = (
            f"uv python install {wanted}\n"
            f"uv venv -q -p {wanted} env-{wanted} && env-{wanted}/bin/python -c 'import ssl, platform; print(platform.python_version())'\n"
            f"uv run -q --no-project -p {wanted} python -c 'import sqlite3, sys; print(sys.base_prefix)'\n"
        )
        done = offline(site, home, version, script)
        assert done.returncode == 0, done.stderr
        found, base = done.stdout.splitlines()[-2:]
        assert found == wanted
        assert base.startswith(str(home))


def test_a_user_who_never_installs_gets_a_python_by_asking_for_a_venv(site, keys, home):
    wanted = keys[0].split("-")[1]
    done = offline(site, home, VERSIONS[0], f"uv venv -p {wanted} env && env/bin/python -V")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"Python {wanted}"


def test_a_python_that_is_not_in_the_bundle_is_refused_at_once_not_looked_for(site, home):
    done = offline(site, home, VERSIONS[0], "uv python install 3.8.1")
    assert done.returncode != 0
    assert "No download found" in done.stderr


def test_uv_toml_names_only_keys_that_the_oldest_uv_of_the_bundle_knows(site):
    settings = site / "a host's prefix" / "current" / "uv.toml"
    keys = {line.split(" ")[0] for line in settings.read_text().splitlines() if not line.startswith("#")}
    # uv 0.6.17 does not know python-downloads-json-url, and an unknown key stops it.
    assert keys == {"python-install-mirror", "python-preference"}


def test_rehearse_tries_every_uv_and_every_python(site, keys):
    done = subprocess.run(
        [sys.executable, "-m", "bundler", "rehearse", ".", "--trust", "key.pub"],
        cwd=site, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for version in VERSIONS:
        assert f"uv {version} python list: all of {len(keys)} interpreters" in done.stderr
        for key in keys:
            assert f"uv {version} python install {key}: Python {key.split('-')[1]} runs" in done.stderr


def test_pythons_for_all_users_need_nothing_but_the_exports(site, keys, home):
    exports = bundler(
        "unpack",
        ".",
        "--trust",
        "key.pub",
        "--prefix",
        site / "shared",
        "--install-pythons",
        "--shell",
        "sh",
        cwd=site,
    )
    assert "export UV_OFFLINE='1'" in exports
    assert f"export UV_PYTHON_INSTALL_DIR='{site}/shared/python'" in exports
    for key in keys:
        wanted = key.split("-")[1]
        script = f"uv python find {wanted}\nuv venv -q -p {wanted} e{wanted}\nuv run -q --no-project -p {wanted} python -V"
        done = as_user(f"set -e\n{exports}\ncd ~\n{script}", home)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[0].startswith(f"{site}/shared/python/")
        assert done.stdout.splitlines()[-1] == f"Python {wanted}"
