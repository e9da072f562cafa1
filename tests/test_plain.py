"""`pack --plain`: the container holds the upstream files themselves, for gates that must open every file."""

from __future__ import annotations

import hashlib
import json
import tarfile

import pytest
from cli import check_refusal
from fakeindex import Site

from bundler.connected.estimate import Carried, estimate
from bundler.core.platforms import Platform

REPRODUCIBLE = {"SOURCE_DATE_EPOCH": "1789000000"}
LINUX = Platform.parse("linux-x86_64-gnu")


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def members(path):
    with tarfile.open(path) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar}


def test_the_container_holds_the_upstream_files_and_nothing_compressed(site):
    done = site.pack("--plain")
    assert done.code == 0, done.stderr
    found = members(site.folder / "q4.uvb")
    index = json.loads(found["bundle.json"])
    assert index["requires"] == []
    assert {one["encoding"] for one in index["members"]} == {"identity"}
    for one in index["artifacts"]:
        assert one["member"] == f"payload/{one['path']}"
        assert hashlib.sha256(found[one["member"]]).hexdigest() == one["sha256"]
    carried = {name.rpartition("/")[2]: data for name, data in found.items() if name.endswith(".tar.gz")}
    assert carried == {
        path.name: path.read_bytes() for path in site.archives.values() if path.name in carried
    }
    assert carried


def test_the_table_says_that_each_file_is_as_it_was(site):
    lines = site.pack("--plain").stderr.splitlines()
    rows = [one for one in lines if one.endswith("  identity")]
    assert len(rows) == len(json.loads(members(site.folder / "q4.uvb")["bundle.json"])["artifacts"])
    assert all("  1.00  " in one for one in rows)
    assert not any("recognised" in one for one in lines)


def test_a_level_changes_nothing(site):
    packed = []
    for words in ((), ("--level", "best")):
        assert site.pack("--plain", *words, **REPRODUCIBLE).code == 0
        packed.append((site.folder / "q4.uvb").read_bytes())
    assert packed[0] == packed[1]


def test_a_variable_asks_for_it_too_and_the_bundle_unpacks(site):
    assert site.pack(UV_BUNDLER_PLAIN="1").code == 0
    words = ("--prefix", site.folder / "prefix", "--trust", site.trust, "--platform", "all", "--shell", "sh")
    done = site.run("unpack", site.folder / "q4.uvb", *words)
    assert done.code == 0, done.stderr
    mirrored = {one.name: one.read_bytes() for one in (site.folder / "prefix").rglob("mirror/**/*.tar.gz")}
    assert mirrored
    assert all(
        mirrored[one.name] == one.read_bytes() for one in site.archives.values() if one.name in mirrored
    )


def test_an_earlier_bundle_is_no_use_to_it(site):
    for words in ((), ("--dry-run",)):
        done = site.pack("--plain", "--since", site.folder / "none.uvb", *words)
        check_refusal(done, 2, "--plain: expected without --since, whose bundles hold parts of files", "full")
    assert not (site.folder / "q4.uvb").exists()


def test_a_dry_run_counts_files_as_they_are(site):
    manifest = site.manifest(platforms="[linux-x86_64-gnu, windows-x86_64-none]")
    assert "as it is" in site.run("pack", manifest, "-o", "-", "--dry-run").stdout
    done = site.run("pack", manifest, "-o", "-", "--dry-run", "--plain")
    assert done.code == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("  in the bundle with --plain, estimated")
    assert "as it is" not in done.stdout


def test_an_estimate_inflates_wheels_and_keeps_archives():
    def one(size, series):
        return Carried(file="x.tar.gz", size=size, platform=LINUX, series=series)

    assert estimate([one(1000, "3.13"), one(500, "3.13")], level=None) == 1500
    assert estimate([one(1000, None)], level=None) == 2300


def test_a_plain_bundle_gets_parity_like_any_other(site):
    done = site.pack("--plain", "--parity", "20%")
    assert done.code == 0, done.stderr
    assert site.run("verify", site.folder / "q4.uvb", "--trust", site.trust).code == 0
    assert (site.folder / "q4.parity.uvb").exists()
