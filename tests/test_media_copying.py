"""A file that is copied to a medium: synced before it has its name, readable by all, nothing half or followed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from bundles import make_bundle, tree
from cli import bundler
from mediafiles import write

from bundler.core.digest import Digest
from bundler.core.progress import Silent
from bundler.errors import DamagedFault, HostFault
from bundler.media import copying
from bundler.media.copying import put_bytes, put_file, temporary_path


@pytest.fixture
def usb(tmp_path):
    (tmp_path / "usb").mkdir()
    return tmp_path / "usb"


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "plant-7-7.uvb"
    path.write_bytes(make_bundle())
    return path


def test_a_file_is_synced_before_its_name_is_and_the_name_before_it_counts(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)

        def noted(*words, name=name, real=real):
            calls.append(
                name if name == "replace" or not Path(f"/proc/self/fd/{words[0]}").is_dir() else "folder"
            )
            return real(*words)

        monkeypatch.setattr(os, name, noted)
    put = put_bytes(b"content", tmp_path / "x.uvb")
    assert calls == ["fsync", "replace", "folder"]
    assert put.durable
    assert put.digest == Digest.of(b"content")


def test_a_large_file_is_synced_now_and_then_so_that_progress_is_that_of_the_drive(bundle, usb, monkeypatch):
    calls, real = [], os.fsync
    monkeypatch.setattr(copying, "_SYNC_EVERY", 1)
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append(handle), real(handle))[1])
    put_file(bundle, usb / bundle.name, size=bundle.stat().st_size, progress=Silent())
    assert len(calls) == 3  # its one piece, its end, the folder


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_file_that_cannot_be_synced_does_not_appear(bundle, usb, monkeypatch, code):
    def fail(_):
        raise OSError(code, os.strerror(code))

    (usb / bundle.name).write_bytes(b"what was there before")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(HostFault, match=os.strerror(code)):
        put_file(bundle, usb / bundle.name, size=bundle.stat().st_size, progress=Silent())
    assert tree(usb)[bundle.name][1] == b"what was there before"
    assert os.listdir(usb) == [bundle.name]


@pytest.mark.parametrize(("more", "word"), [(b"more", "more"), (None, "fewer")])
def test_a_source_that_changes_while_it_is_copied_is_refused(bundle, usb, more, word):
    size = bundle.stat().st_size
    bundle.write_bytes(bundle.read_bytes() + more if more else bundle.read_bytes()[:-1])
    with pytest.raises(DamagedFault, match=f"has {word} bytes than the {size} that it had before"):
        put_file(bundle, usb / bundle.name, size=size, progress=Silent())
    assert os.listdir(usb) == []


@pytest.mark.parametrize("late", [False, True], ids=["before", "at that moment"])
def test_a_link_that_waits_under_the_temporary_name_is_not_followed(usb, tmp_path, monkeypatch, late):
    target, victim = usb / "x.uvb", tmp_path / "victim"
    victim.write_bytes(b"keep")
    temporary_path(target).symlink_to(victim)
    if late:  # put there again, right after it was removed
        with monkeypatch.context() as patch, pytest.raises(HostFault, match=f"^{target}: File exists$"):
            patch.setattr(Path, "unlink", lambda *_, **__: None)
            put_bytes(b"content", target)
        assert not target.exists()
    else:
        put_bytes(b"content", target)
        assert (target.read_bytes(), target.is_symlink()) == (b"content", False)
    assert victim.read_bytes() == b"keep"


@pytest.mark.parametrize("fails", [False, True])
def test_all_users_of_a_far_machine_may_read_it_whatever_the_umask(bundle, usb, monkeypatch, fails):
    def refuse(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")  # as on FAT

    if fails:
        monkeypatch.setattr(os, "fchmod", refuse)
    before = os.umask(0o077)
    try:
        write([bundle], usb)
    finally:
        os.umask(before)
    modes = {one.stat().st_mode & 0o777 for one in usb.iterdir()}
    assert modes == ({0o600} if fails else {0o644})


def test_a_file_system_that_syncs_no_folders_is_not_called_durable(bundle, usb, monkeypatch):
    def refuse(_):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(copying, "sync_folder", refuse)
    done = bundler("write-media", bundle, "--to", usb)
    assert done.code == 0
    assert "safe to remove" not in done.stderr
    assert "eject or unmount it before you remove it" in done.stderr
