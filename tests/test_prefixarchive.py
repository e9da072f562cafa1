"""The archive of an installed Python: only Python's own files, independent of their place, the same bytes each time."""

from __future__ import annotations

import gzip
import os
import re
import sys
import tarfile
from pathlib import Path, PurePosixPath

import pytest
from ownbuild_fixture import host_build, host_prefix, host_tree
from standins import interpreter

from bundler.connected import elf
from bundler.connected.interpreter import describe, find_python
from bundler.connected.prefixarchive import TIME, write_archive
from bundler.connected.prefixfiles import choose
from bundler.core.digest import hash_file
from bundler.core.progress import Silent


@pytest.fixture(scope="module")
def archived():
    with tarfile.open(host_build().path) as archive:
        return archive.getmembers()


@pytest.mark.xfail(
    sys.base_prefix == "/usr" and Path("/etc/debian_version").exists(),
    reason="Debian's: a link to libpython becomes a file, and python-config another one",
    strict=True,
)
def test_an_own_build_of_an_installed_own_build_is_the_same_file(tmp_path):
    """The input is the same Python at another place, with other owners, times and modes."""
    tree = host_tree()
    for path in (tree / "bin").iterdir():
        os.utime(path, follow_symlinks=False)
    python = describe(find_python(tree))
    write_archive(python, target=tmp_path / "again", scratch=tmp_path, progress=Silent())
    assert hash_file(tmp_path / "again")[0] == host_build().sha256


def test_the_archive_says_nothing_about_who_made_it_and_when(archived):
    with host_build().path.open("rb") as stream:
        assert stream.read(10)[3:8] == bytes(5)  # RFC 1952: no flags (so no name), no time
    for member in archived:
        assert (member.uid, member.gid, member.uname, member.gname, member.mtime) == (0, 0, "", "", TIME)
        assert member.mode in ((0o777,) if member.issym() else (0o755, 0o644))
        assert member.isfile() or member.isdir() or member.issym()


def test_members_are_sorted_and_have_one_top_folder(archived):
    names = [PurePosixPath(member.name).parts for member in archived if not member.isdir()]
    assert names == sorted(names)
    assert {parts[0] for parts in names} == {"python"}


def test_links_stay_inside_and_lead_somewhere(archived):
    root = host_tree()
    links = [member for member in archived if member.issym()]
    assert {"python/bin/python3", "python/bin/python"} <= {member.name for member in links}
    for member in links:
        path = root.parent / member.name
        assert path.resolve(strict=True).is_relative_to(root.resolve())


def test_tests_bytecode_and_other_peoples_packages_stay_behind(archived):
    names = [member.name for member in archived]
    stdlib = Path(os.__file__).parent.name
    unwanted = re.compile(
        r"/(?:test|tests|idle_test|__pycache__|dist-packages)(?:/|$)|\.pyc$|\.a$|customize\.py$|EXTERNALLY-MANAGED"
        r"|/_test[^/]*\.so$"
    )
    assert [name for name in names if unwanted.search(name)] == []
    packages = {
        name.split("/")[4] for name in names if name.startswith(f"python/lib/{stdlib}/site-packages/")
    }
    allowed = (
        r"pip|pip-.*\.dist-info|README\.txt|setuptools.*|pkg_resources|_distutils_hack|distutils-.*\.pth"
    )
    assert [name for name in packages if not re.fullmatch(allowed, name)] == []


def test_what_a_standard_library_needs_is_there(archived):
    names = {member.name for member in archived}
    stdlib = f"python/lib/{Path(os.__file__).parent.name}"
    for module in ("os.py", "unittest/case.py", "venv/__init__.py", "encodings/utf_8.py", "sysconfig"):
        assert {f"{stdlib}/{module}", f"{stdlib}/{module}.py", f"{stdlib}/{module}/__init__.py"} & names
    assert any(name.startswith(f"{stdlib}/_sysconfigdata_") for name in names)


def test_no_text_that_is_run_and_no_run_path_names_the_old_prefix():
    prefix, root = str(host_prefix()), host_tree()
    if prefix == "/usr":
        pytest.skip("the prefix /usr stands for the system's tools too")
    texts = [*root.glob("lib/python3*/_sysconfigdata_*.py"), *root.glob("lib/pkgconfig/*.pc")]
    texts += [path for path in (root / "bin").iterdir() if not elf.is_elf(path)]
    assert texts
    assert [path for path in texts if f"{prefix}/" in path.read_text()] == []
    if host_build().row.platform.os == "linux":
        for path in [
            *root.glob("bin/*"),
            *root.glob("lib/*.so*"),
            *root.glob("lib/python3*/lib-dynload/*.so"),
        ]:
            if elf.is_elf(path):
                assert all(folder.startswith("$ORIGIN") for folder in elf.run_path(path) if prefix in folder)
                assert prefix not in ":".join(elf.run_path(path))


