"""Which earlier file a new one is encoded against."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bundler.connected.reference import nearest_of
from bundler.core.digest import Digest
from bundler.core.index import Artifact
from bundler.core.platforms import Platform

LINUX, MUSL = Platform.parse("linux-x86_64-gnu"), Platform.parse("linux-x86_64-musl")


def python(version, *, platform=LINUX, build=""):
    key = f"cpython-{version}-{platform}" if version[0].isdigit() else f"{version}-{platform}"
    return Artifact(
        path=f"mirror/{build}/{key}.tar.gz", size=1, sha256=Digest.of((key + build).encode()), role="archive",
        platform=platform, key=key,
    )  # fmt: skip


def program(version, name="uv", platform=LINUX):
    return Artifact(
        path=f"uv/{version}/{platform}/{name}", size=1, sha256=Digest.of(version.encode()), role="uv", uv=version,
        platform=platform,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "earlier", "expected"),
    [
        ("3.13.9", ["3.13.1", "3.13.7", "3.13.2"], "3.13.7"),
        ("3.13.1", ["3.13.2", "3.12.9", "3.13.7"], "3.13.2"),
        ("3.14.0", ["3.12.9", "3.13.5", "3.13.7"], "3.13.7"),
        ("3.9.1", ["3.12.9", "3.10.5", "3.11.7"], "3.10.5"),
        ("3.10.1", ["3.9.1", "3.13.1"], "3.9.1"),
        ("3.14.0rc2", ["3.14.0b1", "3.13.7"], "3.14.0b1"),
        ("3.13.5+freethreaded", ["3.13.5", "3.13.1+freethreaded"], "3.13.1+freethreaded"),
        ("3.13.5+freethreaded", ["3.13.4", "3.12.5"], "3.13.4"),
        ("pypy-3.10.14", ["3.10.14", "pypy-3.9.19"], "pypy-3.9.19"),
        ("3.13.5", ["pypy-3.10.14"], None),
        ("pypy-2.7.18", ["pypy-3.10.14"], None),
        ("3.13.5", [], None),
    ],
)
def test_the_nearest_of_the_same_kind_is_taken(wanted, earlier, expected):
    found = nearest_of(python(wanted), [python(one) for one in earlier])
    assert (found.key if found else None) == (python(expected).key if expected else None)


def test_another_platform_is_never_taken():
    assert nearest_of(python("3.13.5"), [python("3.13.4", platform=MUSL)]) is None
    assert nearest_of(program("0.13.8"), [program("0.13.7", platform=MUSL)]) is None


def test_of_two_builds_of_one_version_the_later_bundle_has_the_word():
    older, newer = python("3.13.5", build="20250101"), python("3.13.5", build="20250401")
    assert nearest_of(python("3.13.5", build="20250701"), [older, newer]) == newer


def test_programs_of_uv_follow_their_own_names_and_versions():
    earlier = [program("0.9.30"), program("0.13.7"), program("0.13.7", "uvx"), program("0.14.0")]
    assert nearest_of(program("0.13.8"), earlier) == earlier[1]
    assert nearest_of(program("0.13.8", "uvx"), earlier) == earlier[2]
    assert nearest_of(program("0.13.8", "uvw.exe"), earlier) is None


def test_what_no_host_can_inflate_is_neither_encoded_against_another_nor_fetched_for_that():
    def bzip(one):
        return replace(one, path=one.path.replace(".gz", ".bz2"))

    assert nearest_of(bzip(python("3.13.5")), [python("3.13.4")]) is None
    assert nearest_of(python("3.13.5"), [bzip(python("3.13.4"))]) is None


def test_an_archive_without_a_key_is_alike_to_none():
    bare = Artifact(path="mirror/x.tar.gz", size=1, sha256=Digest.of(b""), role="archive", platform=LINUX)
    assert nearest_of(bare, [python("3.13.5")]) is None
    assert nearest_of(python("3.13.5"), [bare]) is None
