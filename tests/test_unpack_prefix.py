"""What others left or may write in a prefix is neither followed nor built upon."""

import os
from pathlib import Path

import pytest
from bundles import PACKER, Packer, make_bundle, unpack_bytes

from bundler.errors import DamagedFault, HostFault


@pytest.fixture
def prefix(tmp_path):
    return tmp_path / "prefix with space"


def test_a_symlinked_prefix_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(HostFault, match="is a symbolic link, expected a folder"):
        unpack_bytes(make_bundle(), tmp_path / "link")
    assert list((tmp_path / "real").iterdir()) == []


@pytest.mark.parametrize("mode", [0o775, 0o777])
def test_a_prefix_that_others_may_write_to_is_refused(tmp_path, mode):
    (tmp_path / "p").mkdir()
    (tmp_path / "p").chmod(mode)
    with pytest.raises(HostFault) as caught:
        unpack_bytes(make_bundle(), tmp_path / "p")
    assert f"mode is {mode:04o}, expected no write for group and others" in str(caught.value)
    assert caught.value.hint == f"chmod go-w {tmp_path / 'p'}"


def test_links_that_wait_inside_the_prefix_lead_nowhere(prefix, tmp_path):
    (tmp_path / "outside").mkdir()
    prefix.mkdir()
    for name in ("generations", "staging", "state"):
        (prefix / name).symlink_to(tmp_path / "outside")
        with pytest.raises(HostFault, match="is a symbolic link"):
            unpack_bytes(make_bundle(), prefix)
        (prefix / name).unlink()
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_read_only_prefix_is_named(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root writes through modes; test_hosts.py mounts a read-only file system instead")
    (tmp_path / "p").mkdir()
    (tmp_path / "p").chmod(0o555)
    with pytest.raises(HostFault, match="Permission denied"):
        unpack_bytes(make_bundle(), tmp_path / "p")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.parametrize("name", ["generations", "staging", "state", "python"])
def test_a_folder_of_the_prefix_that_others_may_write_is_refused(prefix, name):
    (prefix / name).mkdir(parents=True)
    (prefix / name).chmod(0o777)
    with pytest.raises(HostFault, match=f"{name}: mode is 0777, expected no write for group and others"):
        unpack_bytes(make_bundle(), prefix)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="needs root, to give a folder away")
@pytest.mark.parametrize("name", ["generations", "staging", "state", "python"])
def test_a_folder_of_the_prefix_that_another_user_planted_is_refused(prefix, name):
    (prefix / name).mkdir(parents=True)
    os.chown(prefix / name, 1234, 1234)
    with pytest.raises(HostFault, match=f"{name}: belongs to user 1234, expected user 0 or root"):
        unpack_bytes(make_bundle(), prefix)


@pytest.mark.parametrize("packer", [PACKER, Packer(9)], ids=["trusted", "unknown"])
def test_a_staging_folder_of_somebody_else_is_left_alone(prefix, packer):
    mine = prefix / "staging" / "web" / "index.html"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(HostFault, match="web: is not from uv-bundler"):
        unpack_bytes(make_bundle(packers=(packer,)), prefix)
    assert mine.read_text() == "mine"


def _fifo(path):
    os.mkfifo(path)


def _link(path):
    path.symlink_to("/dev/zero")


def _dangling(path):
    path.symlink_to(path.parent / "nothing")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs in folders")
@pytest.mark.parametrize("plant", [_fifo, _link, _dangling])
@pytest.mark.parametrize("name", ["state/serials.json", "current/generation.json", "current/bundle.json"])
def test_a_record_that_is_no_regular_file_is_refused_without_waiting(prefix, name, plant):
    unpack_bytes(make_bundle(serial=7), prefix)
    (prefix / name).unlink()
    plant(prefix / name)
    with pytest.raises((HostFault, DamagedFault), match=rf"{Path(name).name}: (is no reg|Too many levels)"):
        unpack_bytes(make_bundle(serial=8), prefix)


@pytest.mark.parametrize("name", ["state/serials.json", "current/generation.json"])
def test_a_record_of_gigabytes_is_refused_after_its_limit(prefix, name):
    unpack_bytes(make_bundle(serial=7), prefix)
    os.truncate(prefix / name, 3 << 30)
    with pytest.raises(DamagedFault, match="expected at most"):
        unpack_bytes(make_bundle(serial=8), prefix)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs in folders")
def test_a_fifo_in_place_of_an_archive_is_written_anew(prefix):
    unpack_bytes(make_bundle(), prefix)
    (held,) = (prefix / "current").resolve().glob("mirror/*/*.tar.gz")
    held.unlink()
    os.mkfifo(held)
    unpack_bytes(make_bundle(), prefix)
    (anew,) = (prefix / "current").glob("mirror/*/*.tar.gz")
    assert anew.is_file()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="needs root, to give a link away")
def test_a_link_of_another_user_on_the_way_to_the_prefix_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    unpack_bytes(make_bundle(), tmp_path / "link" / "prefix")
    os.lchown(tmp_path / "link", 1234, 1234)
    with pytest.raises(HostFault, match="link: is a symbolic link of user 1234, who can turn it elsewhere"):
        unpack_bytes(make_bundle(), tmp_path / "link" / "prefix")
