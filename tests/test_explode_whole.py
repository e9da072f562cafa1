"""An exploded folder appears whole or not at all."""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path

import pytest
from bundles import Packer, tree
from explodedfolders import FULL, exploded, files_below

from bundler.core.progress import Silent
from bundler.errors import DamagedFault, HostFault, SignatureFault, UsageFault
from bundler.offline import explode as exploding
from bundler.offline.explode import explode


def test_what_no_trusted_signer_signed_is_not_exploded(tmp_path):
    with pytest.raises(SignatureFault):
        explode(io.BytesIO(FULL), tmp_path / "open", name="x", trust=Packer(3).trust, progress=Silent())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("at", [0.5, 0.9, 0.999])
def test_a_damaged_bundle_leaves_nothing(at, tmp_path):
    data = bytearray(FULL)
    data[int(len(data) * at) if at < 0.99 else len(data) - 1] ^= 1
    with pytest.raises(DamagedFault):
        exploded(bytes(data), tmp_path / "open")
    with pytest.raises(DamagedFault):
        exploded(FULL[:-600], tmp_path / "open")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_already_is_not_touched(tmp_path):
    (tmp_path / "open").mkdir()
    with pytest.raises(UsageFault, match="exists already, expected the name of a new folder"):
        exploded(FULL, tmp_path / "open")
    with pytest.raises(UsageFault, match="no such folder, expected one for the files of the bundle"):
        exploded(FULL, tmp_path / "none" / "open")
    (tmp_path / "other.SHA256SUMS").touch()
    with pytest.raises(UsageFault, match=r"other.SHA256SUMS: exists already"):
        exploded(FULL, tmp_path / "other")
    assert tree(tmp_path).keys() == {"open", "other.SHA256SUMS"}


def test_too_little_room_is_told_before_anything_is_written(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(exploding.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(HostFault, match=r"1000 B free, expected 16\.\d MiB"):
        exploded(FULL, tmp_path / "open")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc to tell which file a descriptor is")
def test_every_file_and_folder_is_on_the_disk_before_the_folder_gets_its_name(tmp_path, monkeypatch):
    events = []
    sync, rename = os.fsync, Path.rename

    def synced(handle):
        events.append(Path(f"/proc/self/fd/{handle}").readlink())
        sync(handle)

    def renamed(path, target):
        events.append("renamed")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    exploded(FULL, tmp_path / "open")
    before = events[: events.index("renamed")]
    names = {"/".join(one.parts[len(tmp_path.parts) + 1 :]) for one in before}
    folders = {
        str(one.relative_to(tmp_path / "open")) for one in (tmp_path / "open").rglob("*") if one.is_dir()
    }
    wanted = {f"tree/{one}" for one in (*files_below(tmp_path / "open"), *folders)} | {"tree"}
    assert wanted <= names
    assert events[events.index("renamed") + 1] == tmp_path


def test_a_folder_that_cannot_be_moved_to_its_place_leaves_nothing(tmp_path, monkeypatch):
    def refused(path, target):
        raise OSError(28, "No space left on device", str(path), None, str(target))

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(HostFault, match="open: No space left on device"):
        exploded(FULL, tmp_path / "open")
    assert list(tmp_path.iterdir()) == []
