import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.core.digest import Digest
from bundler.core.fault import Fault
from bundler.core.metadata import Row, dump_rows, parse_rows, select_rows
from bundler.core.platforms import COMMON, Platform

rows = st.builds(
    Row,
    name=st.sampled_from(["cpython", "pypy"]),
    version=st.tuples(st.just(3), st.integers(0, 20), st.integers(0, 30)),
    prerelease=st.sampled_from(["", "a1", "rc2"]),
    variant=st.sampled_from(["", "freethreaded", "debug", "freethreaded+debug"]),
    platform=st.sampled_from([*map(Platform.parse, COMMON), Platform.parse("linux-x86_64_v3-gnu")]),
    url=st.just("https://github.com/astral-sh/python-build-standalone/releases/download/1/a%2Bb.tar.gz"),
    sha256=st.binary(max_size=4).map(Digest.of),
    build=st.none() | st.just("20251010"),
)


@given(rows)
def test_a_row_reads_back_as_it_was_written(row):
    assert Row.from_dict(row.to_dict()) == row
    assert parse_rows(dump_rows([row])) == [row]


def test_the_key_is_the_one_that_uv_shows():
    written = {
        "name": "cpython", "arch": {"family": "i686", "variant": None}, "os": "windows", "libc": "none",
        "major": 3, "minor": 13, "patch": 5, "prerelease": "", "url": "https://e/x", "sha256": None,
        "variant": "freethreaded", "build": None,
    }  # fmt: skip
    assert Row.from_dict(written).key == "cpython-3.13.5+freethreaded-windows-x86-none"


def test_darwin_is_macos_in_the_key_and_darwin_in_the_row():
    row = Row(
        name="cpython", version=(3, 14, 0), prerelease="rc1", variant="",
        platform=Platform.parse("macos-aarch64-none"), url="u", sha256=None, build=None,
    )  # fmt: skip
    assert row.key == "cpython-3.14.0rc1-macos-aarch64-none"
    assert row.to_dict()["os"] == "darwin"
    assert "build" not in row.to_dict()


def one_row(**changed):
    row = Row(
        name="cpython", version=(3, 13, 5), prerelease="", variant="", platform=Platform.parse(COMMON[0]),
        url="https://e/x", sha256=Digest.of(b"x"), build="1",
    )  # fmt: skip
    return row.to_dict() | changed


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"build": 20251010}, "build: expected a string or null, found the number 20251010"),
        ({"arch": "x86_64"}, "arch: expected a mapping, found the string 'x86_64'"),
        ({"sha256": ""}, "expected 64 lowercase hexadecimal digits, found ''"),
        ({"os": "plan9"}, "expected a platform such as linux-x86_64-gnu, found 'plan9-x86_64-gnu'"),
        ({"extra": 1}, "extra: unknown key"),
    ],
)
def test_a_row_that_some_uv_would_refuse_is_refused(changed, message):
    with pytest.raises(Fault) as caught:
        Row.from_dict(one_row(**changed))
    assert message in str(caught.value)


def test_a_row_without_a_digest_is_never_written():
    with pytest.raises(Fault, match="uv would install this row unverified"):
        dump_rows([Row.from_dict(one_row(sha256=None))])


def test_the_list_has_no_key_that_is_no_row():
    written = json.loads(dump_rows([Row.from_dict(one_row())]))
    assert set(written) == {"cpython-3.13.5-linux-x86_64-gnu"}


def test_only_the_archives_at_hand_are_selected_and_each_needs_its_row():
    row = Row.from_dict(one_row())
    assert row.sha256
    assert select_rows([row], {row.key: row.sha256}) == [row]
    assert select_rows([row], {}) == []
    with pytest.raises(Fault, match="expected sha256 .*, found"):
        select_rows([row], {row.key: Digest.of(b"other")})
    with pytest.raises(Fault, match="pypy-3: expected a row for this archive, found none"):
        select_rows([row], {"pypy-3": Digest.of(b"x")})
