"""Streams of hostile archives: nothing of them leads out of the trees, stays special or takes long."""

import io
import tarfile
import time

import pytest
import smallpythons
import zstandard
from openedtrees import listing, trees
from smallpythons import LINUX, gzipped, ingredient, tar

from bundler.connected import tarparts
from bundler.connected.pieces import Cut
from bundler.connected.recompress import recompress
from bundler.connected.streams import Layout, without_versions
from bundler.core.progress import Silent


@pytest.fixture
def box(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def test_names_that_would_lead_out_or_meet_do_neither(box, tmp_path):
    entries = [
        ("../../out", b"1", {}), ("/rooted", b"2", {}), ("./a//b", b"3", {}), ("twice", b"4", {}), ("twice", b"5", {}),
        ("deep/" * 60 + "a", b"6", {}), ("x" * 130, b"7", {}), ("d/" + "y" * 99, b"8", {}), ("ä", b"9", {}),
        ("link", b"", {"type": tarfile.LNKTYPE, "linkname": "deep/" * 60 + "a"}),
    ]  # fmt: skip
    one = ingredient(box, gzipped(tar(entries)), name="odd.tar.gz")
    found = {name: content for name, (content, _) in listing(trees([one], tmp_path) / "odd").items()}
    assert found == {
        "_/_/out": b"1", "rooted": b"2", "a/b": b"3", "twice": b"5", "twice~3": b"4", "deep/" * 60 + "a": b"6",
        "x" * 130: b"7", "d/" + "y" * 99: b"8", "ä": b"9", "link": b"6",
    }  # fmt: skip
    assert not (tmp_path / "desk" / "out").exists()


def test_nothing_is_written_through_a_link_of_an_archive(box, tmp_path):
    """A link that leads out of the trees is left out: what comes later could follow it."""
    out = tmp_path / "out"
    (out / "0.13.8" / str(LINUX)).mkdir(parents=True)

    def link(name, target):
        return name, b"", {"type": tarfile.SYMTYPE, "linkname": target}

    entries = [
        ("dir/file", b"1", {}), link("absolute", str(out)), link("above", "../../../out"), link("dir/up", "../file"),
        link("dir/far", "../../x"), link("around", "dir/../../x"), link("here", "."), link("here/here/out", "../.."),
        ("here/folder", b"", {"type": tarfile.DIRTYPE}), link("good", "dir/file"), link("0.13.8", f"{out}/0.13.8"),
    ]  # fmt: skip
    wanted = [
        ingredient(box, gzipped(tar(entries)), path="mirror/own-123456789/uv.tar.gz"),
        ingredient(
            box, gzipped(tar([("a", b"2", {"mode": 0o4755})])), path="mirror/own-123456789/UV~2.tar.gz"
        ),
        ingredient(box, smallpythons.code("uv"), path=f"uv/0.13.8/{LINUX}/uv", role="uv"),
    ]
    found = listing(trees(wanted, tmp_path))
    assert {name: what for name, what in found.items() if what[0] == "link"} == {
        "uv~2/good": ("link", "dir/file"), "uv~2/dir/up": ("link", "../file"), "uv~2/here": ("link", "."),
    }  # fmt: skip
    assert f"uv/0.13.8/{LINUX}/uv" in found
    assert "UV~2~2/a" in found
    assert not [one for one in out.rglob("*") if one.is_file()]


def test_no_mode_beyond_permissions_and_no_device_reaches_a_stream(box, tmp_path):
    entries = [
        ("file", b"1", {"mode": 0o6755}), ("folder", b"", {"type": tarfile.DIRTYPE, "mode": 0o7777}),
        ("link", b"", {"type": tarfile.LNKTYPE, "linkname": "file", "mode": 0o4755}),
        ("device", b"", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}), ("pipe", b"", {"type": tarfile.FIFOTYPE}),
    ]  # fmt: skip
    (tmp_path / "spool").mkdir()
    one = ingredient(box, gzipped(tar(entries)), name="x.tar.gz")
    made = recompress([one], level="fast", spool=tmp_path / "spool", progress=Silent())
    text = next(one.file for one in made.stored if "text" in one.member.path).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(zstandard.ZstdDecompressor().decompress(text))) as archive:
        members = archive.getmembers()
    assert {one.name for one in members} == {"x/file", "x/folder", "x/link"}
    assert all(one.mode <= 0o777 and (one.isfile() or one.isdir() or one.islnk()) for one in members)


def test_many_entries_of_one_name_take_no_longer_than_as_many_names(box):
    same = [tarparts.Entry(
        begin=0, data=512, size=0, end=512, name="l", kind=tarparts.LINK, mode=0o644, mtime=0, target="a"
    )] * 50_000  # fmt: skip
    one = ingredient(box, gzipped(tar([("a", b"1", {})])), name="x.tar.gz")
    begun = time.monotonic()
    Layout([Cut(ingredient=one, extra=same)])
    assert time.monotonic() - begun < 10  # counting from the begin for each takes minutes


def test_a_name_of_many_digits_is_read_once():
    begun = time.monotonic()
    assert without_versions("1" * 4000 + "/3.13.5") == "1" * 4000 + "/X"
    assert without_versions("1" * 60_000) == "1" * 60_000
    assert time.monotonic() - begun < 5
