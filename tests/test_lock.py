"""The lock as a document: what is written reads back, what nobody wrote is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvlists import LINUX, WINDOWS, row

from bundler.connected.lock import (
    Lock,
    LockedBuild,
    LockedFile,
    LockedPython,
    LockedWheel,
    load_lock,
    lock_path,
)
from bundler.connected.lockdiff import differences
from bundler.core.digest import Digest
from bundler.core.metadata import Row
from bundler.core.platforms import COMMON, Platform
from bundler.core.uvnames import own_build_url
from bundler.errors import UsageFault

SHA = Digest.of(b"file")


def own(version="3.11.7", file="cpython-3.11.7+own.tar.gz", sha256=SHA):
    build = row(version)
    fields = {
        name: getattr(build, name)
        for name in ("name", "version", "prerelease", "variant", "platform", "build")
    }
    return Row(**fields, url=own_build_url(file, sha256), sha256=sha256)


def lock(**fields):
    standard = {
        "name": "plant-7",
        "manifest": Digest.of(b"manifest"),
        "index": None,
        "uv": ("0.13.8",),
        "latest": "0.13.8",
        "platforms": (LINUX, WINDOWS),
        "uv_list": LockedFile(file="uv-0.13.8.tar.gz", sha256=SHA, size=7),
        "pythons": (LockedPython(row=row("3.13.5"), size=None, requests=("3.13",)),),
        "wheels": (
            LockedWheel(
                version="0.13.8",
                platform=LINUX,
                wheel=LockedFile(file="uv-0.13.8-py3-none-any.whl", sha256=SHA, size=9),
            ),
        ),
        "builds": (LockedBuild(row=own(), file="cpython-3.11.7+own.tar.gz", size=5, source="../b.tar.gz"),),
    }
    return Lock(**{**standard, **fields})


digests = st.binary(max_size=3).map(Digest.of)
sizes = st.none() | st.integers(0, 2**40)
names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_+-]{0,20}\.whl", fullmatch=True).filter(
    lambda name: name[3:4] != "."
)
files = st.builds(LockedFile, file=names, sha256=digests, size=sizes)
platforms = st.sampled_from([*map(Platform.parse, COMMON), Platform.parse("linux-x86_64_v3-gnu")])
rows = st.builds(
    row,
    st.builds(
        "3.{}.{}{}".format, st.integers(0, 20), st.integers(0, 30), st.sampled_from(["", "a1", "b2", "rc3"])
    ),
    platforms,
    variant=st.sampled_from(["", "freethreaded", "debug", "freethreaded+debug"]),
    name=st.sampled_from(["cpython", "pypy", "graalpy"]),
)
locks = st.builds(
    lock,
    manifest=digests,
    index=st.none() | st.just("https://h.example/simple"),
    uv=st.lists(st.sampled_from(["0.13.8", "0.6.17", "0.14.0rc1"]), min_size=1, unique=True).map(tuple),
    latest=st.none() | st.just("0.13.8"),
    platforms=st.lists(platforms, min_size=1, unique=True).map(tuple),
    uv_list=st.none() | files,
    pythons=st.lists(
        st.builds(
            LockedPython, row=rows, size=sizes, requests=st.lists(st.just("3.13"), max_size=2).map(tuple)
        ),
        unique_by=lambda item: item.row.key,
        max_size=4,
    ).map(tuple),
    wheels=st.lists(
        st.builds(LockedWheel, version=st.just("0.13.8"), platform=platforms, wheel=files), max_size=3
    ).map(tuple),
    builds=st.just(()),
)


@given(locks)
def test_a_lock_reads_back_as_it_was_written(one):
    assert Lock.from_bytes(one.to_bytes()) == one
    assert Lock.from_bytes(one.to_bytes()).to_bytes() == one.to_bytes()


def test_an_own_build_reads_back_with_its_row():
    (build,) = Lock.from_bytes(lock().to_bytes()).builds
    assert build.row == own()


def test_a_lock_names_no_host_of_the_index():
    assert b"://" not in lock(pythons=()).to_bytes()


def test_a_lock_lies_beside_its_manifest(tmp_path):
    assert lock_path(tmp_path / "plant.v2.yaml") == tmp_path / "plant.v2.lock"


def test_a_lock_is_text_of_one_line_a_value():
    text = lock().to_bytes().decode()
    assert text.isascii()
    assert text.endswith("}\n")
    assert '      "key": "cpython-3.13.5-linux-x86_64-gnu",\n' in text


def changed(path, value):
    document = json.loads(lock().to_bytes())
    at = document
    for key in path[:-1]:
        at = at[key]
    if value is KeyError:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return json.dumps(document).encode()


KEY = "cpython-3.11.7-linux-x86_64-gnu"
REFUSED = [
    (("version",), 2, "version: expected 1 to 1, found 2"),
    (("manifest",), "0", "manifest: expected 64 lowercase hexadecimal digits, found '0'"),
    (("uv",), [], "uv: expected 1 to 100000 items, found 0"),
    (("uv", 0), "new", "uv[0]: expected a version of uv, found 'new'"),
    (("platforms", 0), "vms", "platforms[0]: expected a platform such as linux-x86_64-gnu, found 'vms'"),
    (("list", "file"), "../x", "list.file: expected a path of letters, digits and ._+-, found '../x'"),
    (("wheels", 0, "file"), "a/b.whl", "wheels[0].file: expected a file name, found 'a/b.whl'"),
    (("wheels", 0, "file"), "nul.whl", "wheels[0].file: expected a name that Windows does not keep for itself, found 'nul.whl'"),
    (("wheels", 0, "size"), -1, "wheels[0].size: expected 0 to 9223372036854775807 of bytes, found -1"),
    (("wheels", 0, "size"), "9", "wheels[0].size: expected a size or null, found the string '9'"),
    (("pythons", 0, "key"), "3.13", "pythons[0].key: expected a whole installation key, found '3.13'"),
    (("pythons", 0, "key"), "cpython-3.13-linux-x86_64-gnu", "pythons[0].key: expected a whole installation key, found 'cpython-3.13-linux-x86_64-gnu'"),
    (("pythons", 0, "url"), "file:///etc/passwd", "pythons[0].url: expected an https:// URL without user name, found the string 'file:///etc/passwd'"),
    (("pythons", 0, "url"), "https://a:b@h/x", "pythons[0].url: expected an https:// URL without user name, found the string 'https://a:b@h/x'"),
    (("pythons", 0, "key"), KEY, f"pythons: expected each installation key once, found {KEY} twice"),
    (("pythons", 0, "sha256"), None, "pythons[0].sha256: expected a sha256, found nothing"),
    (("pythons", 0, "hash"), "x", "pythons[0].hash: unknown key, expected one of key, sha256, build, url, size, requests"),
    (("builds", 0, "size"), None, "builds[0].size: expected a whole number of bytes, found nothing"),
    (("latest",), KeyError, "latest: missing, but required"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "message"), REFUSED)
def test_what_nobody_wrote_is_refused_with_its_place(path, value, message, tmp_path):
    file = tmp_path / "plant.lock"
    file.write_bytes(changed(path, value))
    with pytest.raises(UsageFault) as caught:
        load_lock(file)
    assert caught.value.message == f"{file}: {message}"
    assert caught.value.hint


def test_a_lock_that_is_not_there_says_how_to_make_it(tmp_path):
    with pytest.raises(UsageFault, match="no such lock") as caught:
        load_lock(tmp_path / "plant.lock")
    assert caught.value.hint == "uv-bundler lock MANIFEST writes it"


def test_ten_thousand_pythons_fit_into_a_lock(tmp_path):
    rows = [row(f"3.{minor}.{patch}", platform) for minor in range(4, 24) for patch in range(50)
            for platform in map(Platform.parse, COMMON[:10])]  # fmt: skip
    pythons = tuple(LockedPython(row=item, size=1 << 30, requests=(">=3.4",)) for item in rows)
    one = lock(pythons=pythons, builds=())
    (tmp_path / "big.lock").write_bytes(one.to_bytes())
    assert load_lock(tmp_path / "big.lock") == one


def test_a_lock_does_not_differ_from_itself_nor_by_a_size_that_was_not_known():
    known = (LockedPython(row=row("3.13.5"), size=5, requests=("3.13",)),)
    assert differences(lock(), lock()) == []
    assert differences(lock(), lock(pythons=known)) == []


PYTHON = LockedPython(row=row("3.13.5"), size=None, requests=("3.13",))
OTHERS = [
    ({"manifest": SHA}, ["the manifest has changed since it was locked"]),
    ({"uv": ("0.13.9",)}, ["uv: 0.13.8, now 0.13.9"]),
    ({"latest": None}, ["latest: 0.13.8, now not asked for"]),
    ({"index": "https://h.example"}, ["index: not named, now https://h.example"]),
    ({"platforms": (LINUX,)}, ["platforms: linux-x86_64-gnu, windows-x86_64-none, now linux-x86_64-gnu"]),
    ({"pythons": ()}, ["python cpython-3.13.5-linux-x86_64-gnu: in the lock, but no longer meant"]),
    (
        {"pythons": (PYTHON, LockedPython(row=row("3.12.7"), size=None, requests=("3.12",)))},
        ["python cpython-3.12.7-linux-x86_64-gnu: not in the lock"],
    ),
    (
        {"pythons": (LockedPython(row=row("3.13.5", sha256=False), size=None, requests=("3.13",)),)},
        ["python cpython-3.13.5-linux-x86_64-gnu: differs"],
    ),
    ({"wheels": ()}, ["wheel uv 0.13.8 for linux-x86_64-gnu: in the lock, but no longer meant"]),
    ({"builds": ()}, ["own build cpython-3.11.7-linux-x86_64-gnu: in the lock, but no longer meant"]),
    (
        {"uv_list": LockedFile(file="uv-0.13.8.tar.gz", sha256=Digest.of(b"other"), size=7)},
        ["list of Pythons uv-0.13.8.tar.gz: differs"],
    ),
]


@pytest.mark.parametrize(("fields", "lines"), OTHERS)
def test_each_difference_is_told_in_a_line(fields, lines):
    assert differences(lock(), lock(**fields)) == lines
