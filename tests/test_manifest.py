"""A manifest is read into values; its digest is that of its wishes, however they are written."""

from pathlib import Path

import pytest
from manifesttexts import BASE, HEAD, LINUX, WINDOWS, ZEROS, read, with_line

from bundler.connected import manifest as module
from bundler.connected.manifest import ArchiveBuild, PrefixBuild, PythonWish, Sources
from bundler.core.digest import Digest


@pytest.fixture(autouse=True)
def _on_linux(monkeypatch):
    monkeypatch.setattr(module, "host_platform", lambda: LINUX)


def test_a_whole_manifest_is_read_into_values():
    manifest = read(
        "version: 1\nname: plant-7\nrelease: 2026Q4\nserial: 2026112001\nvalid_days: 200\n"
        'uv: ["0.13.8", latest]\n'
        'pythons: ["3.13", {request: "3.11", patches: 2},'
        f' {{request: "cpython-3.12.7-linux-x86_64-gnu", sha256: "{ZEROS}"}}]\n'
        "platforms: [linux-x86_64-gnu, x86_64-pc-windows-msvc]\n"
        "sources: {index: https://index.example/simple, pythons: file:///srv/mirror}\n"
        "builds:\n"
        "  - {path: /opt/python/3.11.7, platform: host}\n"
        f'  - {{archive: ../a/x.tar.gz, version: "3.13.5", platform: windows-x86_64-none, sha256: "{ZEROS}",'
        " variant: debug}\n",
        "site/lab.yaml",
    )
    assert (manifest.name, manifest.release, manifest.serial) == ("plant-7", "2026Q4", 2026112001)
    assert manifest.valid_days == 200
    assert manifest.uv == ("0.13.8", "latest")
    assert manifest.pythons == (
        PythonWish(request="3.13"),
        PythonWish(request="3.11", patches=2),
        PythonWish(request="cpython-3.12.7-linux-x86_64-gnu", sha256=Digest(ZEROS)),
    )
    assert manifest.platforms == (LINUX, WINDOWS)
    assert manifest.sources == Sources(index="https://index.example/simple", pythons=("file:///srv/mirror",))
    assert manifest.builds == (
        PrefixBuild(path=Path("/opt/python/3.11.7"), written="/opt/python/3.11.7", platform=LINUX),
        ArchiveBuild(
            path=Path("site/../a/x.tar.gz"),
            written="../a/x.tar.gz",
            version="3.13.5",
            platform=WINDOWS,
            sha256=Digest(ZEROS),
            variant="debug",
        ),
    )
    assert manifest.path == Path("site/lab.yaml")


def test_what_is_left_out_has_its_default():
    manifest = read(HEAD + "builds: [{path: ../python}]\n")
    assert manifest.serial is None
    assert manifest.valid_days is None
    assert manifest.pythons == ()
    assert manifest.sources == Sources()
    assert manifest.builds == (PrefixBuild(path=Path("../python"), written="../python", platform=LINUX),)
    archive = read(HEAD + 'builds: [{archive: a.zip, version: "3.9.1", platform: host}]\n').builds[0]
    assert (archive.sha256, archive.implementation, archive.variant) == (None, "cpython", "")


def test_host_is_this_machine_and_stands_once_beside_its_own_name():
    assert read(with_line(5, "platforms: [host]")).platforms == (LINUX,)
    assert read(with_line(5, "platforms: [host, linux-x86_64-gnu]")).platforms == (LINUX,)
    assert read(with_line(5, "platforms: [windows-x86_64-none, host]")).platforms == (WINDOWS, LINUX)


def test_variants_of_one_version_are_different_interpreters():
    text = 'builds:\n  - {archive: a.zip, version: "3.13.5", platform: host}\n'
    both = text + '  - {archive: b.zip, version: "3.13.5", platform: host, variant: debug}\n'
    assert len(read(HEAD + both).builds) == 2


def test_a_digest_may_stand_beside_a_request_that_names_its_platform():
    text = f'pythons: [{{request: cpython-3.12.7-windows-x86_64-none, sha256: "{ZEROS}"}}]\n'
    manifest = read(with_line(5, "platforms: [linux-x86_64-gnu, windows-x86_64-none]", text))
    assert manifest.pythons[0].sha256 == Digest(ZEROS)


SAME = {
    "a comment": lambda text: "# hello\n" + text,
    "block style": lambda text: text.replace('pythons: ["3.13", "3.12"]', "pythons:\n- '3.12'\n- '3.13'"),
    "another release": lambda text: text.replace("2026Q4", "2027Q1"),
    "another name": lambda text: text.replace("lab", "shop"),
    "a serial": lambda text: text + "serial: 7\n",
    "an end": lambda text: text + "valid_days: 7\n",
    "a mirror": lambda text: text + "sources: {pythons: file:///srv/mirror}\n",
    "host by its name": lambda text: text.replace("host", "linux-x86_64-gnu"),
    "a request in long form": lambda text: text.replace('"3.13"', '{request: "3.13", patches: 1}'),
    "a path in another spelling": lambda text: text.replace("../python", "./../python"),
}
DIFFERENT = {
    "another uv": lambda text: text.replace("latest", '"0.13.8"'),
    "another request": lambda text: text.replace("3.12", "3.11"),
    "more patches": lambda text: text.replace('"3.13"', '{request: "3.13", patches: 2}'),
    "another platform": lambda text: text.replace("[host]", "[host, windows-x86_64-none]"),
    "another index": lambda text: text + "sources: {index: https://index.example}\n",
    "another build": lambda text: text.replace("../python", "../python3"),
    "a build less": lambda text: text.replace("builds: [{path: ../python}]", ""),
}


@pytest.mark.parametrize("case", SAME)
def test_what_does_not_change_the_resolution_does_not_change_the_digest(case):
    changed = SAME[case](BASE)
    assert changed != BASE
    assert read(changed).digest == read(BASE).digest


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_changes_the_resolution_changes_the_digest(case):
    assert read(DIFFERENT[case](BASE)).digest != read(BASE).digest


def test_the_digest_does_not_depend_on_where_the_manifest_lies():
    assert read(BASE, "a/b.yaml").digest == read(BASE, "/c/d.yaml").digest
