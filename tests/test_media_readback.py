"""`write-media` without mounts: all is read back once all is written, and each file is told apart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bundles import make_bundle
from cli import bundler, check_refusal
from mediafiles import three_volumes, write

from bundler.core.digest import Digest
from bundler.core.progress import Silent
from bundler.media import readback, writing
from bundler.media.mounts import UNKNOWN, Mount
from bundler.media.readback import Expected, read_back


@pytest.fixture
def usb(tmp_path):
    (tmp_path / "usb").mkdir()
    return tmp_path / "usb"


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "plant-7-7.uvb"
    path.write_bytes(make_bundle())
    return path


@pytest.fixture
def volumes(tmp_path):
    return three_volumes(tmp_path / "volumes")


def expected(folder, name, content):
    (folder / name).write_bytes(content)
    return Expected(name=name, size=len(content), digest=Digest.of(content))


def test_each_file_is_told_apart(tmp_path):
    files = [expected(tmp_path, name, b"x" * 5000) for name in ("good", "other", "short", "gone", "empty")]
    files[4] = expected(tmp_path, "empty", b"")
    (tmp_path / "other").write_bytes(b"y" * 5000)
    (tmp_path / "short").write_bytes(b"x" * 4000)
    (tmp_path / "gone").unlink()
    back = read_back(files, tmp_path, mount=UNKNOWN, progress=Silent())
    assert [one.wrong for one in back.outcomes] == [
        "",
        "its sha256 is another one",
        "has 4000 bytes, expected 5000",
        "cannot be read: No such file or directory",
        "",
    ]
    assert [one.file.name for one in back.bad] == ["other", "short", "gone"]
    assert back.level.value == "cached"  # of an unknown mount nothing is claimed


@pytest.mark.parametrize(
    ("kind", "reached", "level"),
    [
        ("vfat", {"dropped"}, "dropped"),
        ("vfat", {}, "cached"),
        ("vfat", {"flushed", "dropped"}, "device"),
        ("vfat", {"flushed"}, "cached"),
        ("fuseblk", {"dropped"}, "cached"),  # the program in between has a cache of its own
        ("fuseblk", {"flushed", "dropped"}, "device"),
        ("tmpfs", {"dropped"}, "cached"),
        (UNKNOWN.kind, {"dropped"}, "cached"),
    ],
)
def test_no_higher_level_is_said_than_was_reached(tmp_path, monkeypatch, kind, reached, level):
    monkeypatch.setattr(readback, "_flush_device", lambda _: "flushed" in reached)
    monkeypatch.setattr(readback, "_in_memory", lambda _: "dropped" not in reached)
    mount = Mount(point="/media/usb", kind=kind, source="none", device=None, options=frozenset())
    files = [expected(tmp_path, "x", b"x")]
    assert read_back(files, tmp_path, mount=mount, progress=Silent()).level.value == level


def test_a_medium_that_drops_what_is_past_its_end_is_found_in_every_file_that_it_hit(
    volumes, usb, monkeypatch
):
    kept, real = 1 << 20 | 5000, os.write

    class Fake:
        taken = 0

        def write(self, handle, data):
            name = str(Path(f"/proc/self/fd/{handle}").readlink())
            if ".uvb" not in name or "probe" in name:
                return real(handle, data)
            left = max(0, kept - self.taken)
            self.taken += len(data)
            real(handle, bytes(data[:left]).ljust(len(data), b"\0"))
            return len(data)

    monkeypatch.setattr(os, "write", Fake().write)
    done = bundler("write-media", *volumes, "--to", usb)
    check_refusal(
        done,
        5,
        f"in 2 of 4 files: {volumes[1].name}, {volumes[2].name} (its sha256 is another one)",
        "f3probe",
    )
    assert "safe to remove" not in done.stderr


def test_all_is_written_before_anything_is_read_back(volumes, usb, monkeypatch):
    events = []
    put, look = writing.put_file, readback._look
    monkeypatch.setattr(
        writing, "put_file", lambda *words, **more: (events.append("write"), put(*words, **more))[1]
    )
    monkeypatch.setattr(readback, "_look", lambda *words: (events.append("read"), look(*words))[1])
    write(volumes, usb)
    assert events == ["write"] * 3 + ["read"] * 4


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_that_a_list_on_the_drive_names_is_not_waited_for(bundle, usb):
    os.mkfifo(usb / "waits")
    (usb / "SHA256SUMS").write_text(f"{'0' * 64}  waits\n")
    assert write([bundle], usb).load.writing
    assert (usb / "SHA256SUMS").read_text().endswith("  plant-7-7.uvb\n")
