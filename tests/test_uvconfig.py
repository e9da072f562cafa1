"""`doctor` on configuration files: found where uv finds them, and read as uv reads them."""

from __future__ import annotations

import os
import sys

import pytest
from diagnosed import other_uv, unpacked_host

from bundler.offline.uvconfig import find_configs, read_lines

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the healthy tree's uv is a shell script")
WRONG = 'python-install-mirror = "https://mirror.example/"\n'


@pytest.fixture
def host():
    with unpacked_host() as made:
        yield made


@pytest.mark.parametrize(
    "where", ["etc/uv/uv.toml", "etc/xdg/uv/uv.toml", "home/.config/uv/uv.toml", "work/uv.toml"]
)
def test_a_file_that_contradicts_is_found_where_no_variable_overrides_it(where, host):
    place = host.prefix.parent / where
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(WRONG)
    assert host.troubles() == []
    del host.env["UV_PYTHON_INSTALL_MIRROR"]
    finding = host.the_trouble()
    assert finding.what == (
        f"{place}: python-install-mirror is 'https://mirror.example/', "
        f"expected 'file://{host.current}/mirror'"
    )


def test_a_stronger_file_that_is_right_hides_a_weaker_one_that_is_wrong(host):
    (host.etc / "uv").mkdir()
    (host.etc / "uv" / "uv.toml").write_text(WRONG)
    (host.cwd / "uv.toml").write_bytes((host.current / "uv.toml").read_bytes())
    del host.env["UV_PYTHON_INSTALL_MIRROR"]
    assert host.troubles() == []


def test_a_project_above_the_working_folder_is_found(host):
    (host.cwd / "pyproject.toml").write_text(f"[project]\nname = 'x'\n[tool.uv]\n{WRONG}")
    (host.cwd / "deep" / "er").mkdir(parents=True)
    del host.env["UV_PYTHON_INSTALL_MIRROR"]
    finding = host.the_trouble(cwd=host.cwd / "deep" / "er")
    assert finding.what.startswith(f"{host.cwd}/pyproject.toml: python-install-mirror is ")


def test_the_bundles_own_file_stands_for_the_variables_it_says(host):
    host.env = {"HOME": str(host.home), "PATH": host.env["PATH"]}
    host.env["UV_CONFIG_FILE"] = str(host.current / "uv.toml")
    assert host.the_trouble().what == "variables: not set: UV_PYTHON_CACHE_DIR"


def test_a_config_file_variable_takes_the_place_of_all_others(host):
    (host.cwd / "uv.toml").write_text(WRONG)
    other = host.home / "other.toml"
    other.write_text('python-downloads = "never"\n')
    host.env["UV_CONFIG_FILE"] = str(other)
    assert [one.path for one in find_configs(env=host.env, cwd=host.cwd, etc=host.etc)] == [other]
    assert host.the_trouble().what.startswith(f"{other}: python-downloads is 'never'")


def test_a_config_file_variable_that_leads_nowhere_is_found(host):
    host.env["UV_CONFIG_FILE"] = "none.toml"
    assert host.the_trouble().what.startswith(f"{host.cwd}/none.toml: No such file or directory")


def test_no_config_is_named_where_variables_are_missing(host):
    (host.etc / "uv").mkdir()
    (host.etc / "uv" / "uv.toml").write_bytes((host.current / "uv.toml").read_bytes())
    host.env = {"HOME": str(host.home), "PATH": host.env["PATH"], "UV_NO_CONFIG": "1"}
    assert "UV_NO_CONFIG: is set, so no uv.toml can stand for them" in [one.what for one in host.troubles()]


def test_offline_in_a_file_is_found_while_nothing_is_installed(host):
    (host.cwd / "uv.toml").write_text("offline = true\n")
    assert host.the_trouble().what.startswith(f"{host.cwd}/uv.toml: offline = true, and no interpreter")
    host.interpreter(host.home / ".local/share/uv/python")
    assert host.troubles() == []


def test_a_key_that_stops_an_older_uv_on_path_is_found(host):
    other_uv(host, "echo uv 0.7.2")
    (host.cwd / "uv.toml").write_bytes((host.current / "uv.toml").read_bytes())
    assert [one.what for one in host.troubles() if "stops" in one.what] == [
        f"{host.cwd}/uv.toml: python-downloads-json-url stops uv 0.7.2, which knows it only since 0.7.3"
    ]


def test_a_file_that_is_not_utf8_is_found(host):
    (host.cwd / "uv.toml").write_bytes(b"offline = '\xff'\n")
    finding = host.the_trouble()
    assert finding.what == f"{host.cwd}/uv.toml: is not UTF-8, expected a file that uv can read"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 cannot parse TOML")
def test_a_file_that_is_not_toml_is_found(host):
    (host.cwd / "uv.toml").write_text("offline = = true\n")
    assert "is not TOML" in host.the_trouble().what


TOML = '''
# a comment
offline = true  # and another
python-preference = "only-managed"
python-install-mirror = 'file:///a b\\c'
cache-dir = "C:\\\\x \\"y\\" \\u00f6"
description = """
python-downloads = "never"
"""
index-url = "https://x.example"
[pip]
offline = false
[[index]]
name = "x"
[tool.uv]
python-downloads = "manual"
[ tool . "uv" . x]
offline = false
'''


@pytest.mark.parametrize("table", ["", "tool.uv"])
def test_the_line_reader_agrees_with_pythons_toml_reader(table):
    tomllib = pytest.importorskip("tomllib", reason="needs Python 3.11 for a second opinion")
    whole = tomllib.loads(TOML)
    expected = whole["tool"]["uv"] if table else whole
    plain = {
        key: value
        for key, value in expected.items()
        if isinstance(value, str | bool) and key != "description"  # goes over several lines
    }
    assert read_lines(TOML, table=table) == plain
    assert plain
