"""The proof of an own build refuses each way in which it could still lean on its origin."""

from __future__ import annotations

from pathlib import Path

import pytest
from ownbuild_fixture import host_prefix
from standins import interpreter

from bundler.connected import prefixarchive, proof
from bundler.connected.interpreter import describe, find_python
from bundler.core.progress import Silent
from bundler.errors import UsageFault

OLD, NEW = Path("/old"), Path("/new/python")


def test_a_copy_that_stands_on_its_own_is_accepted():
    proof._compare(interpreter(OLD), interpreter(NEW), NEW)


USED = "/old/lib/python3.13/lib-dynload/_ssl.so"
BAD = {
    "another version": ({"version": (3, 13, 4)}, "its version is (3, 13, 4), expected (3, 13, 5)"),
    "another prefix": ({"prefix": OLD}, "its prefix is /old, expected the place where it was unpacked"),
    "another search path": (
        {"search_path": ("/old/lib/python3.13",)},
        "it looks for modules in /old/lib/python3.13, expected only its own folders",
    ),
    "a lost module": ({"able": ("zlib",)}, "it cannot import ssl"),
    "a file of the original": ({"mapped": (Path(USED),)}, f"it still uses {USED}"),
    "the system's libpython": (
        {"mapped": (Path("/usr/lib/libpython3.13.so.1.0"),)},
        "it still uses /usr/lib/libpython3.13.so.1.0",
    ),
}


@pytest.mark.parametrize(("changes", "why"), BAD.values(), ids=BAD.keys())
def test_a_copy_is_refused_for(changes, why):
    with pytest.raises(UsageFault) as caught:
        proof._compare(interpreter(OLD), interpreter(NEW, **changes), NEW)
    assert caught.value.message == f"/old: cannot be carried to another machine: {why}"


def test_a_file_of_the_systems_standard_library_counts_as_the_originals():
    original = interpreter(Path("/usr"))
    mapped = (Path("/usr/lib/python3.13/lib-dynload/_ssl.so"),)
    with pytest.raises(UsageFault, match=r"it still uses /usr/lib/python3\.13/lib-dynload/_ssl\.so"):
        proof._compare(original, interpreter(NEW, mapped=mapped), NEW)
    proof._compare(original, interpreter(NEW, mapped=(Path("/usr/lib/libssl.so.3"),)), NEW)


@pytest.mark.slow
def test_an_archive_that_still_needs_its_origin_is_refused_when_it_is_run(tmp_path, monkeypatch):
    python = describe(find_python(host_prefix()))
    before = {path.name for path in python.mapped}
    if python.platform.os != "linux" or python.libpython not in before:
        pytest.skip("needs a Linux Python with a shared library")
    monkeypatch.setattr(prefixarchive.relocate, "binary", lambda *_, **__: [])
    archive = tmp_path / "a.tar.gz"
    prefixarchive.write_archive(python, target=archive, scratch=tmp_path, progress=Silent())
    with pytest.raises(UsageFault, match="cannot be carried to another machine"):
        proof.prove(archive, original=python, scratch=tmp_path)
