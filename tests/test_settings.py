"""The exports follow the table of what each uv obeys."""

from __future__ import annotations

import os
import subprocess
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from realuv import VERSIONS, clean_env, tiny_tree, uv_of

from bundler.errors import UsageFault
from bundler.offline.settings import RULES, ExportFacts, file_url, key_since, parse_version, settings

PREFIX = PurePosixPath("/opt/uv-bundler")
ALL_FOLDERS = frozenset({"mirror", "mirror-pypy", "mirror-graalpy"})
J, M, P, G = (
    "UV_PYTHON_DOWNLOADS_JSON_URL",
    "UV_PYTHON_INSTALL_MIRROR",
    "UV_PYPY_INSTALL_MIRROR",
    "UV_GRAALPY_INSTALL_MIRROR",
)
C, K, D, F = "UV_PYTHON_CACHE_DIR", "UV_PYTHON_PREFERENCE", "UV_PYTHON_INSTALL_DIR", "UV_OFFLINE"
KEYS = {
    "json": "python-downloads-json-url",
    "mirror": "python-install-mirror",
    "pypy": "pypy-install-mirror",
    "graalpy": "graalpy-install-mirror",
    "preference": "python-preference",
    "offline": "offline",
}


def facts(**changes) -> ExportFacts:
    plain = {
        "prefix": PREFIX,
        "uv": ("0.13.8",),
        "folders": frozenset({"mirror"}),
        "cache_complete": True,
        "interpreters_installed": False,
        "offline": False,
    }
    return ExportFacts(**{**plain, **changes})


def names(found) -> list[str]:
    return [one.name for one in found]


def values(found) -> dict[str, str]:
    return {one.name: one.value for one in found}


@pytest.mark.parametrize(
    ("uv", "variables", "keys"),
    [
        ("0.4.3", [K, D], ["preference", "offline"]),
        ("0.4.4", [M, P, K, D], ["preference", "offline"]),
        ("0.5.1", [M, P, K, D], ["preference", "offline"]),
        ("0.5.8", [M, P, K, D], ["mirror", "pypy", "preference", "offline"]),
        ("0.5.9", [M, P, K, D, F], ["mirror", "pypy", "preference", "offline"]),
        ("0.6.12", [M, P, K, D, F], ["mirror", "pypy", "preference", "offline"]),
        ("0.6.13", [J, M, P, K, D, F], ["mirror", "pypy", "preference", "offline"]),
        ("0.6.17", [J, M, P, K, D, F], ["mirror", "pypy", "preference", "offline"]),
        ("0.7.0", [J, M, P, C, K, D, F], ["mirror", "pypy", "preference", "offline"]),
        ("0.7.2", [J, M, P, C, K, D, F], ["mirror", "pypy", "preference", "offline"]),
        ("0.7.3", [J, M, P, C, K, D, F], ["json", "mirror", "pypy", "preference", "offline"]),
        ("0.11.33", [J, M, P, C, K, D, F], ["json", "mirror", "pypy", "preference", "offline"]),
        ("0.12.23", [J, M, P, C, K, D, F], ["json", "mirror", "pypy", "preference", "offline"]),
        ("0.12.24", [J, M, P, G, C, K, D, F], ["json", "mirror", "pypy", "graalpy", "preference", "offline"]),
        ("0.13.8", [J, M, P, G, C, K, D, F], ["json", "mirror", "pypy", "graalpy", "preference", "offline"]),
    ],
)
def test_each_uv_is_told_what_it_obeys_and_its_file_what_it_knows(uv, variables, keys):
    found = settings(facts(uv=(uv,), folders=ALL_FOLDERS, interpreters_installed=True, offline=True))
    assert names(found) == [*variables, "PATH"]
    known = [one.key for one in found if one.key]
    offline = ["offline"] if F in variables else []
    assert known == [KEYS[one] for one in keys if one != "offline"] + offline


def test_several_uvs_are_told_what_the_newest_obeys_and_their_file_what_the_oldest_knows():
    found = settings(facts(uv=("0.13.8", "0.6.17", "0.5.31"), folders=ALL_FOLDERS))
    assert names(found) == [J, M, P, G, C, K, "PATH"]
    assert [one.key for one in found if one.key] == [KEYS["mirror"], KEYS["pypy"], KEYS["preference"]]


def test_the_usual_bundle_gets_these_values():
    assert values(settings(facts())) == {
        J: "/opt/uv-bundler/current/download-metadata.json",
        M: "file:///opt/uv-bundler/current/mirror",
        C: "/opt/uv-bundler/current/python-cache",
        K: "only-managed",
        "PATH": "/opt/uv-bundler/current/bin",
    }


def test_an_incomplete_cache_is_not_named():
    assert C not in names(settings(facts(cache_complete=False)))


def test_only_the_mirrors_that_exist_are_named():
    assert set(names(settings(facts(folders=frozenset({"mirror-pypy"}))))) == {J, P, C, K, "PATH"}


def test_offline_is_not_said_while_uv_must_still_install():
    assert F not in names(settings(facts()))


