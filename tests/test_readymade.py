"""Ready-made archives: taken as they are, if they are what the manifest says."""

from __future__ import annotations

import struct
import tarfile
from pathlib import Path

import pytest
from pythonarchives import member, write

from bundler.connected.cache import Cache
from bundler.connected.manifest import ArchiveBuild
from bundler.connected.ownbuilds import prepare
from bundler.core.digest import Digest, hash_file
from bundler.core.platforms import Platform
from bundler.core.progress import Silent
from bundler.errors import UsageFault

SHARED = Path(__file__).parents[2] / "shared" / "archives"
LINUX = Platform.parse("linux-x86_64-gnu")


def elf(machine=62, *, musl=False):
    return (
        b"\x7fELF\x02\x01"
        + bytes(12)
        + struct.pack("<H", machine)
        + (b"/lib/ld-musl-x.so.1" if musl else b"")
    )


def pe(machine):
    return b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<H", machine)


def patchlevel(version):
    return member(
        "python/include/python3.13/patchlevel.h", data=f'#define PY_VERSION  "{version}"\n'.encode()
    )


def build(path, platform=LINUX, version="3.13.5", **more):
    return ArchiveBuild(path=path, written=path.name, version=version, platform=platform, **more)


def ready(build_):
    return prepare(build_, cache=Cache(Path("never-used")), progress=Silent())


GOOD = {
    "install_only": ([member("python/bin/python3.13", data=elf()), patchlevel("3.13.5")], "linux-x86_64-gnu"),
    "full": ([member("python/install/bin/python3.13", data=elf())], "linux-x86_64-gnu"),
    "free-threaded": ([member("python/bin/python3.13t", data=elf())], "linux-x86_64-gnu"),
    "musl": ([member("python/bin/python3.13", data=elf(musl=True))], "linux-x86_64-musl"),
    "a level": ([member("python/bin/python3.13", data=elf())], "linux-x86_64_v3-gnu"),
    "windows": ([member("python/python.exe", data=pe(0x8664))], "windows-x86_64-none"),
    "macos": (
        [member("python/bin/python3.13", data=b"\xcf\xfa\xed\xfe" + struct.pack("<I", 0x0100000C))],
        "macos-aarch64-none",
    ),
    "a link": ([member("python/bin/python3.13", kind=tarfile.SYMTYPE, link="x")], "linux-x86_64-gnu"),
    "a local version": (
        [member("python/bin/python3.13", data=elf()), patchlevel("3.13.5+")],
        "linux-x86_64-gnu",
    ),
}


@pytest.mark.parametrize(("entries", "platform"), GOOD.values(), ids=GOOD.keys())
@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.zst"])
def test_an_archive_that_is_what_the_manifest_says_is_taken_byte_for_byte(
    tmp_path, entries, platform, suffix
):
    path = write(tmp_path / f"cpython-3.13.5+x{suffix}", *entries)
    own = ready(build(path, Platform.parse(platform)))
    assert own.path == path
    assert (own.sha256, own.size) == hash_file(path)
    assert own.row.sha256 == own.sha256
    assert own.row.key == f"cpython-3.13.5-{platform}"
    assert own.row.build == f"own-{own.sha256.short}"
    assert own.row.url.endswith(f"/own-{own.sha256.short}/cpython-3.13.5%2Bx{suffix}")


PLAIN = [member("python/bin/python3.13", data=elf())]
BAD = {
    "another minor version": (
        [member("python/bin/python3.12")],
        {},
        "holds no bin/python3.13 below one top folder, expected what uv installs",
    ),
    "two top folders": (
        [*PLAIN, member("other/x")],
        {},
        "holds no bin/python3.13 below one top folder, expected what uv installs",
    ),
    "another patch version": ([*PLAIN, patchlevel("3.13.4")], {}, "holds Python 3.13.4, expected 3.13.5"),
    "another architecture": (
        PLAIN,
        {"platform": "linux-aarch64-gnu"},
        "is for linux-x86_64, expected linux-aarch64-gnu",
    ),
    "another system": (
        PLAIN,
        {"platform": "macos-x86_64-none"},
        "is for linux-x86_64, expected macos-x86_64-none",
    ),
    "another libc": (
        PLAIN,
        {"platform": "linux-x86_64-musl"},
        "is linked to glibc, expected linux-x86_64-musl",
    ),
    "a short version": (PLAIN, {"version": "3.13"}, "expected a full version such as 3.13.5, found '3.13'"),
    "another digest": (
        PLAIN,
        {"sha256": Digest.of(b"")},
        f"has the sha256 ACTUAL, expected {Digest.of(b'')}",
    ),
}


