"""Streams as stock tools open them: FORMAT.md §15's recipe, as it stands there, gives usable trees."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
import smallpythons
from conftest import SHARED
from openedtrees import expected, listing, trees
from smallpythons import LINUX, MACOS, gzipped, ingredient, python, tar

from bundler.connected import streamtar
from bundler.connected.cutting import cut
from bundler.connected.streams import Layout
from bundler.core.digest import hash_file

ARCHIVES = SHARED / "archives"


@pytest.fixture
def box(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def test_stock_tools_give_the_trees_of_every_archive(box, tmp_path):
    wanted = [python(box, "3.13.5"), python(box, "3.13.15"), python(box, "3.12.1")]
    folder = trees(wanted, tmp_path)
    for one in wanted:
        name = Path(one.path).name
        assert listing(folder / name.removesuffix(".tar.gz")) == expected(one.source, tmp_path / name)


@pytest.mark.parametrize("platform", [LINUX, MACOS])
def test_common_and_one_platform_give_its_trees(box, tmp_path, platform):
    wanted = [
        python(box, "3.13.5"),
        python(box, "3.13.5", platform=MACOS),
        python(box, "3.13.15", platform=MACOS),
    ]
    folder = trees(wanted, tmp_path, platform)
    for one in wanted:
        if one.platform == platform:
            name = Path(one.path).name
            assert listing(folder / name.removesuffix(".tar.gz")) == expected(one.source, tmp_path / name)


def test_programs_of_uv_lie_where_a_generation_has_them(box, tmp_path):
    content = smallpythons.code("uv")
    one = ingredient(box, content, path=f"uv/0.13.8/{LINUX}/uv", role="uv")
    assert listing(trees([one], tmp_path)) == {f"uv/0.13.8/{LINUX}/uv": (content, True)}


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "d/" * 49 + "ab",
        "r" * 40 + "/" + "n" * 100,
        "r" * 40 + "/" + "n" * 101,
        "n" * 256,
        "d/" * 300 + "e" + "e",
    ],
)
@pytest.mark.parametrize("target", ["", "t" * 100, "t" * 101, "t/" * 512])
def test_python_reads_every_header_that_is_written(name, target):
    kind = streamtar.SYMLINK if target else streamtar.FILE
    size = 0 if target else 3
    content = b"abc" + streamtar.padding(3) if size else b""
    blocks = (
        streamtar.headers(name, kind, size=size, mode=0o755, mtime=5, target=target) + content + streamtar.END
    )
    with tarfile.open(fileobj=io.BytesIO(blocks)) as archive:
        one = archive.getmembers()[0]
        assert (one.name, one.linkname, one.size, one.mode, one.mtime) == (
            name,
            target,
            size,
            0o755,
            5,
        )


def test_a_content_that_is_executable_once_is_so_by_all_its_names(box, tmp_path):
    entries = [("a", b"#!/bin/sh", {"mode": 0o644}), ("b", b"#!/bin/sh", {"mode": 0o755})]
    one = ingredient(box, gzipped(tar(entries)), name="x.tar.gz")
    assert listing(trees([one], tmp_path)) == {f"x/{name}": (b"#!/bin/sh", True) for name in ("a", "b")}


def test_an_archive_for_no_platform_has_its_tree_in_common(box, tmp_path):
    entries = [("a", b"1", {}), ("b", b"1", {}), ("c", b"2", {})]
    one = ingredient(box, gzipped(tar(entries)), name="x.tar.gz", platform=None)
    assert {name: content for name, (content, _) in listing(trees([one], tmp_path)).items()} == {
        "x/a": b"1", "x/b": b"1", "x/c": b"2",
    }  # fmt: skip


def test_archives_of_one_name_have_a_tree_each(box, tmp_path):
    wanted = [
        ingredient(box, gzipped(tar([("python/a", content, {})])), path=f"mirror/{content.decode()}/x.tar.gz")
        for content in (b"1", b"2")
    ]
    assert listing(trees(wanted, tmp_path)) == {"x/python/a": (b"1", False), "x~2/python/a": (b"2", False)}


def test_neighbours_lie_side_by_side(box, tmp_path):
    """The order: the interpreter beside its library, then each file of all versions in the order of versions."""
    wanted = [python(box, version) for version in ("3.13.15", "3.12.1", "3.13.5")]
    layout = Layout(cut(one, tmp_path / f"cut-{number}", proved={}) for number, one in enumerate(wanted))
    (tmp_path / "out").mkdir()
    streams = {one.path.split("/")[-1]: one.file for one in layout.write(tmp_path / "out")}
    with tarfile.open(streams["code.tar.zst"]) as archive:
        names = [one.name.split("/")[-1] for one in archive if one.isfile()]
    assert names == [
        "python3.12", "libpython3.12.so.1.0", "python3.13", "libpython3.13.so.1.0", "python3.13", "libpython3.13.so.1.0", "t64.exe",
    ]  # fmt: skip
    with tarfile.open(streams["text.tar.zst"]) as archive:
        versions = [
            one.name.split("-")[1] for one in archive if one.isfile() and one.name.endswith("version.py")
        ]
    assert versions == ["3.12.1", "3.13.5", "3.13.15"]


@pytest.mark.slow
@pytest.mark.skipif(not ARCHIVES.is_dir(), reason="needs the shared archives")
def test_stock_tools_give_real_trees_that_run(tmp_path):
    wanted = []
    for file in sorted(ARCHIVES.glob("*.tar.gz")):
        digest, size = hash_file(file)
        facts = {"path": f"mirror/tag/{file.name}", "size": size, "sha256": digest, "source": file}
        wanted.append(ingredient(tmp_path, b"", **facts))
    folder = trees(wanted, tmp_path)
    for one in wanted:
        name = Path(one.path).name
        tree = folder / name.removesuffix(".tar.gz")
        found, wanted_files = listing(tree), expected(one.source, tmp_path / name)
        with tarfile.open(one.source) as archive:  # the links of terminfo that lead into the system stay out
            out = {entry.name for entry in archive if entry.issym() and entry.linkname.startswith("/")}
        wanted_files = {name: facts for name, facts in wanted_files.items() if name not in out}
        # One of these archives has entries of one name: the last one counts, and the others are kept beside it.
        assert {name: content for name, (content, _) in found.items() if "~" not in name} == {
            name: content for name, (content, _) in wanted_files.items()
        }
        # One content has one mode, so a file may have become executable; none stopped being so.
        assert all(found[name][1] >= executable for name, (_, executable) in wanted_files.items())
        program = tree / "python" / "bin" / "python3"
        done = subprocess.run(
            [program, "-c", "import sys, json; print(sys.prefix)"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.strip() == str(tree / "python")