def test_installed_interpreters_bring_their_folder_and_offline_with_them():
    found = values(settings(facts(interpreters_installed=True)))
    assert (found[D], found[F]) == ("/opt/uv-bundler/python", "1")


def test_offline_is_said_where_it_is_asked_for():
    found = values(settings(facts(offline=True)))
    assert found[F] == "1"
    assert D not in found


def test_a_file_says_offline_only_where_it_is_asked_for_because_it_cannot_name_the_install_folder():
    installed = {one.name: one.key for one in settings(facts(interpreters_installed=True))}
    asked = {one.name: one.key for one in settings(facts(interpreters_installed=True, offline=True))}
    assert (installed[F], asked[F]) == ("", "offline")


def test_a_bundle_of_uv_alone_only_leads_to_it():
    assert names(settings(facts(folders=frozenset()))) == ["PATH"]


def test_a_bundle_without_uv_leaves_path_alone_and_assumes_a_new_one():
    assert names(settings(facts(uv=(), folders=ALL_FOLDERS))) == [J, M, P, G, C, K]


def test_every_setting_has_a_reason_and_comes_in_the_order_of_the_table():
    found = settings(facts(folders=ALL_FOLDERS, interpreters_installed=True, offline=True))
    assert all(one.reason for one in found)
    assert names(found) == [rule.name for rule in RULES]


def test_only_paths_below_current_and_python_are_named():
    for one in settings(facts(folders=ALL_FOLDERS, interpreters_installed=True, offline=True)):
        if "/" in one.value:
            below = one.value.removeprefix("file://")
            assert below.startswith(("/opt/uv-bundler/current/", "/opt/uv-bundler/python")), one


def test_a_relative_prefix_is_refused():
    with pytest.raises(UsageFault) as caught:
        settings(facts(prefix=PurePosixPath("q4")))
    assert caught.value.message == "q4: is relative, expected an absolute prefix"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("path", "url"),
    [
        (PurePosixPath("/a b/c"), "file:///a b/c"),
        (PurePosixPath("/100%/c#1/d?"), "file:///100%25/c%231/d%3F"),
        (PurePosixPath("/a%20b"), "file:///a%2520b"),
        (PurePosixPath("/a\\b"), "file:///a%5Cb"),
        (PurePosixPath("/jörg/+é'"), "file:///jörg/+é'"),
        (PureWindowsPath("C:\\Users\\a b\\100%"), "file:///C:/Users/a b/100%25"),
        (PureWindowsPath("\\\\server\\share\\x"), "file://server/share/x"),
    ],
)
def test_a_path_becomes_the_url_that_uv_takes(path, url):
    assert file_url(path) == url


@pytest.mark.parametrize(
    ("uv", "path"),
    [
        (("0.7.8",), "\\Tools\\uvb\\current\\download-metadata.json"),
        (("0.13.8", "0.6.13"), "\\Tools\\uvb\\current\\download-metadata.json"),
        (("0.7.9",), "C:\\Tools\\uvb\\current\\download-metadata.json"),
        (("0.13.8", "0.6.12"), "C:\\Tools\\uvb\\current\\download-metadata.json"),
        ((), "C:\\Tools\\uvb\\current\\download-metadata.json"),
    ],
)
def test_an_old_uv_on_windows_is_given_the_metadata_without_its_drive(uv, path):
    found = values(settings(facts(prefix=PureWindowsPath("C:\\Tools\\uvb"), uv=uv)))
    assert found[J] == path


@pytest.mark.parametrize(
    ("text", "version"),
    [("0.13.8", (0, 13, 8)), ("0.14.0rc1", (0, 14, 0)), ("1.2", (1, 2, 0)), ("0.7.10", (0, 7, 10))],
)
def test_a_uv_version_is_compared_by_its_numbers(text, version):
    assert parse_version(text) == version


def test_each_key_tells_the_first_uv_that_knows_it():
    assert key_since("python-downloads-json-url") == (0, 7, 3)


ODD = (
    "a b",
    "a#b",
    "100%",
    "a%20b",
    "a?b",
    "a+b",
    "jörg 😀",
    "it's",
    'a"b',
    "a\\b",
    "a&b;c",
    "a$b",
    "a[b]{c}",
    "-a",
)


@pytest.mark.uv
@pytest.mark.parametrize("version", [VERSIONS[0], "newest"])
@pytest.mark.skipif(os.name == "nt", reason="needs names that Windows does not allow")
def test_the_real_uv_installs_from_the_values_under_any_prefix(version, uv, tmp_path):
    command = uv if version == "newest" else uv_of(version)
    for number, odd in enumerate(ODD):
        prefix = tmp_path / f"{number}" / odd
        row = tiny_tree(prefix / "current")
        facts_here = facts(prefix=prefix, uv=("0.13.8",), interpreters_installed=True)
        told = {name: value for name, value in values(settings(facts_here)).items() if name != "PATH"}
        del told["UV_PYTHON_CACHE_DIR"]  # it would hide a mirror that uv does not find
        env = {**clean_env(tmp_path / "home"), **told}
        run = subprocess.run(
            [command, "python", "install", "3.11"], env=env, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, (odd, run.stderr)
        assert (prefix / "python" / row.key / "bin" / "python3.11").exists(), odd