def small_prefix(tmp_path, name="opt/py"):
    """Return a made-up installed Python of a few files, with a thing of each kind that must not be carried."""
    root = tmp_path / name
    files = {
        "bin/python3.13": "#!binary",
        "bin/pip3.13": "#!{root}/bin/python3.13\n",
        "bin/pip3": "#!/usr/bin/python2\n",
        "bin/idle3": "#!{root}/bin/python3.13\n",
        "bin/unrelated": "#!{root}/bin/python3.13\n",
        "lib/python3.13/os.py": "",
        "lib/python3.13/sitecustomize.py": "",
        "lib/python3.13/test/test_os.py": "",
        "lib/python3.13/site-packages/pip/__init__.py": "",
        "lib/python3.13/site-packages/pip-24.dist-info/METADATA": "",
        "lib/python3.13/site-packages/setuptools/__init__.py": "",
        "lib/python3.13/site-packages/secret.py": "",
        "lib/python3.13/site-packages/site.pth": "/somewhere",
        "lib/python3.13/config-3.13/Makefile": "",
        "lib/python3.13/config-3.13/libpython3.13.a": "",
        "lib/tcl8.6/init.tcl": "",
        "lib/tk8.6/tk.tcl": "",
        "lib/thread2.6/other": "",
        "lib/libtcl8.6.so": "",
        "lib/libother.so": "",
        "include/python3.13/Python.h": "",
        "include/other.h": "",
        "share/terminfo/x/xterm": "",
        "share/other": "",
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text.format(root=root))
    outside = tmp_path / "outside.py"
    outside.write_text("outside")
    (root / "lib/python3.13/linked.py").symlink_to(outside)
    (root / "lib/python3.13/dangling.py").symlink_to(tmp_path / "nothing")
    (root / "lib/python3.13/absolute.py").symlink_to(root / "lib/python3.13/os.py")
    return interpreter(root, libpython="", able=("tkinter",), mapped=(root / "lib/libtcl8.6.so",))


def contents(python, tmp_path):
    tmp_path.joinpath("scratch").mkdir(exist_ok=True)
    target = tmp_path / "a.tar.gz"
    write_archive(python, target=target, scratch=tmp_path / "scratch", progress=Silent())
    with tarfile.open(target) as archive:
        return {m.name.removeprefix("python/"): m.linkname or None for m in archive if not m.isdir()}


EXPECTED = {
    "bin/idle3": None,
    "bin/pip3.13": None,
    "bin/python": "python3.13",
    "bin/python3": "python3.13",
    "bin/python3.13": None,
    "include/python3.13/Python.h": None,
    "lib/libtcl8.6.so": None,
    "lib/python3.13/absolute.py": "os.py",
    "lib/python3.13/config-3.13/Makefile": None,
    "lib/python3.13/linked.py": None,
    "lib/python3.13/os.py": None,
    "lib/python3.13/site-packages/pip-24.dist-info/METADATA": None,
    "lib/python3.13/site-packages/pip/__init__.py": None,
    "lib/tcl8.6/init.tcl": None,
    "lib/tk8.6/tk.tcl": None,
    "share/terminfo/x/xterm": None,
}


def test_exactly_pythons_own_files_are_taken(tmp_path):
    assert contents(small_prefix(tmp_path), tmp_path) == EXPECTED


def test_a_python_of_lib64_is_archived_below_lib_with_a_link(tmp_path):
    python = small_prefix(tmp_path)
    (python.prefix / "lib").rename(python.prefix / "lib64")
    python = interpreter(
        python.prefix,
        libpython="",
        mapped=(),
        stdlib=python.prefix / "lib64" / "python3.13",
        platlibdir="lib64",
    )
    found = contents(python, tmp_path)
    assert found["lib64"] == "lib"
    assert "lib/python3.13/os.py" in found


def test_a_free_threaded_python_has_all_its_names(tmp_path):
    python = small_prefix(tmp_path)
    (python.prefix / "bin/python3.13").rename(python.prefix / "bin/python3.13t")
    python = interpreter(
        python.prefix, variant="freethreaded", executable=python.prefix / "bin/python3.13t", mapped=()
    )
    found = contents(python, tmp_path)
    assert {found["bin/python3.13"], found["bin/python3"], found["bin/python"]} == {"python3.13t"}


def test_the_bytes_do_not_depend_on_the_order_of_the_file_system_nor_on_times(tmp_path, monkeypatch):
    python = small_prefix(tmp_path)
    contents(python, tmp_path)
    first = (tmp_path / "a.tar.gz").read_bytes()
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda top: ((a, b, sorted(c, reverse=True)) for a, b, c in walk(top)))
    for path in python.prefix.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
    contents(python, tmp_path)
    assert (tmp_path / "a.tar.gz").read_bytes() == first
    assert gzip.decompress(first)


def test_of_the_prefix_usr_only_pythons_own_files_are_taken():
    program = Path("/usr/bin/python3")
    if not program.is_file() or not (python := describe(program)).prefix.samefile("/usr"):
        pytest.skip("needs a Python of the system with the prefix /usr")
    names = {str(entry.name) for entry in choose(python)}
    assert f"python/bin/python{python.minor}" in names
    assert f"python/lib/python{python.minor}/os.py" in names
    below = {name.split("/")[2] for name in names if name.startswith("python/lib/")}
    assert all(name.startswith(("python3.", "libpython3.", "pkgconfig")) for name in below)
    assert len({name for name in names if name.startswith("python/bin/")}) < 20
    assert not any("-packages/" in name or name.startswith("python/share") for name in names)