@pytest.mark.parametrize(("entries", "wish", "message"), BAD.values(), ids=BAD.keys())
def test_it_refuses(tmp_path, entries, wish, message):
    path = write(tmp_path / "a.tar.gz", *entries)
    wish = {**wish, "platform": Platform.parse(wish.get("platform", "linux-x86_64-gnu"))}
    with pytest.raises(UsageFault) as caught:
        ready(build(path, **wish))
    assert caught.value.message == f"{path}: {message.replace('ACTUAL', str(hash_file(path)[0]))}"


def test_a_name_that_not_every_file_system_takes_is_refused(tmp_path):
    path = write(tmp_path / "a b.tar.gz", *PLAIN)
    with pytest.raises(
        UsageFault, match=r"expected a path of letters, digits and \._\+-, found 'a b\.tar\.gz'"
    ):
        ready(build(path))


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(UsageFault, match="no such file, expected a ready-made archive"):
        ready(build(tmp_path / "a.tar.gz"))


def test_pypy_and_graalpy_are_recognised_by_their_own_programs(tmp_path):
    path = write(tmp_path / "a.tar.gz", member("pypy3.11-v7/bin/pypy3.11", data=elf()))
    assert ready(build(path, version="3.11.13", implementation="pypy")).row.name == "pypy"
    with pytest.raises(UsageFault, match="holds no bin/graalpy"):
        ready(build(path, version="3.11.13", implementation="graalpy"))


REAL = {
    "cpython-3.11.2-x86_64-linux-install_only_stripped.tar.gz": "3.11.2",
    "cpython-3.12.1-miniz-x86_64-linux-install_only_stripped.tar.gz": "3.12.1",
    "cpython-3.13.15lto-x86_64-linux-install_only_stripped.tar.gz": "3.13.15",
    "cpython-3.13.5lto-x86_64-linux-install_only_stripped.tar.gz": "3.13.5",
}


@pytest.mark.parametrize(("name", "version"), REAL.items())
def test_real_archives_are_taken_and_a_wrong_version_is_noticed(name, version):
    if not (SHARED / name).is_file():
        pytest.skip("needs the archives in shared/archives, which are not here")
    path = SHARED / name
    line = next(line for line in (SHARED / "SHA256SUMS").read_text().splitlines() if line.endswith(name))
    assert str(ready(build(path, version=version)).sha256) == line.split()[0]
    with pytest.raises(UsageFault, match=f"holds Python {version}, expected {version[:4]}.99"):
        ready(build(path, version=f"{version[:4]}.99"))


def test_absolute_links_which_newer_uvs_refuse_are_told(tmp_path):
    good = GOOD["install_only"][0]
    links = [
        member(f"python/share/terminfo/c/{name}", kind=tarfile.SYMTYPE, link=f"/lib/terminfo/c/{name}")
        for name in ("cons25", "cygwin")
    ]
    inside = member("python/bin/python3", kind=tarfile.SYMTYPE, link="python3.13")
    path = write(tmp_path / "a.tar.gz", *good, inside)
    assert ready(build(path)).notes == ()
    path = write(tmp_path / "b.tar.gz", *good, inside, *links)
    (note,) = ready(build(path)).notes
    assert note == (
        "has absolute links (python/share/terminfo/c/cons25 -> /lib/terminfo/c/cons25 and 1 more): "
        "uv 0.8.3 and newer refuse it, repack it without them"
    )
