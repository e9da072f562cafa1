"""`pack --since` as people use it: quarter after quarter, and what a host has afterwards."""

from __future__ import annotations

import sys
from dataclasses import replace
from urllib.parse import unquote

import pytest
from cli import check_refusal
from fakeindex import Site
from quarters import edited, gzipped, python, tar_of
from uvlists import LINUX, row, write_index

from bundler.core.digest import Digest
from bundler.core.uvnames import PBS_URL
from bundler.deflate import catalog

Q3, Q4 = ({"SOURCE_DATE_EPOCH": second} for second in ("1790000000", "1798000000"))
VERSIONS = {"3.12.9": python("3.12.9", seed=2), "3.13.5": python()}
VERSIONS["3.13.6"] = {
    name: edited(data) if name.endswith(("7.py", "3.13")) else data for name, data in python().items()
}


class Plant(Site):
    """A site whose index has interpreters of a few files, two of them patch releases of one minor version."""

    def __init__(self, folder):
        super().__init__(folder, pythons=())
        rows = []
        for version, files in VERSIONS.items():
            content = gzipped(tar_of(files | {"python/include/patchlevel.h": version.encode()}), level=9)
            one = replace(row(version, LINUX), sha256=Digest.of(content))
            path = folder / "mirror" / unquote(one.url.removeprefix(PBS_URL))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            self.archives[one.key] = path
            rows.append(one)
        self.index = write_index(
            folder, {"0.13.8": rows}, tags=("manylinux_2_17_x86_64.manylinux2014_x86_64",)
        )

    def quarter(self, name, *versions, words=(), **env):
        """Pack these versions into NAME.uvb; return how that ended."""
        manifest = self.manifest(pythons=str([*versions]).replace("'", '"'))
        return self.pack(*words, manifest=manifest, output=self.folder / f"{name}.uvb", **env)

    def unpack(self, name, prefix="host", *, words=()):
        """Unpack NAME.uvb on a host."""
        place = ("--prefix", self.folder / prefix, "--trust", self.trust, "--shell", "sh")
        return self.run("unpack", self.folder / f"{name}.uvb", *place, *words)

    def files(self, prefix="host"):
        """Return what the active generation holds, but for what differs with every bundle."""
        current = (self.folder / prefix / "current").resolve()
        own = ("bundle.json", "bundle.json.sig", "generation.json")
        return {
            str(one.relative_to(current)): (one.stat().st_mode, one.read_bytes())
            for one in current.rglob("*")
            if one.is_file() and one.name not in own
        }


@pytest.fixture
def site(tmp_path):
    return Plant(tmp_path)


def test_a_delta_after_the_full_bundle_makes_the_same_tree_as_a_full_one_alone(site):
    site.quarter("q3", "3.12.9", "3.13.5", **Q3)
    done = site.quarter("q4", "3.12.9", "3.13.6", words=("--since", site.folder / "q3.uvb"), **Q4)
    assert (done.code, done.stdout) == (0, f"{site.folder / 'q4.uvb'}\n"), done.stderr
    assert "cpython-3.12.9-linux-x86_64-gnu  unchanged: 2026Q4" in done.stderr
    assert ", against cpython-3.13.5-linux-x86_64-gnu" in done.stderr
    site.quarter("full", "3.12.9", "3.13.6", **Q4)
    assert (site.folder / "q4.uvb").stat().st_size < (site.folder / "full.uvb").stat().st_size / 3
    for name, prefix in (("q3", "host"), ("q4", "host"), ("full", "other")):
        assert site.unpack(name, prefix).code == 0
    assert site.files("host") == {
        name: (mode, data.replace(b"/other/", b"/host/"))
        for name, (mode, data) in site.files("other").items()
    }


def test_a_host_that_lacks_the_base_is_told_which_and_nothing_is_written(site):
    site.quarter("q3", "3.13.5", **Q3)
    site.quarter("q4", "3.13.6", words=("--since", site.folder / "q3.uvb"), **Q4)
    done = site.unpack("q4")
    check_refusal(
        done, 4, "q4.uvb: builds on plant-7 2026Q4 (serial 20260921141320); ", "packed without --since"
    )
    assert not (site.folder / "host" / "current").exists()


def test_the_index_of_a_host_serves_as_well_as_the_bundle(site):
    site.quarter("q3", "3.13.5", **Q3)
    site.unpack("q3")
    words = ("--since", site.folder / "host" / "current" / "bundle.json")
    assert site.quarter("q4", "3.13.6", words=words, **Q4).code == 0
    by_index = (site.folder / "q4.uvb").read_bytes()
    site.quarter("q4", "3.13.6", **Q4, UV_BUNDLER_SINCE=str(site.folder / "q3.uvb"))
    assert (site.folder / "q4.uvb").read_bytes() == by_index
    assert site.unpack("q4").code == 0


