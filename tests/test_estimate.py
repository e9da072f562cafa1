"""What a dry run says of the size of a bundle that is not packed yet."""

from __future__ import annotations

import dataclasses

import pytest
from bundles import HOST, OTHER
from conftest import SHARED

from bundler.connected.bundlewriter import Ingredient
from bundler.connected.estimate import FRACTIONS, Carried, estimate, exception
from bundler.connected.recompress import recompress
from bundler.core.digest import hash_file
from bundler.core.platforms import Platform
from bundler.core.progress import Silent

LINUX, WINDOWS = Platform.parse("linux-x86_64-gnu"), Platform.parse("windows-x86_64-none")
MACOS = Platform.parse("macos-aarch64-none")


def python(minor=13, *, size=1000, platform=LINUX, suffix=".tar.gz", known=""):
    return Carried(
        file=f"x{suffix}", size=size, platform=platform, series=f"cpython--(3, {minor})", known=known
    )


def at(*carried, level="default"):
    return estimate(carried, level=level)


def of(name, level="default"):
    return round(1000 * getattr(FRACTIONS[level], name))


@pytest.mark.parametrize("level", FRACTIONS)
def test_what_stands_beside_an_archive_makes_it_small(level):
    first, minor, patch = (of(name, level) for name in ("first", "minor", "patch"))
    assert 1000 > first > minor > patch > 0
    assert at(python(), level=level) == first
    assert at(python(), python(), level=level) == first + patch
    assert at(python(), python(12), level=level) == first + minor


def test_each_platform_begins_anew():
    assert at(python(), python(platform=MACOS)) == 2 * of("first")


def test_what_earlier_bundles_have_counts_little_or_nothing():
    assert at(python(known="unchanged")) == 0
    assert at(python(known="against")) == of("against")
    assert at(python(known="other")) == of("other")
    assert at(python(known="other"), python(known="other")) == of("other") + of("patch")
    assert at(python(known="unchanged"), python(12)) == of("first")


def test_what_is_not_recompressed_counts_in_full():
    assert at(python(suffix=".tar.zst"), python()) == 1000 + of("first")
    assert at(python(platform=WINDOWS)) == 1000


def test_a_wheel_of_uv_has_a_fraction_of_its_own():
    wheel = Carried(file="uv.whl", size=1000, platform=HOST, series=None)
    assert at(wheel) == of("wheel")
    assert at(dataclasses.replace(wheel, known="against")) == of("newer_wheel")
    assert at(wheel, python(platform=OTHER if OTHER.os != "windows" else LINUX)) == of("wheel") + of("first")


@pytest.mark.slow
@pytest.mark.parametrize("level", ["fast", "default"])
def test_the_estimate_of_real_archives_is_near(tmp_path, level):
    files = sorted((SHARED / "archives").glob("*.tar.gz"))
    if not files:
        pytest.skip("needs ../shared/archives")
    minors = [int(file.name.split(".")[1]) for file in files]
    sizes = [file.stat().st_size for file in files]
    expected = at(*(python(minor, size=size) for minor, size in zip(minors, sizes, strict=True)), level=level)
    done = recompress(
        [
            Ingredient(
                path=f"mirror/1/{file.name}", size=size, sha256=hash_file(file)[0], role="archive", platform=LINUX,
                source=file,
            )
            for file, size in zip(files, sizes, strict=True)
        ],
        level=level, spool=tmp_path, progress=Silent(),
    )  # fmt: skip
    assert abs(expected / sum(one.member.size for one in done.stored) - 1) < 0.2


def test_the_plan_says_what_may_travel_as_it_is():
    assert exception("x.tar.gz", LINUX) == ""
    assert (
        exception("x.tar.gz", WINDOWS)
        == "as it is if zlib-rs wrote it, for which Windows has no fast encoder"
    )
    assert exception("x.tar.zst", LINUX) == "as it is: uv-bundler has no encoder for .zst"
