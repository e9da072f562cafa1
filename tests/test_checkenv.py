"""`doctor` on variables and what lies where they point; the real uv stumbles over what is found."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from diagnosed import unpacked_host
from realuv import clean_env, tiny_tree

from bundler.offline.settings import ExportFacts, settings

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the healthy tree's uv is a shell script")


@pytest.fixture
def host():
    with unpacked_host() as made:
        yield made


def test_exports_that_were_never_set_are_found_in_one_finding(host):
    host.env = {"HOME": str(host.home), "PATH": host.env["PATH"]}
    finding = host.the_trouble()
    names = [name for name in host.exports() if name != "PATH"]
    assert (finding.level, finding.what) == ("warn", f"variables: not set: {', '.join(names)}")


@pytest.mark.parametrize(
    ("name", "value", "level", "message"),
    [
        (
            "UV_PYTHON_INSTALL_MIRROR",
            "https://mirror.example/",
            "problem",
            "is 'https://mirror.example/', exp",
        ),
        ("UV_PYTHON_DOWNLOADS_JSON_URL", "/elsewhere.json", "problem", "is '/elsewhere.json', expected '/"),
        ("UV_PYTHON_PREFERENCE", "only-system", "problem", "is 'only-system', expected 'only-managed'"),
        ("UV_PYPY_INSTALL_MIRROR", "file:///x", "problem", "is 'file:///x', expected nothing"),
        ("UV_ASTRAL_MIRROR_URL", "https://m.example", "problem", "is 'https://m.example', expected nothing"),
        (
            "UV_PYTHON_DOWNLOADS",
            "never",
            "problem",
            "so uv installs no interpreter, not even from the bundle",
        ),
        ("UV_PYTHON_DOWNLOADS", "manual", "warn", "so only `uv python install` installs"),
        ("UV_NO_MANAGED_PYTHON", "1", "problem", "so uv takes none of the bundle's interpreters"),
        ("UV_OFFLINE", "1", "problem", "no interpreter is installed"),
        ("UV_OFFLINE", "true", "problem", "no interpreter is installed"),
        ("UV_PYTHON", "3.9", "warn", "uv takes it for every request that names no Python"),
        ("UV_PYTHON_CPYTHON_BUILD", "20240101", "warn", "passes over every archive of another build"),
    ],
)
def test_a_variable_that_conflicts_is_found(name, value, level, message, host):
    host.env[name] = value
    finding = host.the_trouble()
    assert finding.level == level
    assert finding.what.startswith(f"{name}: ")
    assert message in finding.what
    assert finding.fix


def test_offline_without_an_interpreter_is_mended_with_one_that_the_bundle_has(host):
    host.env["UV_OFFLINE"] = "1"
    listed = json.loads((host.current / "download-metadata.json").read_bytes())
    fixes = {f"install one first, `uv python install {key}`, or unset UV_OFFLINE" for key in listed}
    assert host.the_trouble().fix in fixes


@pytest.mark.parametrize(("name", "value"), [("UV_OFFLINE", "0"), ("UV_NO_MANAGED_PYTHON", "false")])
def test_a_switch_that_is_off_is_no_finding(name, value, host):
    host.env[name] = value
    assert host.troubles() == []


def test_the_same_mirror_written_otherwise_is_no_finding(host):
    host.env["UV_PYTHON_INSTALL_MIRROR"] = host.env["UV_PYTHON_INSTALL_MIRROR"].replace(" ", "%20") + "/"
    assert host.troubles() == []


def test_offline_is_no_finding_once_the_person_has_installed_an_interpreter(host):
    host.env["UV_OFFLINE"] = "1"
    host.interpreter(host.home / ".local/share/uv/python")
    assert host.troubles() == []


def test_interpreters_for_all_users_that_nobody_is_told_of_are_found(host):
    host.interpreter()
    assert host.the_trouble().what == "variables: not set: UV_PYTHON_INSTALL_DIR, UV_OFFLINE"


def test_a_cache_within_the_install_folder_is_found(host):
    host.env["UV_PYTHON_CACHE_DIR"] = str(host.home / ".local/share/uv/python/cache")
    assert any("where uv keeps installed interpreters" in one.what for one in host.troubles())


def test_an_empty_cache_variable_is_found(host):
    host.env["UV_PYTHON_CACHE_DIR"] = ""
    assert any(one.fix == "unset UV_PYTHON_CACHE_DIR" for one in host.troubles())


def test_file_urls_beside_a_mirror_are_found(host):
    listing = host.home / "list.json"
    listing.write_text('{"x": {"url": "file:///a/b.tar.gz"}}')
    host.env["UV_PYTHON_DOWNLOADS_JSON_URL"] = str(listing)
    assert f"{listing}: lists file:// URLs, which uv refuses beside a mirror" in [
        one.what for one in host.troubles()
    ]


def test_a_cache_of_uv_that_cannot_be_written_is_found(host):
    (host.home / ".cache").write_text("a file")
    finding = host.the_trouble()
    assert finding.what == (
        f"{host.home}/.cache/uv: uv cannot keep its cache here, "
        f"{host.home}/.cache is not a folder that you may write to"
    )
    host.env["UV_CACHE_DIR"] = str(host.home / "cache")
    assert host.troubles() == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_of_somebody_else_is_found(host):
    (host.home / ".cache").mkdir(mode=0o500)
    assert "uv cannot keep its cache here" in host.the_trouble().what


def test_a_broken_interpreter_for_all_users_is_found(host):
    made = host.interpreter()
    (made / "bin" / "python3").chmod(0o644)
    found = [one.what for one in host.troubles()]
    assert f"{made}: holds no interpreter that can be run" in found


STUMBLES = {
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_PYTHON_INSTALL_MIRROR": "file:///nowhere",
    "UV_PYTHON_CPYTHON_BUILD": "19990101",
    "UV_CACHE_DIR": "/dev/null/cache",
    "UV_PYTHON_DOWNLOADS_JSON_URL": "with file URLs",
    "UV_CONFIG_FILE": "none.toml",
}


@pytest.mark.uv
@pytest.mark.parametrize("name", [None, *STUMBLES])
def test_the_real_uv_does_stumble_over_what_is_found(name, uv, host):
    row = tiny_tree(host.home / "current")
    told = ExportFacts(
        prefix=host.home, uv=("0.13.8",), folders=frozenset({"mirror"}), cache_complete=False,
        interpreters_installed=False,
    )  # fmt: skip
    env = clean_env(host.home) | {one.name: one.value for one in settings(told) if one.name != "PATH"}
    if name:
        env[name] = STUMBLES[name]
    if name == "UV_PYTHON_DOWNLOADS_JSON_URL":
        listing = host.home / "list.json"
        whole = (host.home / "current" / "download-metadata.json").read_text()
        listing.write_text(whole.replace(row.url, "file:///a/b/c.tar.gz"))
        env[name] = str(listing)
    run = subprocess.run(
        [uv, "python", "install", "3.11"], env=env, cwd=host.cwd, capture_output=True, text=True, check=False
    )
    assert (run.returncode == 0) == (name is None), run.stderr
    if name:
        host.env[name] = env[name]
        assert any(name in one.what or env[name] in one.what for one in host.troubles())
