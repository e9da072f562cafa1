"""Own builds of installed Pythons: proved by running them, and by the real uv that installs them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ownbuild_fixture import host_build, host_prefix, host_tree
from realuv import clean_env
from standins import stand_in

from bundler.connected import elf
from bundler.connected.cache import Cache
from bundler.connected.manifest import PrefixBuild
from bundler.connected.ownbuilds import prepare
from bundler.core.digest import hash_file
from bundler.core.metadata import dump_rows
from bundler.core.platforms import Platform, host_platform
from bundler.core.progress import Silent
from bundler.core.uvnames import cache_name, mirror_path, own_build_url
from bundler.errors import UsageFault

PYENV = Path.home() / ".pyenv" / "versions"


def installed(path, cache, platform=None):
    build = PrefixBuild(path=path, written=str(path), platform=platform or host_platform())
    return prepare(build, cache=cache, progress=Silent())


def generation(own, folder):
    """Lay the build out as a host has it: metadata, mirror, cache; return the settings for uv."""
    for place in (mirror_path(own.row.url), f"python-cache/{cache_name(own.row.url, own.sha256)}"):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(own.path, folder / place)
    (folder / "download-metadata.json").write_bytes(dump_rows([own.row]))
    return {
        **clean_env(folder / "home"),
        "UV_PYTHON_DOWNLOADS_JSON_URL": str(folder / "download-metadata.json"),
        "UV_PYTHON_INSTALL_MIRROR": (folder / "mirror").as_uri(),
        "UV_PYTHON_CACHE_DIR": str(folder / "python-cache"),
        "UV_PYTHON_INSTALL_DIR": str(folder / "pythons"),
        "UV_PYTHON_INSTALL_BIN": "0",
        "UV_PYTHON_PREFERENCE": "only-managed",
        "UV_OFFLINE": "1",
    }


def run(*command, **options):
    done = subprocess.run(command, check=False, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_row_names_the_build_as_this_interpreter_and_as_the_sites_own():
    own = host_build()
    version = ".".join(map(str, sys.version_info[:3]))
    assert own.row.key.startswith(f"cpython-{version}")
    assert own.row.key.endswith(f"-{host_platform()}")
    assert own.row.build == f"own-{own.sha256.short}"
    name = f"{own.row.key.replace('+', '-')}-install_only.tar.gz"
    assert own.row.url == own_build_url(name, own.sha256)
    assert hash_file(own.path) == (own.sha256, own.size)
    assert own.row.sha256 == own.sha256
    assert own.source == str(host_prefix())


@pytest.mark.uv
def test_the_real_uv_installs_it_offline_and_everything_in_it_runs(tmp_path, uv):
    own, folder = host_build(), tmp_path / "a folder"
    folder.mkdir()
    environ = generation(own, folder)
    run(uv, "python", "install", own.row.version_text, env=environ, cwd=folder)
    python = run(uv, "python", "find", own.row.version_text, env=environ, cwd=folder).strip()
    root = folder / "pythons" / own.row.key
    assert Path(python).is_relative_to(root)
    run(uv, "venv", "-p", own.row.version_text, "venv", env=environ, cwd=folder)
    inside = "import sys, ssl, sqlite3; print(sys.base_prefix)"
    where = run(
        uv, "run", "-p", own.row.version_text, "--no-project", "python", "-c", inside, env=environ, cwd=folder
    )
    assert Path(where.strip()).samefile(root)
    code = "import sysconfig; print(sysconfig.get_config_var('LIBDIR')); print(sysconfig.get_config_var('INCLUDEPY'))"
    for place in run(python, "-I", "-c", code, env=environ).splitlines():
        if host_prefix() != Path("/usr"):
            assert Path(place).is_relative_to(root)  # uv found what it replaces
    for script in ("pip3", "pydoc3"):
        if (root / "bin" / script).exists():
            run(root / "bin" / script, "--version" if script == "pip3" else "sys", env=environ)


@pytest.mark.slow
def test_a_python_whose_library_only_the_loader_knows_is_made_to_find_it(tmp_path, monkeypatch):
    """As in Docker's python images: a shared libpython in /usr/local/lib, found by ldconfig, no RUNPATH."""
    root = tmp_path / "usr" / "local"
    shutil.copytree(host_tree(), root, symlinks=True)
    programs = [
        path for path in (root / "bin").glob("python3.*") if not path.is_symlink() and elf.is_elf(path)
    ]
    if host_platform().os != "linux" or not any("libpython" in name for name in elf.needed(programs[0])):
        pytest.skip("needs a Linux Python with a shared libpython")
    for path in [*programs, *root.glob("lib/python3*/lib-dynload/*.so"), *root.glob("lib/libpython*.so.*")]:
        elf.set_run_path(path, [])
    monkeypatch.setenv("LD_LIBRARY_PATH", str(root / "lib"))  # stands in for ldconfig's cache
    cache = Cache(tmp_path / "cache")
    own = installed(root, cache)
    assert list((cache.root / "tmp").iterdir()) == []
    assert own.row.key == host_build().row.key


def test_another_platform_than_the_manifest_says_is_refused(tmp_path):
    other = Platform.parse("windows-x86_64-none")
    with pytest.raises(UsageFault) as caught:
        installed(host_prefix(), Cache(tmp_path), other)
    assert caught.value.message == f"{host_prefix()}: is for {host_platform()}, expected {other}"


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_pypy_is_to_be_named_as_a_ready_made_archive(tmp_path):
    stand_in(tmp_path, implementation="pypy")
    with pytest.raises(UsageFault) as caught:
        installed(tmp_path, Cache(tmp_path / "cache"))
    assert caught.value.message == f"{tmp_path}: pypy on linux-x86_64-gnu, expected CPython on Linux or macOS"
    assert "archive" in caught.value.hint


def test_the_virtual_environment_of_the_tests_is_refused(tmp_path):
    if sys.prefix == sys.base_prefix:
        pytest.skip("the tests do not run in a virtual environment")
    with pytest.raises(UsageFault, match="is a virtual environment of"):
        installed(Path(sys.prefix), Cache(tmp_path))


def test_after_a_refusal_the_cache_is_as_it_was(tmp_path):
    for path in (tmp_path, Path(sys.prefix)):
        if path == tmp_path or sys.prefix != sys.base_prefix:
            with pytest.raises(UsageFault):
                installed(path, Cache(tmp_path / "cache"))
    assert not (tmp_path / "cache" / "sha256").exists()


def other_pythons():
    found = [path for path in sorted(PYENV.glob("3.*")) if tuple(map(int, path.name.split("."))) >= (3, 8)]
    return [*found, Path("/usr")] if Path("/usr/bin/python3").exists() else found


@pytest.mark.slow
@pytest.mark.uv
@pytest.mark.parametrize("prefix", other_pythons(), ids=str)
def test_every_python_of_this_machine_is_archived_proved_and_installed_by_uv(tmp_path, uv, prefix):
    own = installed(prefix, Cache(tmp_path / "cache"))
    environ = generation(own, tmp_path)
    run(uv, "python", "install", own.row.version_text, env=environ, cwd=tmp_path)
    run(uv, "venv", "-p", own.row.version_text, "venv", env=environ, cwd=tmp_path)
    assert run(tmp_path / "venv" / "bin" / "python", "-V").split() == ["Python", own.row.version_text]
