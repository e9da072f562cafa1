"""`doctor` on files: each fault is provoked on a tree that was really unpacked, and mended by its fix."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from bundles import unpack_bytes
from diagnosed import BUNDLE, run_fix, unpacked_host

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the healthy tree's uv is a shell script")


@pytest.fixture
def host():
    with unpacked_host() as made:
        yield made


def test_a_missing_file_is_found_and_unpacking_again_mends_it(host):
    place = host.first("python-cache/*")
    place.unlink()
    finding = host.the_trouble()
    assert finding.what == f"{place}: No such file or directory, expected a file"
    assert finding.fix.startswith("unpack the bundle again")
    unpack_bytes(BUNDLE, host.prefix)
    assert host.troubles() == []


def test_a_truncated_file_is_found_under_both_its_names(host):
    place = host.first("mirror/*/*")
    place.write_bytes(place.read_bytes()[:100])
    found = host.troubles()
    assert [one.what.rpartition(": ")[2] for one in found] == ["100 bytes, expected 3000"] * 2
    unpack_bytes(BUNDLE, host.prefix)
    assert host.troubles() == []


def test_a_flipped_byte_is_found_by_its_digest_and_the_fix_mends_it(host):
    place = host.first("mirror/*/*")
    data = bytearray(place.read_bytes())
    data[7] ^= 1
    place.write_bytes(data)
    assert host.troubles() == []
    finding = host.the_trouble(check_digests=True)
    assert f"{place}: sha256 is " in finding.what
    assert finding.fix == f"remove the link {host.current}, then unpack the bundle again"
    host.current.unlink()
    unpack_bytes(BUNDLE, host.prefix)
    assert host.troubles(check_digests=True) == []


def test_a_folder_in_place_of_a_file_is_found(host):
    place = host.first("python-cache/*")
    place.unlink()
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    assert host.the_trouble().what == f"{place}: is no regular file"


@pytest.mark.parametrize("name", ["uv.toml", "bundle.json.sig"])
def test_a_missing_record_is_found_and_the_fix_mends_it(name, host):
    place = host.first(name)
    place.unlink()
    finding = host.the_trouble()
    assert finding.what == f"{place}: missing"
    host.current.unlink()
    unpack_bytes(BUNDLE, host.prefix)
    assert host.troubles() == []


def test_metadata_that_uv_could_not_read_are_found(host):
    place = host.first("download-metadata.json")
    place.write_text('{"version": "1"}')
    assert "expected rows that uv reads" in host.the_trouble().what


def test_metadata_of_an_archive_that_is_not_there_are_found(host):
    place = host.first("download-metadata.json")
    place.write_text(place.read_text().replace("/own-", "/0wn-"))
    found = host.troubles()
    assert [one.what.partition(": ")[2][:6] for one in found] == ["lists "] * 2


@pytest.mark.parametrize(
    ("pattern", "mode", "expected"),
    [
        ("mirror/*/*", 0o600, "everybody may read it"),
        ("download-metadata.json", 0o640, "everybody may read it"),
        ("mirror", 0o700, "everybody may read and search it"),
        ("mirror/*", 0o754, "everybody may read and search it"),
        ("uvx", 0o744, "everybody may run it"),
        ("download-metadata.json", 0o664, "only its owner may write to it"),
        ("mirror", 0o777, "only its owner may write to it"),
    ],
)
def test_a_wrong_mode_is_found_and_its_fix_mends_it(pattern, mode, expected, host):
    place = host.first("uv/*/*/uvx") if pattern == "uvx" else host.first(pattern)
    place.chmod(mode)
    found = host.troubles()
    for finding in found:  # a second name of the same file, in bin/ or the cache, is found too
        assert f"mode is {mode:04o}, expected that {expected}" in finding.what
        run_fix(finding)
    assert found
    assert host.troubles() == []


@pytest.mark.parametrize("name", ["mirror", "bin"])
def test_a_folder_that_one_may_not_enter_is_found_and_does_not_end_the_search(name, host, monkeypatch):
    place = host.first(name)
    place.chmod(0o700)
    # So that root meets what others meet; pathlib of Python 3.10 holds on to the functions of os.
    for owner, call in ((os, os.stat), (os, os.lstat), (Path, Path.stat), (Path, Path.lstat)):

        def closed(path, *more, call=call, **named):
            if f"/{name}/" in str(path):
                raise PermissionError(13, "Permission denied", str(path))
            return call(path, *more, **named)

        monkeypatch.setattr(owner, call.__name__, closed)
    found = host.troubles()
    wrong = f"{place}: mode is 0700, expected that everybody may read and search it"
    assert wrong.replace(str(place), str(place.resolve())) in [one.what for one in found]
    denied = [one for one in found if "Permission denied" in one.what]
    assert all(one.fix.startswith("as its owner: chmod -R a+rX ") for one in denied)
    assert len(denied) == (2 if name == "mirror" else 0)


def test_a_prefix_that_others_may_write_to_is_found(host):
    host.prefix.chmod(0o775)
    found = host.troubles()
    assert all("mode is 0775" in one.what and "chmod go-w" in one.fix for one in found)
    assert found


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs a prefix of root")
def test_a_closed_folder_above_the_prefix_of_root_is_found(host):
    host.prefix.parent.chmod(0o700)
    finding = host.the_trouble()
    assert (finding.level, finding.what) == (
        "warn",
        f"{host.prefix.parent}: mode is 0700, others cannot reach {host.prefix}",
    )
    run_fix(finding)
    assert host.troubles() == []


def test_many_findings_of_one_kind_are_counted(host):
    shutil.rmtree(host.first("mirror"))
    shutil.rmtree(host.first("python-cache"))
    shutil.rmtree(host.first("uv"))
    found = [one.what for one in host.troubles() if "expected a file" in one.what or "more of" in one.what]
    assert len(found) == 6
    assert found[-1] == "files: 1 more of this kind"
