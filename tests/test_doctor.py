"""`doctor` finds nothing wrong with a healthy tree, changes nothing, and knows which generation is active."""

from __future__ import annotations

import os

import pytest
from bundles import tree
from diagnosed import unpacked_host

from bundler.offline.doctor import diagnose

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the healthy tree's uv is a shell script")


@pytest.fixture
def host():
    with unpacked_host() as made:
        yield made


def test_a_healthy_host_is_all_well(host):
    found = host.diagnose()
    assert [one for one in found if one.level != "ok"] == []
    assert [one.what.replace(str(host.prefix), "P") for one in found if "home" not in one.what] == [
        "P/generations/1: 7 files, sizes and modes as the index says",
        "P/state/log.jsonl: 2 events, each fits what stands before it",
        "P/current/bin/uv: runs, uv 0.13.8",
        "PATH: finds the uv of the bundle, P/current/bin/uv",
        f"variables: {len(host.exports())} exports, nothing contradicts them",
    ]
    assert {one.fix for one in found} == {""}


def test_a_healthy_host_with_interpreters_and_digests_is_all_well(host):
    host.interpreter()
    host.env |= {name: value for name, value in host.exports().items() if name != "PATH"}
    found = host.diagnose(check_digests=True)
    assert [one for one in found if one.level != "ok"] == []
    assert "7 files, digests and modes" in found[0].what
    assert found[-1].what.endswith("python: 1 installed for all users: cpython-3.13.5-linux-x86_64-gnu")


def test_nothing_is_changed_by_looking(host):
    before = tree(host.prefix)
    (host.first("mirror/*/*")).chmod(0o600)
    (host.first("mirror/*/*")).chmod(0o644)
    host.diagnose(check_digests=True)
    assert tree(host.prefix) == before


def test_an_empty_prefix_is_told_what_to_do(tmp_path):
    tmp_path.chmod(0o755)
    (found,) = diagnose(tmp_path / "none here", env={}, cwd=tmp_path)
    assert found.what == f"{tmp_path / 'none here' / 'current'}: nothing is unpacked here"
    assert found.fix == f"uv-bundler unpack BUNDLE --prefix '{tmp_path / 'none here'}'"


def test_a_link_that_leads_nowhere_is_found(host):
    host.current.unlink()
    host.current.symlink_to("generations/99")
    finding = host.the_trouble()
    assert "generations/99/generation.json: No such file or directory" in finding.what
    assert "unpack" in finding.fix


def test_a_damaged_index_is_found(host):
    place = host.first("bundle.json")
    place.write_bytes(place.read_bytes()[:-50])
    assert "bundle.json" in host.the_trouble().what


def test_an_index_that_was_exchanged_is_found(host):
    place = host.first("bundle.json")
    place.write_bytes(place.read_bytes() + b"\n")
    assert "is not the index that was verified" in host.the_trouble().what
