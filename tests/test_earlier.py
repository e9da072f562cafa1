"""What `--since` names: read like a stranger's letter, and its content found wherever it still is."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from bundles import archive, make_bundle, small_content
from quarters import SESSION, Notes

from bundler.connected import earlierbundle
from bundler.connected.cache import Cache
from bundler.connected.earlier import MAX_BASES, read_earlier
from bundler.connected.earliercontent import Contents
from bundler.connected.fetch import Fetcher
from bundler.connected.gather import Supplies
from bundler.connected.sources import folders
from bundler.core.digest import Digest
from bundler.core.index import parse_index
from bundler.errors import DamagedFault, HostFault, UsageFault
from bundler.offline.reader import BundleReader


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "q3.uvb"
    path.write_bytes(make_bundle())
    return path


def index_of(bundle):
    """Write the index of a bundle beside it, as a host has it."""
    path = bundle.with_suffix(".json")
    with bundle.open("rb") as stream:
        path.write_bytes(BundleReader(stream, name="q3").read_signed_index().raw)
    return path


def read(*files, name="plant-7", serial=8):
    return read_earlier(files, name=name, serial=serial)


def test_a_bundle_and_its_index_say_the_same(bundle):
    (whole,) = read(bundle)
    (front,) = read(index_of(bundle))
    assert (whole.base, whole.index) == (front.base, front.index)
    assert whole.base.title == "plant-7 2026Q4 (serial 7)"
    assert (whole.bundle, front.bundle) == (bundle, None)


def test_only_the_front_of_a_bundle_is_read(bundle):
    data = bundle.read_bytes()
    bundle.write_bytes(data[: data.index(b"SHA256SUMS\0") + 512])
    assert read(bundle)[0].base.serial == 7


def test_the_same_index_twice_counts_once_and_the_bundle_goes_first(bundle):
    for files in ((bundle, index_of(bundle)), (index_of(bundle), bundle), (bundle, bundle)):
        (one,) = read(*files)
        assert one.bundle == bundle


def test_the_order_of_the_words_does_not_matter(bundle, tmp_path):
    other = tmp_path / "q2.uvb"
    other.write_bytes(make_bundle(serial=6))
    assert [one.base.serial for one in read(bundle, other)] == [6, 7]
    assert read(bundle, other) == read(other, bundle)


def test_another_name_is_refused(bundle):
    with pytest.raises(
        UsageFault, match=r"q3\.uvb: is plant-7 2026Q4 \(serial 7\), expected an earlier bundle of plant-8"
    ):
        read(bundle, name="plant-8")


@pytest.mark.parametrize("serial", [7, 6])
def test_what_is_not_older_is_refused(bundle, serial):
    with pytest.raises(UsageFault, match=f"expected a serial before {serial}, which is packed now") as caught:
        read(bundle, serial=serial)
    assert caught.value.exit_code == 2


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path):
    with pytest.raises(UsageFault, match=r"none\.uvb: no such file, expected an earlier bundle"):
        read(tmp_path / "none.uvb")
    with pytest.raises(UsageFault, match="expected a bundle's files in this folder, found none"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "ends|expected"),
        (b"MZ" + bytes(600), "expected"),
        (b"{}", "missing, but required"),
        (b"{" * 40, "bundle.json: "),
        (b"{" + b" " * (16 << 20), "expected at most 16777216 bytes of index, found more"),
    ],
    ids=["empty", "program", "object", "nested", "large"],
)
def test_what_is_neither_bundle_nor_index_is_one_clear_line(tmp_path, content, message):
    path = tmp_path / "q3"
    path.write_bytes(content)
    with pytest.raises(DamagedFault, match=message) as caught:
        read(path)
    assert "q3: " in caught.value.message
    assert "\n" not in caught.value.message


def test_an_index_whose_shape_is_wrong_is_told_with_the_path_to_the_fault(bundle):
    path = index_of(bundle)
    document = json.loads(path.read_bytes())
    document["artifacts"][0]["sha256"] = "0"
    path.write_text(json.dumps(document))
    with pytest.raises(DamagedFault, match=r"artifacts\[0\]\.sha256"):
        read(path)


def test_more_bundles_than_an_index_can_name_are_refused(bundle, tmp_path):
    path, files = index_of(bundle), []
    for serial in range(1, MAX_BASES + 2):
        document = json.loads(path.read_bytes()) | {"serial": serial}
        files.append(tmp_path / f"{serial}.json")
        files[-1].write_text(json.dumps(document))
        parse_index(files[-1].read_bytes())
    assert len(read(*files[:-1], serial=100)) == MAX_BASES
    with pytest.raises(UsageFault, match="names 17 bundles, expected at most 16"):
        read(*files, serial=100)


class Shop:
    """Contents over an empty cache, no index, and a mirror without files."""

    def __init__(self, folder, *files):
        self.mirror, self.notes = folder / "mirror", Notes()
        self.mirror.mkdir()
        self.cache = Cache(folder / "cache")
        self.earlier = read(*files)
        session = SESSION()
        fetcher = Fetcher(
            cache=self.cache, session=session, progress=self.notes, folders=folders([str(self.mirror)])
        )
        supplies = Supplies(
            index=str(folder / "simple"), mirrors=(str(self.mirror),), session=session, cache=self.cache,
            fetcher=fetcher,
        )  # fmt: skip
        self.contents = Contents(earlier=self.earlier, supplies=supplies, progress=self.notes)

    def has(self, file):
        """Let a file be one of those that are packed."""
        self.contents = replace(self.contents, own={Digest.of(file.read_bytes()): file})

    def fetch(self, role="archive"):
        wanted = [one for one in self.earlier[0].index.artifacts if one.role == role]
        found = self.contents.fetch(wanted)
        return [found[one.sha256].read_bytes() for one in wanted if one.sha256 in found]


def test_content_comes_out_of_the_bundle_and_stays_in_the_cache(tmp_path, bundle):
    shop = Shop(tmp_path, bundle)
    assert shop.fetch() == [small_content()]
    assert all(data.startswith(b"#!/bin/sh\necho uv") for data in shop.fetch("uv"))
    bundle.unlink()
    assert shop.fetch() == [small_content()]
    assert len(shop.fetch("uv")) == 2
    assert shop.notes.lines == []


def test_a_bundle_that_needs_more_than_the_disk_has_is_told_before_it_is_opened(
    tmp_path, bundle, monkeypatch
):
    shop = Shop(tmp_path, bundle)
    free = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    monkeypatch.setattr(earlierbundle, "copy_member", None)
    with pytest.raises(HostFault, match=r"q3\.uvb: taking out of it .* needs 2\.9 KiB .*found 1000 B free"):
        shop.fetch()


def test_a_cache_that_was_tampered_with_is_no_source(tmp_path, bundle):
    shop = Shop(tmp_path, bundle)
    shop.fetch()
    (cached,) = (one for one in (tmp_path / "cache" / "sha256").rglob("*") if one.is_file())
    cached.write_bytes(small_content(seed=9))
    assert shop.fetch() == [small_content()]


def test_with_an_index_alone_content_is_fetched_from_the_sources_of_today(tmp_path, bundle):
    shop = Shop(tmp_path, index_of(bundle))
    (shop.mirror / "some-name.tar.gz").write_bytes(small_content())
    assert shop.fetch() == [small_content()]


def test_with_an_index_alone_an_own_build_that_did_not_change_is_taken_from_what_is_packed(tmp_path, bundle):
    shop = Shop(tmp_path, index_of(bundle))
    (tmp_path / "own.tar.gz").write_bytes(small_content())
    shop.has(tmp_path / "own.tar.gz")
    assert shop.fetch() == [small_content()]
    assert shop.notes.lines == []


def test_what_cannot_be_had_is_said_and_left_out(tmp_path, bundle):
    shop = Shop(tmp_path, index_of(bundle))
    assert shop.fetch() == []
    assert shop.fetch("uv") == []
    assert len(shop.notes.lines) == 3
    key = archive(small_content())[1].key
    assert shop.notes.lines[0].startswith(f"{key} of an earlier bundle cannot be had, so nothing is encoded")
    assert shop.notes.lines[0].endswith("; name the bundle itself with --since to have it")


@pytest.mark.parametrize("how", ["damaged", "replaced"])
def test_a_bundle_that_is_not_what_its_index_says_gives_nothing(tmp_path, bundle, how):
    shop = Shop(tmp_path, bundle)
    content = bytearray(bundle.read_bytes())
    content[content.index(small_content()) + 7] ^= 1
    bundle.write_bytes(content if how == "damaged" else make_bundle(serial=6))
    assert shop.fetch() == []
    assert ("sha256 is" if how == "damaged" else "changed while it was read") in shop.notes.lines[0]
    assert not [one for one in Path(tmp_path / "cache").rglob("*") if one.is_file() and "sha256" in one.parts]
