"""Names against a file system with Windows' rules: NTFS through FUSE, ignoring case, refusing what Windows refuses."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import string
import subprocess
import sys

import pytest
from bundles import make_bundle, unpack_bytes

from bundler.core.fault import Fault
from bundler.core.names import check_distinct, portable_path
from bundler.errors import HostFault

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs FUSE on Linux")
PIECES = ["con", "aux", "nul", "com1", "lpt9", ".", "..", "a", "B", "b.txt", "_", "-", "+", "x" * 60, " ", ":", "?", "*", "<", "|", '"', "é", "\u202e", "\x1b", "\n", "~1", "$MFT", "tar.gz"]  # fmt: skip


@pytest.fixture
def ntfs(tmp_path):
    for tool in ("mkfs.ntfs", "lowntfs-3g"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool} (Debian: ntfs-3g)")
    image, at = tmp_path / "image", tmp_path / "ntfs"
    at.mkdir()
    with image.open("wb") as stream:
        stream.truncate(64 << 20)
    subprocess.run(["mkfs.ntfs", "-F", "-q", image], capture_output=True, check=True)
    options = "ignore_case,windows_names,permissions"
    done = subprocess.run(
        ["lowntfs-3g", "-o", options, image, at], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"needs to mount with FUSE, which is not allowed here: {done.stderr.strip()[:100]}")
    yield at
    subprocess.run(["umount", "-l", at], check=True)


def names():
    """Return some hundred names, hostile and harmless ones, the same in every run."""
    rng = random.Random(3)
    made = {"".join(rng.choices(PIECES, k=rng.randint(1, 3))) for _ in range(500)}
    made |= {"".join(rng.choices(string.ascii_letters + "._+-", k=8)) for _ in range(100)}
    return sorted(one for one in made if "/" not in one and "\0" not in one)


def accepted(name):
    try:
        return portable_path(name) == name
    except Fault:
        return False


def test_every_name_that_is_accepted_can_be_a_file_there_and_comes_back_as_it_was(ntfs):
    good = [name for name in names() if accepted(name)]
    assert len(good) > 100
    assert len(good) < len(names()) - 200
    for name in good:
        folder = ntfs / str(len(name))
        folder.mkdir(exist_ok=True)
        if not (folder / name).exists():
            (folder / name).write_text(name)
    back = {one.name.casefold() for one in ntfs.glob("[0-9]*/*")}
    assert {name.casefold() for name in good} <= back


def test_every_name_that_windows_refuses_is_refused(ntfs):
    refused = []
    for name in names():
        try:
            (ntfs / name).write_text("")
        except OSError:
            refused.append(name)
    assert len(refused) > 50
    assert [name for name in refused if accepted(name)] == []


def test_two_names_are_told_apart_where_the_file_system_takes_them_for_one(ntfs):
    good = [
        name
        for name in ("a", "A", "ab.txt", "AB.TXT", "Straße", "cpython-3.13+x", "CPython-3.13+X", "b")
        if accepted(name)
    ]
    for number, (one, other) in enumerate(itertools.combinations(good, 2)):
        folder = ntfs / f"pair-{number}"  # one that was never looked into: FUSE remembers
        folder.mkdir()
        (folder / one).write_text("")
        clash = (folder / other).exists()
        try:
            check_distinct([one, other])
            told = False
        except Fault:
            told = True
        assert told == clash, (one, other)


def test_a_bundle_is_unpacked_there_or_refused_as_unsuitable(ntfs):
    try:
        unpack_bytes(make_bundle(), ntfs / "prefix")
    except HostFault:
        assert not (ntfs / "prefix" / "current").exists()
    else:
        assert os.access(ntfs / "prefix" / "current" / "bin" / "uv", os.X_OK)
        unpack_bytes(make_bundle(serial=8), ntfs / "prefix")
        assert len(list((ntfs / "prefix" / "generations").iterdir())) == 2