def test_a_folder_with_nothing_but_an_index_stands_for_it_as_on_a_host(site):
    site.quarter("q3", "3.13.5", **Q3)
    site.unpack("q3")
    words = ("--dry-run", "--since", site.folder / "host" / "current")
    done = site.quarter("q4", "3.13.5", words=words, **Q4)
    assert "  cpython-3.13.5-linux-x86_64-gnu, unchanged: 2026Q4\n" in done.stdout
    empty = site.folder / "empty"
    empty.mkdir()
    done = site.quarter("q4", "3.13.5", words=("--since", empty), **Q4)
    check_refusal(done, 2, "empty: expected a bundle's files in this folder, found none")


def test_a_dry_run_says_what_is_unchanged_and_what_is_encoded_against_what(site):
    site.quarter("q3", "3.12.9", "3.13.5", **Q3)
    words = ("--dry-run", "--since", site.folder / "q3.uvb")
    done = site.quarter("q4", "3.12.9", "3.13.6", words=words, **Q4)
    assert done.code == 0, done.stderr
    assert "  cpython-3.12.9-linux-x86_64-gnu, unchanged: 2026Q4\n" in done.stdout
    assert "  cpython-3.13.6-linux-x86_64-gnu, against cpython-3.13.5-linux-x86_64-gnu\n" in done.stdout
    assert "  uv 0.13.8 for linux-x86_64-gnu, unchanged: 2026Q4\n" in done.stdout
    assert not (site.folder / "q4.uvb").exists()


def test_a_dry_run_on_a_host_says_what_will_take_minutes_there(site, monkeypatch):
    site.quarter("q3", "3.13.5", **Q3)
    site.quarter("q4", "3.13.6", words=("--since", site.folder / "q3.uvb"), **Q4)
    assert "pure Python" not in site.unpack("q3", words=("--dry-run",)).stderr
    site.unpack("q3")
    monkeypatch.setattr(catalog, "why_not_native", lambda name: f"no {name} here")
    done = site.unpack("q4", words=("--dry-run",))
    assert (
        done.code,
        done.stderr.count("will be encoded in pure Python, which takes minutes: no zlib-9-8"),
    ) == (0, 1)
    assert "pure Python" not in site.unpack("q3", words=("--dry-run",)).stderr  # it is active already
    assert "pure Python" not in site.unpack("q4", words=("--dry-run", "--quiet")).stderr


def test_three_quarters_in_a_row_each_on_the_one_before(site):
    for name, before, version, second in (
        ("q2", None, "3.12.9", "1780000000"), ("q3", "q2", "3.13.5", "1790000000"), ("q4", "q3", "3.13.6", "1798000000"),
    ):  # fmt: skip
        words = ("--since", site.folder / f"{before}.uvb") if before else ()
        assert site.quarter(name, version, words=words, SOURCE_DATE_EPOCH=second).code == 0
        assert site.unpack(name).code == 0
    assert site.archives["cpython-3.13.6-linux-x86_64-gnu"].read_bytes() in {
        data for _, data in site.files().values()
    }


def test_what_is_no_earlier_bundle_of_this_series_is_refused_before_anything_is_fetched(site):
    site.quarter("q3", "3.13.5", **Q3)
    for words, env, code, message in (
        (("--since", site.folder / "none.uvb"), Q4, 2, "none.uvb: no such file, expected an earlier bundle"),
        (("--since", site.folder / "packer.pub"), Q4, 5, "packer.pub: "),
        (("--since", site.folder / "q3.uvb"), Q3, 2, "expected a serial before 20260921141320, which is packed now"),
    ):  # fmt: skip
        for more in ((), ("--dry-run",)):
            check_refusal(site.quarter("q4", "3.13.6", words=(*words, *more), **env), code, message)
    manifest = site.manifest(name="plant-8", pythons='["3.13.6"]')
    done = site.pack("--since", site.folder / "q3.uvb", manifest=manifest, **Q4)
    check_refusal(
        done, 2, "expected an earlier bundle of plant-8", "name a bundle that was packed from this manifest"
    )


def test_where_nothing_changed_hardly_anything_is_carried(site):
    site.quarter("q3", "3.13.5", **Q3)
    words = ("--since", site.folder / "q3.uvb")
    done = site.quarter("q4", "3.13.5", words=(*words, "--dry-run"), **Q4)
    assert "\n     little  in the bundle with --level default, estimated\n" in done.stdout
    site.quarter("q4", "3.13.5", words=words, **Q4)
    assert (site.folder / "q4.uvb").stat().st_size < 20_000
    for name in ("q3", "q4"):
        assert site.unpack(name).code == 0


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python 3.14 brings what compresses behind a prefix")
def test_where_nothing_compresses_behind_a_prefix_the_package_is_named_before_anything_is_fetched(
    site, monkeypatch
):
    site.quarter("q3", "3.13.5", **Q3)
    fetched = sorted(site.cache.rglob("*"))
    for name in ("backports", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    done = site.quarter("q4", "3.13.6", words=("--since", site.folder / "q3.uvb"), **Q4)
    check_refusal(done, 2, "this command needs the Python package backports", "uv-bundler[connected]")
    assert sorted(site.cache.rglob("*")) == fetched
