"""Exports as files, read back by systemd and the real uv: environment.d, .env and uv.toml."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from oddvalues import ODD, READ, numbered, setting
from realuv import VERSIONS, clean_env, tiny_tree, uv_of

from bundler.offline.settings import ExportFacts, settings
from bundler.offline.shells import render


def systemd_environment(lines: str, folder: Path, **env: str) -> dict[str, str]:
    """Let systemd's own generator read the file, and a shell its output, which is quoted for one."""
    generator = "systemd/user-environment-generators/30-systemd-environment-d-generator"
    program = next((one for top in ("/usr/lib", "/lib") if (one := Path(top) / generator).exists()), None)
    if program is None:
        pytest.skip("needs systemd's environment.d generator, which is not installed here")
    (folder / "environment.d").mkdir()
    (folder / "environment.d" / "50-uv-bundler.conf").write_text(lines, encoding="utf-8")
    run = subprocess.run(
        [program],
        env={"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), **env},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stderr == ""
    (folder / "generated").write_text(run.stdout, encoding="utf-8")
    shell = subprocess.run(
        ["sh", "-c", 'set -a; . "$0"; exec "$@"', folder / "generated", *READ],
        env={"PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(shell.stdout)


def test_systemd_reads_odd_values_as_they_are(tmp_path):
    found = systemd_environment(render(numbered(ODD), shell="systemd"), tmp_path, HOME="/root")
    assert [found[f"V{number}"] for number in range(len(ODD))] == list(ODD)


@pytest.mark.parametrize(
    ("before", "after"), [({"PATH": "/usr/bin"}, "/a $x/bin:/usr/bin"), ({}, "/a $x/bin")]
)
def test_systemd_puts_the_folder_in_front_of_path(before, after, tmp_path):
    lines = render((setting("/a $x/bin", "PATH"),), shell="systemd")
    assert systemd_environment(lines, tmp_path, **before)["PATH"] == after


@pytest.mark.uv
def test_the_real_uv_reads_odd_values_from_the_env_file(uv, tmp_path):
    (tmp_path / ".env").write_text(render(numbered(ODD), shell="dotenv"), encoding="utf-8")
    env = {**clean_env(tmp_path / "home"), "PYTHONUTF8": "1", "UV_OFFLINE": "1"}
    command = [uv, "run", "--no-project", "--python", sys.executable, "--env-file", tmp_path / ".env"]
    run = subprocess.run([*command, *READ], env=env, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Failed to parse" not in run.stderr
    found = json.loads(run.stdout)
    assert [found[f"V{number}"] for number in range(len(ODD))] == list(ODD)


@pytest.mark.uv
def test_uv_run_gives_an_env_file_to_its_command_and_does_not_obey_it(uv, tmp_path):
    (tmp_path / ".env").write_text("UV_PYTHON_PREFERENCE=bogus\n")
    command = [uv, "run", "--no-project", "--python", sys.executable]
    code = ["python", "-c", "import os; print(os.environ['UV_PYTHON_PREFERENCE'])"]
    env = clean_env(tmp_path / "home")
    run = subprocess.run(
        [*command, "--env-file", tmp_path / ".env", *code],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert run.stdout == b"bogus\n"
    told = {**env, "UV_PYTHON_PREFERENCE": "bogus"}
    run = subprocess.run([*command, *code], env=told, cwd=tmp_path, capture_output=True, check=False)
    assert b"bogus" in run.stderr  # what uv itself says to it


def test_an_env_file_says_in_a_comment_that_it_cannot_change_path():
    lines = render((setting("/x/bin", "PATH"),), shell="dotenv").splitlines()
    assert lines[1] == "# A .env file cannot put a folder in front of PATH: call /x/bin/uv"


def test_an_env_file_quotes_only_where_it_must_because_docker_keeps_quotes():
    assert render((setting("file:///opt/x/100%25"),), shell="dotenv").endswith("V=file:///opt/x/100%25\n")


def toml_of(prefix: Path, uv: tuple[str, ...], *, offline: bool = False) -> str:
    return render(
        settings(
            ExportFacts(
                prefix=prefix,
                uv=uv,
                folders=frozenset({"mirror", "mirror-pypy", "mirror-graalpy"}),
                cache_complete=True,
                interpreters_installed=True,
                offline=offline,
            )
        ),
        shell="uv-toml",
    )


def list_with_config(uv, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    config = folder / "uv.toml"
    config.write_text(text, encoding="utf-8")
    return subprocess.run(
        [uv, "python", "list", "--only-downloads"],
        env={**clean_env(folder / "home"), "UV_CONFIG_FILE": str(config)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.uv
@pytest.mark.parametrize("version", [*VERSIONS, "newest"])
def test_the_real_uv_reads_the_file_that_is_made_for_it(version, uv, tmp_path):
    command = uv if version == "newest" else uv_of(version)
    prefix = tmp_path / "odd \"p\" \\ 'x' #1 100% jörg"
    row = tiny_tree(prefix / "current")
    run = list_with_config(
        command, toml_of(prefix, ("0.13.8" if version == "newest" else version,)), tmp_path
    )
    assert (run.returncode, run.stderr) == (0, "")
    if version != "0.6.17":  # which has no key for the list, so it shows its own
        assert [line.split()[0] for line in run.stdout.splitlines()] == [row.key]


@pytest.mark.uv
def test_an_older_uv_does_stop_at_the_file_of_a_newer_one(tmp_path):
    run = list_with_config(uv_of("0.6.17"), toml_of(tmp_path, ("0.7.3",)), tmp_path)
    assert run.returncode == 2
    assert "unknown field `python-downloads-json-url`" in run.stderr


def test_the_file_says_which_uv_it_is_for_and_what_it_leaves_out():
    text = toml_of(Path("/opt/uv-bundler").absolute(), ("0.13.8", "0.6.17"))
    others = (
        *("UV_PYTHON_DOWNLOADS_JSON_URL", "UV_GRAALPY_INSTALL_MIRROR", "UV_PYTHON_CACHE_DIR"),
        *("UV_PYTHON_INSTALL_DIR", "UV_OFFLINE", "PATH"),
    )
    assert text.splitlines()[:2] == [
        "# For uv 0.5.2 and newer: an older one stops at a key that it does not know.",
        f"# Not said here, but by the variables of `uv-bundler env`: {', '.join(others)}.",
    ]


def test_the_file_says_offline_as_a_truth_value_where_it_is_asked_for():
    assert "\noffline = true\n" in toml_of(Path("/opt/x").absolute(), ("0.13.8",), offline=True)
