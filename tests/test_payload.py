"""Unpacking a recompressed bundle: the same tree as from a plain one, and only what the host needs is decoded."""

import functools
import io

import pytest
from bundles import HOST, OTHER, request, unpack_bytes
from deflatedparts import OLD_TAR, gzip_of, joined, with_wheel
from oneway import OneWay
from rebuilt import files, rot, sealed, unpack_from
from recompressed import RECIPES, TEXT, full_box, index_of

from bundler.core.index import parse_index
from bundler.offline import streams
from bundler.offline.deciding import dry_run


@pytest.fixture
def prefix(tmp_path):
    return tmp_path / "p"


@pytest.mark.parametrize("encoder", ["zlib-6-8", "miniz-6", "medium-17"])
def test_the_tree_is_that_of_a_plain_bundle(tmp_path, encoder):
    for how in ("recipe", "plain"):
        unpack_bytes(sealed(how, encoder=encoder), tmp_path / how)
    assert files(tmp_path / "recipe") == files(tmp_path / "plain")
    archives = {one[1] for name, one in files(tmp_path / "recipe").items() if name.startswith("mirror/")} - {
        None
    }
    assert archives == {
        joined(gzip_of(*parts, encoder=encoder)) for parts in ((OLD_TAR,), with_wheel(OLD_TAR))
    }
    assert len(sealed(encoder=encoder)) < len(sealed("plain", encoder=encoder))


def test_the_mirror_and_the_cache_are_one_file(prefix):
    unpack_bytes(sealed(), prefix)
    for one in (prefix / "current" / "mirror").rglob("*.tar.gz"):
        assert one.stat().st_nlink == 2


def test_it_comes_from_a_pipe(tmp_path):
    unpack_bytes(sealed(), tmp_path / "file")
    unpack_from(OneWay(sealed()), tmp_path / "pipe")
    assert files(tmp_path / "pipe") == files(tmp_path / "file")


@functools.cache
def of_two():
    """A bundle for this host and another one, with a stream for both."""
    box = full_box(platforms=(HOST, OTHER))
    common = gzip_of(b"for both of them\n" * 90)
    box.archive(common, version=(3, 11, 1), platform=HOST, group="common")
    box.archive(gzip_of(b"for both of them\n" * 89), version=(3, 11, 1), platform=OTHER, group="common")
    return box.seal()


def members_decoded(monkeypatch):
    decoded = []
    real = streams.decode

    def watched(*args, **options):
        decoded.append(options["size"])
        return real(*args, **options)

    monkeypatch.setattr(streams, "decode", watched)
    return decoded


@pytest.mark.parametrize("stream", [io.BytesIO, OneWay])
def test_only_what_the_host_needs_is_decoded(prefix, monkeypatch, stream):
    decoded = members_decoded(monkeypatch)
    unpack_from(stream(of_two()), prefix)
    contents = {one.path: one.content for one in parse_index(index_of(of_two())).members}
    wanted = [one.format(group) for group in (HOST, "common") for one in (RECIPES, TEXT)]
    assert sorted(decoded) == sorted(contents[one] for one in wanted)
    keys = {one.name.split("+")[0] for one in (prefix / "current" / "mirror").rglob("*.tar.gz")}
    assert keys == {"cpython-3.13.5", "cpython-3.12.1", "cpython-3.11.1"}
    assert not [one for one in files(prefix) if str(OTHER) in one]


def test_members_of_others_are_seeked_over(prefix):
    class Counting(io.BytesIO):
        given = 0

        def read(self, count=-1):
            data = super().read(count)
            Counting.given += len(data)
            return data

        def readinto(self, buffer):
            count = super().readinto(buffer)
            Counting.given += count
            return count

    unpack_from(Counting(of_two()), prefix)
    index = parse_index(index_of(of_two()))
    skipped = sum(one.size for one in index.members if f"/{OTHER}/" in one.path)
    assert skipped
    assert Counting.given <= len(of_two()) - skipped


def test_all_platforms_are_rebuilt_where_they_are_asked_for(prefix):
    unpack_bytes(of_two(), prefix, platforms=("all",))
    assert len(list((prefix / "current" / "mirror").rglob("*.tar.gz"))) == 6


def test_what_the_host_has_is_linked_and_not_rebuilt(prefix, monkeypatch):
    unpack_bytes(sealed(), prefix)
    before = {one.name: one.stat().st_ino for one in (prefix / "current" / "mirror").rglob("*.tar.gz")}
    decoded = members_decoded(monkeypatch)
    unpack_bytes(sealed(serial=8), prefix)
    assert decoded == []
    after = {one.name: one.stat().st_ino for one in (prefix / "current" / "mirror").rglob("*.tar.gz")}
    assert after == before


def test_what_a_plain_bundle_brought_is_kept_too(prefix):
    unpack_bytes(sealed("plain"), prefix)
    _, decision = unpack_bytes(sealed(serial=8), prefix)
    assert [one.role for one in decision.plan.write] == ["metadata"]
    assert decision.plan.spool == 0


def test_what_is_kept_and_rotted_is_rebuilt(prefix):
    unpack_bytes(sealed(), prefix)
    rot(next((prefix / "current" / "mirror").rglob("*3.12.1*")))
    unpack_bytes(sealed(serial=8), prefix)
    mended = next((prefix / "current" / "mirror").rglob("*3.12.1*"))
    assert mended.read_bytes() == joined(gzip_of(*with_wheel(OLD_TAR)))


def test_the_plan_counts_what_lies_on_the_disk_meanwhile(prefix):
    decision = dry_run(io.BytesIO(sealed()), request(prefix), name="q4.uvb")
    index = parse_index(index_of(sealed()))
    contents = sum(one.content or 0 for one in index.members)
    assert contents > len(OLD_TAR)
    assert decision.plan.needed == contents + sum(one.size for one in index.artifacts)
    assert not prefix.exists()
