"""pip's settings, read as pip reads them; pip itself is the judge."""

import os
import subprocess
import sys

import pytest

from bundler.connected.pipconfig import config_files, pip_setting
from bundler.errors import UsageFault


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """Give each test an empty home and no settings of the person who runs the tests."""
    for name in [*os.environ]:
        if name.startswith(("PIP_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "etc"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_variable_wins_over_every_file(home, monkeypatch):
    write(home / ".config/pip/pip.conf", "[global]\nindex-url = https://a.example\n")
    monkeypatch.setenv("PIP_INDEX_URL", "https://b.example")
    found = pip_setting("index-url")
    assert (found.value, found.place) == ("https://b.example", "PIP_INDEX_URL")


def test_later_files_win(home, monkeypatch):
    text = "[global]\nindex-url = https://{}.example\n"
    for name, path in (
        ("site", home / "etc/pip/pip.conf"),
        ("old", home / ".pip/pip.conf"),
        ("user", home / ".config/pip/pip.conf"),
        ("venv", home / "venv/pip.conf"),
        ("named", home / "named.conf"),
    ):
        write(path, text.format(name))
        if name == "named":
            monkeypatch.setenv("PIP_CONFIG_FILE", str(path))
        assert pip_setting("index-url").value == f"https://{name}.example"
        assert pip_setting("index-url").place == str(path)


def test_the_files_are_those_that_pip_itself_reads(home, monkeypatch):
    text = subprocess.run(
        [sys.executable, "-m", "pip", "config", "debug"], capture_output=True, text=True, check=False
    ).stdout
    if "exists:" not in text:
        pytest.skip("needs pip in this environment as the judge")
    monkeypatch.undo()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(home / "etc"))
    monkeypatch.delenv("PIP_CONFIG_FILE", raising=False)
    run = subprocess.run(
        [sys.executable, "-m", "pip", "config", "debug"], capture_output=True, text=True, check=True
    )
    theirs = {
        line.strip().partition(", exists:")[0] for line in run.stdout.splitlines() if ", exists:" in line
    }
    assert theirs == {str(path) for path in config_files()}


def test_the_section_of_install_wins_and_underscores_are_taken(home):
    write(home / "venv/pip.conf", "[global]\ncert = /a\n[install]\ncert = /b\n")
    assert pip_setting("cert").value == "/b"
    write(home / "venv/pip.conf", "[global]\nindex_url = https://u.example\n")
    assert pip_setting("index-url").value == "https://u.example"


def test_percent_signs_are_left_alone(home):
    write(home / "venv/pip.conf", "[global]\nindex-url = https://a%40b:p%25@h.example/simple\n")
    assert pip_setting("index-url").value == "https://a%40b:p%25@h.example/simple"


def test_the_null_device_turns_files_off(home, monkeypatch):
    write(home / "venv/pip.conf", "[global]\nindex-url = https://u.example\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert pip_setting("index-url") is None


@pytest.mark.parametrize("data", [b"index-url = x\n", b"[global]\nindex-url", b"\xff\xfe[global]\n"])
def test_a_broken_file_is_named(home, data):
    path = home / "venv/pip.conf"
    path.parent.mkdir()
    path.write_bytes(data)
    with pytest.raises(UsageFault) as caught:
        pip_setting("index-url")
    assert caught.value.message.startswith(f"{path}: pip's configuration cannot be read: ")
    assert caught.value.hint
