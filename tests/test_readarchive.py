"""Reading archives of interpreters: each form that uv takes, and no way out of the folder."""

from __future__ import annotations

import os
import tarfile
import zipfile

import pytest
from pythonarchives import member, write

from bundler.connected.readarchive import members, unpack
from bundler.errors import UsageFault

GOOD = (
    member("python", kind=tarfile.DIRTYPE),
    member("python/bin/tool", mode=0o775, data=b"run"),
    member("python/bin/link", kind=tarfile.SYMTYPE, link="tool"),
    member("python/lib/hard", kind=tarfile.LNKTYPE, link="python/bin/tool"),
)


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz", ".tar.zst"])
def test_an_archive_is_unpacked_with_its_links_and_modes(tmp_path, suffix):
    archive = write(tmp_path / f"a{suffix}", *GOOD)
    unpack(archive, tmp_path / "out")
    tool = tmp_path / "out" / "python" / "bin" / "tool"
    assert tool.read_bytes() == b"run"
    assert tool.stat().st_mode & 0o777 == 0o755
    assert (tool.parent / "link").readlink().name == "tool"
    assert (tmp_path / "out" / "python" / "lib" / "hard").read_bytes() == b"run"


def test_a_zip_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("python/python.exe", b"MZ")
    unpack(tmp_path / "a.zip", tmp_path / "out")
    assert (tmp_path / "out" / "python" / "python.exe").read_bytes() == b"MZ"


BAD = {
    "a way up": (member("python/../../x"), "the member 'python/../../x' leads out of the archive"),
    "an absolute name": (member("/x"), "the member '/x' leads out of the archive"),
    "a link up": (
        member("python/x", kind=tarfile.SYMTYPE, link="../../x"),
        "the link 'python/x' leads out of the archive",
    ),
    "an absolute link": (
        member("python/x", kind=tarfile.SYMTYPE, link="/etc/passwd"),
        "the link 'python/x' leads out of the archive",
    ),
    "a hard link up": (
        member("python/x", kind=tarfile.LNKTYPE, link="../x"),
        "the link 'python/x' leads out of the archive",
    ),
    "a device": (
        member("python/x", kind=tarfile.CHRTYPE),
        "the member 'python/x' is neither file, folder nor link",
    ),
}


@pytest.mark.parametrize(("entry", "message"), BAD.values(), ids=BAD.keys())
def test_it_refuses(tmp_path, entry, message):
    archive = write(tmp_path / "a.tar.gz", entry)
    (tmp_path / "out").mkdir()
    with pytest.raises(UsageFault) as caught:
        unpack(archive, tmp_path / "out")
    assert caught.value.message == f"{archive}: {message}"
    assert sorted(os.listdir(tmp_path)) == ["a.tar.gz", "out"]


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.zst", ".zip"])
def test_a_truncated_archive_is_called_damaged(tmp_path, suffix):
    archive = write(tmp_path / f"a{suffix}", member("python/x", data=os.urandom(100_000)))
    archive.write_bytes(archive.read_bytes()[:50_000])
    with pytest.raises(UsageFault, match="is damaged"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("name", ["a.tar.xz", "a.tar.bz2", "a.7z"])
def test_what_newer_uv_does_not_read_is_refused_by_its_name(tmp_path, name):
    with pytest.raises(
        UsageFault, match=r"expected an archive that uv reads \(\.tar\.gz, \.tgz, \.tar\.zst, \.zip\)"
    ):
        list(members(tmp_path / name))


def test_a_missing_archive_is_said(tmp_path):
    with pytest.raises(UsageFault, match="cannot be read: No such file or directory"):
        list(members(tmp_path / "a.tar.gz"))
