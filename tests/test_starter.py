"""`uv-bundler init`: a commented manifest that loads as it is."""

import re
from pathlib import Path

import pytest

from bundler.connected.manifest import load_manifest, parse_manifest
from bundler.connected.starter import STARTER, write_starter
from bundler.core.platforms import host_platform
from bundler.errors import HostFault, UsageFault


def test_the_starter_loads_as_it_is(tmp_path):
    path = tmp_path / "bundle.yaml"
    write_starter(path)
    manifest = load_manifest(path)
    assert manifest.platforms == (host_platform(),)
    assert [wish.request for wish in manifest.pythons] == ["3.13"]
    assert manifest.uv == ("latest",)


def test_every_line_that_is_commented_out_may_be_put_in():
    lines = [re.sub(r"^( *)# (?=- |  |sources:|builds:)", r"\1", line) for line in STARTER.splitlines()]
    text = "\n".join(lines[lines.index("version: 1") :])
    for_linux = text.replace("  - host\n", "").replace("3.11.7}", "3.11.7, platform: linux-x86_64-gnu}")
    assert "# " in for_linux
    assert not re.search("^ *# *[-{]", for_linux, re.MULTILINE)
    manifest = parse_manifest(for_linux.encode(), path=Path("bundle.yaml"))
    assert len(manifest.platforms) == 4
    assert len(manifest.builds) == 2
    assert len(manifest.pythons) == 2
    assert manifest.sources.index
    assert len(manifest.sources.pythons) == 1


def test_the_starter_has_unix_line_ends_and_plain_ascii(tmp_path):
    path = tmp_path / "bundle.yaml"
    write_starter(path)
    assert path.read_bytes() == STARTER.encode("ascii")


def test_what_is_there_already_is_kept(tmp_path):
    path = tmp_path / "bundle.yaml"
    path.write_text("mine")
    with pytest.raises(UsageFault) as caught:
        write_starter(path)
    assert caught.value.message == f"{path}: is there already, expected a new file"
    assert path.read_text() == "mine"


def test_a_link_that_leads_nowhere_is_not_written_through(tmp_path):
    path = tmp_path / "bundle.yaml"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageFault):
        write_starter(path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_missing_folder_is_named(tmp_path):
    path = tmp_path / "none" / "bundle.yaml"
    with pytest.raises(UsageFault) as caught:
        write_starter(path)
    assert caught.value.message == f"{path}: expected a folder {path.parent} to write it into, found none"
    assert not path.parent.exists()


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            stream.close()

        def write(self, _):
            raise OSError(28, "No space left on device")

    path = tmp_path / "bundle.yaml"
    stream = path.open("x", encoding="utf-8")
    monkeypatch.setattr(Path, "open", lambda *_, **__: Full())
    with pytest.raises(HostFault) as caught:
        write_starter(path)
    assert caught.value.message == f"{path}: cannot be written: No space left on device"
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_a_fault_of_the_host():
    path = Path("/proc/bundle.yaml")
    if not path.parent.is_dir():
        pytest.skip("no /proc here")
    with pytest.raises(HostFault) as caught:
        write_starter(path)
    assert caught.value.message.startswith(f"{path}: cannot be written: ")
