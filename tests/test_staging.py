import os
from pathlib import Path

import pytest
from bundles import HOST
from descriptors import open_descriptors

from bundler.core.digest import Digest
from bundler.core.index import Artifact
from bundler.errors import HostFault
from bundler.offline.staging import Staging

pytestmark = pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="counts open files in /dev/fd")


def test_hundreds_of_files_keep_few_descriptors_open(tmp_path, monkeypatch):
    most = 0
    real = os.fsync

    def slow(handle):
        nonlocal most
        most = max(most, len(open_descriptors() - before))
        real(handle)

    monkeypatch.setattr(os, "fsync", slow)
    before = open_descriptors()
    with Staging(tmp_path / "1") as staging:
        for number in range(300):
            staging.write(f"mirror/{number}", b"x")
        staging.finish()
    assert most < 24
    assert open_descriptors() <= before


def test_a_failure_leaves_no_descriptor_open(tmp_path):
    before = open_descriptors()
    with pytest.raises(ZeroDivisionError), Staging(tmp_path / "1") as staging:
        for number in range(40):
            staging.write(f"mirror/{number}", b"x")
        raise ZeroDivisionError
    assert open_descriptors() <= before


def test_a_sync_that_fails_fails_the_generation(tmp_path, monkeypatch):
    def broken(_):
        raise OSError(5, "Input/output error")

    with pytest.raises(HostFault, match="Input/output error") as caught, Staging(tmp_path / "1") as staging:
        monkeypatch.setattr(os, "fsync", broken)
        staging.write("mirror/a", b"x")
        staging.finish()
    assert "the device reports an error" in caught.value.hint


def test_a_name_is_never_written_twice(tmp_path):
    with Staging(tmp_path / "1") as staging:
        staging.write("mirror/a", b"x")
        with pytest.raises(HostFault, match="File exists"):
            staging.write("mirror/a", b"y")
    assert (tmp_path / "1" / "mirror" / "a").read_bytes() == b"x"


def test_where_there_are_no_hard_links_the_content_is_copied(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refused)
    with Staging(tmp_path / "1") as staging:
        with staging.file("uv/1/a/uv", executable=True) as append:
            append(b"program")
        staging.link(tmp_path / "1" / "uv" / "1" / "a" / "uv", "bin/uv")
        staging.finish()
    copy = tmp_path / "1" / "bin" / "uv"
    assert copy.read_bytes() == b"program"
    assert copy.stat().st_mode & 0o777 == 0o755


def test_only_content_with_the_right_digest_is_adopted(tmp_path):
    old = tmp_path / "old"
    old.write_bytes(b"content")
    wanted = Artifact(
        path="mirror/a",
        size=7,
        sha256=Digest.of(b"content"),
        role="archive",
        member="payload/a",
        platform=HOST,
    )
    with Staging(tmp_path / "1") as staging:
        assert staging.adopt(old, wanted)
        old.write_bytes(b"c0ntent")
        assert not staging.adopt(old, wanted)
        assert not staging.adopt(tmp_path / "none", wanted)
        (tmp_path / "link").symlink_to(old)
        assert not staging.adopt(tmp_path / "link", wanted)
