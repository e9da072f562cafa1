"""Streams as stock tools open them: FORMAT.md §15's recipe, as it stands there, gives usable trees."""

import io
import re
import shutil
import subprocess
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
import smallpythons
import zstandard
from conftest import SHARED
from smallpythons import LINUX, MACOS, gzipped, ingredient, python, tar

from bundler.connected import streamtar, tarparts
from bundler.connected.cutting import cut
from bundler.connected.pieces import Cut
from bundler.connected.recompress import recompress
from bundler.connected.streams import Layout, without_versions
from bundler.core.digest import hash_file
from bundler.core.progress import Silent

SECTION = (Path(__file__).parents[1] / "bundler" / "FORMAT.md").read_text(encoding="utf-8")
RECIPE = re.sub(
    r"^ {4}", "", re.search(r"^ {4}mkdir trees\n(?: {4}.*\n)+", SECTION, re.MULTILINE)[0], flags=re.MULTILINE
)
ARCHIVES = SHARED / "archives"


@pytest.fixture
def box(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def trees(ingredients, tmp_path, platform=LINUX):
    """Pack, lay the members out as tar would, run the recipe of the format; return the folder of trees."""
    if missing := [one for one in ("tar", "zstd") if not shutil.which(one)]:
        pytest.skip(f"needs {', '.join(missing)} on PATH")
    spool, desk = tmp_path / "spool", tmp_path / "desk"
    spool.mkdir()
    for one in recompress(ingredients, level="fast", spool=spool, progress=Silent()).stored:
        place = desk / one.member.path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(one.file, place)
    done = subprocess.run(
        ["sh", "-ec", RECIPE.replace("linux-x86_64-gnu", str(platform))],
        cwd=desk,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return desk / "trees"


def listing(folder):
    """Return what is below the folder: contents, targets, and whether files are executable."""
    found = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_file():
            found[name] = (path.read_bytes(), bool(path.stat().st_mode & 0o100))
    return found


def expected(archive, folder):
    """Return what GNU tar makes of the archive, wheels opened in a folder beside their place."""
    folder.mkdir()
    subprocess.run(["tar", "-xzf", archive, "-C", folder], check=True)
    found = listing(folder)
    for name in [name for name in found if name.endswith(".whl")]:
        content, _ = found.pop(name)
        with zipfile.ZipFile(io.BytesIO(content)) as wheel:
            for one in wheel.infolist():
                if one.file_size:
                    found[f"{name}.d/{one.filename}"] = (wheel.read(one), False)
    return found


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


def test_names_that_would_lead_out_or_meet_do_neither(box, tmp_path):
    entries = [
        ("../../out", b"1", {}), ("/rooted", b"2", {}), ("./a//b", b"3", {}), ("twice", b"4", {}), ("twice", b"5", {}),
        ("deep/" * 60 + "a", b"6", {}), ("x" * 130, b"7", {}), ("d/" + "y" * 99, b"8", {}), ("ä", b"9", {}),
        ("link", b"", {"type": tarfile.LNKTYPE, "linkname": "deep/" * 60 + "a"}),
    ]  # fmt: skip
    one = ingredient(box, gzipped(tar(entries)), name="odd.tar.gz")
    found = {name: content for name, (content, _) in listing(trees([one], tmp_path) / "odd").items()}
    assert found == {
        "_/_/out": b"1", "rooted": b"2", "a/b": b"3", "twice": b"5", "twice~3": b"4", "deep/" * 60 + "a": b"6",
        "x" * 130: b"7", "d/" + "y" * 99: b"8", "ä": b"9", "link": b"6",
    }  # fmt: skip
    assert not (tmp_path / "desk" / "out").exists()


def test_nothing_is_written_through_a_link_of_an_archive(box, tmp_path):
    """A link that leads out of the trees is left out: what comes later could follow it."""
    out = tmp_path / "out"
    (out / "0.13.8" / str(LINUX)).mkdir(parents=True)

    def link(name, target):
        return name, b"", {"type": tarfile.SYMTYPE, "linkname": target}

    entries = [
        ("dir/file", b"1", {}), link("absolute", str(out)), link("above", "../../../out"), link("dir/up", "../file"),
        link("dir/far", "../../x"), link("around", "dir/../../x"), link("here", "."), link("here/here/out", "../.."),
        ("here/folder", b"", {"type": tarfile.DIRTYPE}), link("good", "dir/file"), link("0.13.8", f"{out}/0.13.8"),
    ]  # fmt: skip
    wanted = [
        ingredient(box, gzipped(tar(entries)), path="mirror/own-123456789/uv.tar.gz"),
        ingredient(
            box, gzipped(tar([("a", b"2", {"mode": 0o4755})])), path="mirror/own-123456789/UV~2.tar.gz"
        ),
        ingredient(box, smallpythons.code("uv"), path=f"uv/0.13.8/{LINUX}/uv", role="uv"),
    ]
    found = listing(trees(wanted, tmp_path))
    assert {name: what for name, what in found.items() if what[0] == "link"} == {
        "uv~2/good": ("link", "dir/file"), "uv~2/dir/up": ("link", "../file"), "uv~2/here": ("link", "."),
    }  # fmt: skip
    assert f"uv/0.13.8/{LINUX}/uv" in found
    assert "UV~2~2/a" in found
    assert not [one for one in out.rglob("*") if one.is_file()]


def test_no_mode_beyond_permissions_and_no_device_reaches_a_stream(box, tmp_path):
    entries = [
        ("file", b"1", {"mode": 0o6755}), ("folder", b"", {"type": tarfile.DIRTYPE, "mode": 0o7777}),
        ("link", b"", {"type": tarfile.LNKTYPE, "linkname": "file", "mode": 0o4755}),
        ("device", b"", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}), ("pipe", b"", {"type": tarfile.FIFOTYPE}),
    ]  # fmt: skip
    (tmp_path / "spool").mkdir()
    one = ingredient(box, gzipped(tar(entries)), name="x.tar.gz")
    made = recompress([one], level="fast", spool=tmp_path / "spool", progress=Silent())
    text = next(one.file for one in made.stored if "text" in one.member.path).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(zstandard.ZstdDecompressor().decompress(text))) as archive:
        members = archive.getmembers()
    assert {one.name for one in members} == {"x/file", "x/folder", "x/link"}
    assert all(one.mode <= 0o777 and (one.isfile() or one.isdir() or one.islnk()) for one in members)


def test_many_entries_of_one_name_take_no_longer_than_as_many_names(box):
    same = [tarparts.Entry(
        begin=0, data=512, size=0, end=512, name="l", kind=tarparts.LINK, mode=0o644, mtime=0, target="a"
    )] * 50_000  # fmt: skip
    one = ingredient(box, gzipped(tar([("a", b"1", {})])), name="x.tar.gz")
    begun = time.monotonic()
    Layout([Cut(ingredient=one, extra=same)])
    assert time.monotonic() - begun < 10  # counting from the begin for each takes minutes


def test_a_name_of_many_digits_is_read_once():
    begun = time.monotonic()
    assert without_versions("1" * 4000 + "/3.13.5") == "1" * 4000 + "/X"
    assert without_versions("1" * 60_000) == "1" * 60_000
    assert time.monotonic() - begun < 5


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
