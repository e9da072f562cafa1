"""The manifest: wishes read from YAML, or one refusal with file, line, column, key path and next step."""

import json
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bundler.connected import manifest as module
from bundler.connected.manifest import (
    ArchiveBuild,
    PrefixBuild,
    PythonWish,
    Sources,
    load_manifest,
    parse_manifest,
)
from bundler.connected.manifestshape import SHAPE
from bundler.connected.yamlshapes import about
from bundler.core.digest import Digest
from bundler.core.platforms import Platform
from bundler.errors import BundlerError, HostFault, UsageFault

MANIFESTS = Path(__file__).parents[1] / "manifests"
SHARED = Path(__file__).parents[2] / "shared"
HEAD = "version: 1\nname: lab\nrelease: 2026Q4\nuv: latest\nplatforms: [linux-x86_64-gnu]\n"  # five lines
LINUX = Platform("linux", "x86_64", "gnu")
WINDOWS = Platform("windows", "x86_64", "none")
ZEROS = "0" * 64


def read(text: str, path: str = "lab.yaml"):
    return parse_manifest(text.encode(), path=Path(path))


def with_line(number: int, line: str, more: str = 'pythons: ["3.13"]\n') -> str:
    lines = HEAD.splitlines()
    lines[number - 1] = line
    return "\n".join(lines) + "\n" + more


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


KNOWN = "expected one of version, name, release, serial, valid_days, uv, pythons, platforms, sources, builds"
URL = "expected a URL that begins with https://, http:// or file:///"
SUFFIXES = ".tar.gz, .tgz, .tar.zst, .tar, .zip"
REFUSED = {
    "nothing": ("# empty\n", "1:1: expected a mapping, found nothing"),
    "a list": ("- a\n", "1:1: expected a mapping, found a list of 1"),
    "not YAML": (
        "a: [\n",
        "2:1: not YAML: while parsing a flow node: expected the node content, but found '<stream end>'",
    ),
    "an unknown key": (HEAD + "pyhtons: []\n", f"6:1: pyhtons: unknown key, {KNOWN}"),
    "another version": (
        with_line(1, "version: 2"),
        "1:10: version: expected the number 1, found the number 2",
    ),
    "the version as text": (
        with_line(1, 'version: "1"'),
        "1:10: version: expected the number 1, found the string '1'",
    ),
    "no version": (HEAD[11:], "1:1: version: missing, but required"),
    "no name": (with_line(2, ""), "1:1: name: missing, but required"),
    "an upper case name": (
        with_line(2, "name: Lab"),
        "2:7: name: expected a name of a-z, 0-9 and -, at most 40 characters, found the string 'Lab'",
    ),
    "a number as the name": (
        with_line(2, "name: 7"),
        '2:7: name: expected a string, found the number 7 (quote it: "7")',
    ),
    "an empty name": (
        with_line(2, "name:"),
        "2:6: name: expected a name of a-z, 0-9 and -, at most 40 characters, found nothing",
    ),
    "a number as the release": (
        with_line(3, "release: 2026"),
        '3:10: release: expected a string, found the number 2026 (quote it: "2026")',
    ),
    "a date as the release": (
        with_line(3, "release: 2026-11-20"),
        '3:10: release: expected a string, found the date 2026-11-20 (quote it: "2026-11-20")',
    ),
    "a release of two lines": (
        with_line(3, 'release: "a\\nb"'),
        "3:10: release: expected a label of 1 to 80 characters, found the string 'a\\nb'",
    ),
    "a release that turns the line round": (
        with_line(3, 'release: "a\\u202eb"'),
        "3:10: release: expected printable text without blanks around it, found 'a\\u202eb'",
    ),
    "a fraction as the serial": (
        HEAD + "serial: 1.5\n",
        "6:9: serial: expected a whole number, found the number 1.5",
    ),
    "a serial of zero": (HEAD + "serial: 0\n", "6:9: serial: expected 1 to 9007199254740991, found 0"),
    "no day at all": (HEAD + "valid_days: 0\n", "6:13: valid_days: expected 1 to 3660 of days, found 0"),
    "more days than anybody keeps a host": (
        HEAD + "valid_days: 3661\n",
        "6:13: valid_days: expected 1 to 3660 of days, found 3661",
    ),
    "days as text": (
        HEAD + 'valid_days: "200"\n',
        "6:13: valid_days: expected a whole number of days, found the string '200'",
    ),
    "uv as a number": (
        with_line(4, "uv: 0.13"),
        '4:5: uv: expected a string, found the number 0.13 (quote it: "0.13")',
    ),
    "uv not exact": (
        with_line(4, 'uv: "0.13"'),
        "4:5: uv: expected an exact version such as 0.13.8, or latest, found '0.13'",
    ),
    "a range of uv": (
        with_line(4, 'uv: ["0.13.8", ">=0.9"]'),
        "4:16: uv[1]: expected an exact version such as 0.13.8, or latest, found '>=0.9'",
    ),
    "no uv": (with_line(4, "uv: []"), "4:5: uv: expected 1 to 32 items, found 0"),
    "uv as a mapping": (
        with_line(4, "uv: {a: b}"),
        "4:5: uv: expected a uv version or a list of them, found a mapping of 1 keys",
    ),
    "uv twice": (with_line(4, "uv: [latest, latest]"), "4:14: uv[1]: latest stands twice, first as item 0"),
    "3.10 without quotes": (
        HEAD + "pythons: [3.10]\n",
        '6:11: pythons[0]: expected a string, found the number 3.10 (quote it: "3.10")',
    ),
    "3.13 without quotes": (
        HEAD + 'pythons:\n  - "3.12"\n  - 3.13\n',
        '8:5: pythons[1]: expected a string, found the number 3.13 (quote it: "3.13")',
    ),
    "3 without quotes": (
        HEAD + "pythons: [3]\n",
        '6:11: pythons[0]: expected a string, found the number 3 (quote it: "3")',
    ),
    "3.10 without quotes in a mapping": (
        HEAD + "pythons: [{request: 3.10}]\n",
        '6:21: pythons[0].request: expected a string, found the number 3.10 (quote it: "3.10")',
    ),
    "no as a request": (
        HEAD + "pythons: [no]\n",
        '6:11: pythons[0]: expected a string, found the truth value no (quote it: "no")',
    ),
    "a list as a request": (
        HEAD + "pythons: [[]]\n",
        "6:11: pythons[0]: expected a Python request, or a mapping with the key request, found a list of 0",
    ),
    "no list of requests": (
        HEAD + 'pythons: "3.13"\n',
        "6:10: pythons: expected a list, found the string '3.13'",
    ),
    "what uv would not read": (
        HEAD + "pythons: [latest]\n",
        "6:11: pythons[0]: expected a Python request, found 'latest'",
    ),
    "an unknown key of a request": (
        HEAD + 'pythons:\n  - request: "3.13"\n    patch: 2\n',
        "8:5: pythons[0].patch: unknown key, expected one of request, patches, sha256",
    ),
    "no request": (HEAD + "pythons: [{patches: 2}]\n", "6:11: pythons[0].request: missing, but required"),
    "no patches": (
        HEAD + 'pythons: [{request: "3.13", patches: 0}]\n',
        "6:38: pythons[0].patches: expected 1 to 100, found 0",
    ),
    "patches of an exact version": (
        HEAD + 'pythons: [{request: "3.12.7", patches: 2}]\n',
        "6:40: pythons[0].patches: expected no patches beside an exact version, found 2 for 3.12.7",
    ),
    "patches of a pre-release": (
        HEAD + 'pythons: [{request: "3.15a1", patches: 2}]\n',
        "6:40: pythons[0].patches: expected no patches beside an exact version, found 2 for 3.15a1",
    ),
    "half a digest": (
        HEAD + 'pythons: [{request: "3.12.7", sha256: abc}]\n',
        "6:39: pythons[0].sha256: expected 64 lowercase hexadecimal digits, found the string 'abc'",
    ),
    "a digest of a moving request": (
        HEAD + f'pythons: [{{request: "3.12", sha256: "{ZEROS}"}}]\n',
        "6:37: pythons[0].sha256: expected no sha256 beside a request that moves, found one for 3.12",
    ),
    "one digest for two platforms": (
        with_line(
            5,
            "platforms: [linux-x86_64-gnu, windows-x86_64-none]",
            f'pythons: [{{request: "3.12.7", sha256: "{ZEROS}"}}]\n',
        ),
        "6:39: pythons[0].sha256: expected no sha256 beside a request for 2 platforms: each has its own archive",
    ),
    "a request twice": (
        HEAD + 'pythons: ["3.13", "3.12", {request: "3.13", patches: 2}]\n',
        "6:27: pythons[2]: 3.13 stands twice, first as item 0",
    ),
    "a request twice in two spellings": (
        HEAD + 'pythons: ["3.13", "3.12", cp313]\n',
        "6:27: pythons[2]: cp313 stands twice, first as item 0, as 3.13",
    ),
    "a request for another platform": (
        HEAD + "pythons: [cpython-3.13-windows-x86_64-none]\n",
        "6:11: pythons[0]: expected a request for one of the platforms, found 'cpython-3.13-windows-x86_64-none'",
    ),
    "neither pythons nor builds": (
        HEAD,
        "1:1: pythons: expected at least one Python request, or one of builds",
    ),
    "empty pythons and no builds": (
        HEAD + "pythons: []\n",
        "6:10: pythons: expected at least one Python request, or one of builds",
    ),
    "no platforms": (with_line(5, "platforms: []"), "5:12: platforms: expected 1 to 64 items, found 0"),
    "an unknown platform": (
        with_line(5, "platforms: [linux-x86_64-glibc]"),
        "5:13: platforms[0]: expected a platform such as linux-x86_64-gnu, found 'linux-x86_64-glibc'",
    ),
    "a platform twice": (
        with_line(5, "platforms: [linux-x86_64-gnu, x86_64-unknown-linux-gnu]"),
        "5:31: platforms[1]: linux-x86_64-gnu stands twice, first as item 0",
    ),
    "host twice": (
        with_line(5, "platforms: [host, host]"),
        "5:19: platforms[1]: linux-x86_64-gnu stands twice, first as item 0",
    ),
    "a source that is no URL": (
        HEAD + "sources: {index: /srv/simple}\n",
        f"6:18: sources.index: {URL}, found '/srv/simple'",
    ),
    "a relative file URL": (
        HEAD + "sources: {pythons: [file://mirror]}\n",
        f"6:21: sources.pythons[0]: {URL}, found 'file://mirror'",
    ),
    "a password in a source": (
        HEAD + "sources: {index: 'https://me:secret@index.example/simple'}\n",
        "6:18: sources.index: expected a URL without a password in it, found one for index.example",
    ),
    "a query in a source": (
        HEAD + "sources: {index: 'https://index.example/?a=b'}\n",
        "6:18: sources.index: expected a URL without ? and #, found 'https://index.example/?a=b'",
    ),
    "a port that is none": (
        HEAD + "sources: {index: 'https://index.example:x/'}\n",
        "6:18: sources.index: expected a URL: Port could not be cast to integer value as 'x'",
    ),
    "no host name": (
        HEAD + "sources: {index: 'https:///simple'}\n",
        "6:18: sources.index: expected a URL with a host name, found 'https:///simple'",
    ),
    "an unknown source": (
        HEAD + "sources: {idnex: x}\n",
        "6:11: sources.idnex: unknown key, expected one of index, pythons",
    ),
    "no mirrors": (
        HEAD + "sources: {pythons: []}\n",
        "6:20: sources.pythons: expected 1 to 16 items, found 0",
    ),
    "a mirror twice": (
        HEAD + 'pythons: ["3.13"]\nsources: {pythons: [file:///a, file:///a]}\n',
        "7:32: sources.pythons[1]: file:///a stands twice, first as item 0",
    ),
    "a build as text": (
        HEAD + "builds: [x.tar.gz]\n",
        "6:10: builds[0]: expected a mapping with archive or path, found the string 'x.tar.gz'",
    ),
    "a build of nothing": (
        HEAD + "builds: [{platform: host}]\n",
        "6:10: builds[0]: expected archive or path, found neither",
    ),
    "a build misspelt": (
        HEAD + "builds: [{achive: x.tar.gz}]\n",
        "6:11: builds[0].achive: unknown key, expected archive or path",
    ),
    "a build of both kinds": (
        HEAD + "builds: [{path: a, archive: b.zip}]\n",
        "6:10: builds[0]: expected archive or path, found archive and path",
    ),
    "a version of a prefix": (
        HEAD + 'builds: [{path: a, version: "3.13.5"}]\n',
        "6:20: builds[0].version: unknown key, expected one of path, platform",
    ),
    "an archive without a version": (
        HEAD + "builds: [{archive: a.zip, platform: host}]\n",
        "6:10: builds[0].version: missing, but required",
    ),
    "an archive of an inexact version": (
        HEAD + 'builds: [{archive: a.zip, version: "3.13", platform: host}]\n',
        "6:36: builds[0].version: expected an exact Python version such as 3.13.5, found the string '3.13'",
    ),
    "an archive that new uv does not unpack": (
        HEAD + 'builds: [{archive: a.tar.xz, version: "3.13.5", platform: host}]\n',
        f"6:20: builds[0].archive: expected a file that ends in {SUFFIXES}, found 'a.tar.xz'",
    ),
    "an unknown implementation": (
        HEAD + 'builds: [{archive: a.zip, version: "3.13.5", platform: host, implementation: jython}]\n',
        "6:78: builds[0].implementation: expected one of cpython, pypy, graalpy; found 'jython'",
    ),
    "an unknown variant": (
        HEAD + 'builds: [{archive: a.zip, version: "3.13.5", platform: host, variant: t}]\n',
        "6:71: builds[0].variant: expected one of freethreaded, debug, freethreaded+debug; found 't'",
    ),
    "a home folder": (
        HEAD + "builds: [{path: ~/python}]\n",
        "6:17: builds[0].path: expected a path that is absolute or relative to the manifest, found '~/python'",
    ),
    "a build for a platform that is not carried": (
        HEAD + "builds: [{path: a, platform: linux-aarch64-gnu}]\n",
        "6:30: builds[0].platform: expected one of the platforms, found linux-aarch64-gnu",
    ),
    "a file twice": (
        HEAD + "builds: [{path: a}, {path: ./b/../a}]\n",
        "6:28: builds[1].path: ./b/../a stands twice, first as item 0",
    ),
    "an interpreter twice": (
        HEAD + 'builds:\n  - {archive: a.zip, version: "3.13.5", platform: host}\n'
        '  - {archive: b.zip, version: "3.13.5", platform: host}\n',
        "8:5: builds[1]: expected one build of cpython-3.13.5-linux-x86_64-gnu, found another as item 0",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_manifest_is_refused_with_its_place_and_a_next_step(case):
    text, message = REFUSED[case]
    with pytest.raises(UsageFault) as caught:
        read(text)
    assert caught.value.message == f"lab.yaml:{message}"
    assert caught.value.hint
    assert "secret" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (HEAD + "pyhtons: []\n", "did you mean 'pythons'?"),
        (with_line(5, "platforms: [linux-x86_64-glibc]"), "did you mean 'linux-x86_64-gnu'?"),
        (HEAD + "builds: [{achive: x}]\n", "did you mean 'archive'?"),
        (HEAD + 'pythons: [{request: "3.13", pathces: 2}]\n', "did you mean 'patches'?"),
        (with_line(2, ""), about(SHAPE, ("name",))),
        (HEAD + "zzz: 1\n", "`uv-bundler init` writes a starter to compare with"),
    ],
)
def test_the_hint_is_the_nearest_known_word_or_what_the_key_is_for(text, hint):
    with pytest.raises(UsageFault) as caught:
        read(text)
    assert caught.value.hint == hint


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
BASE = with_line(5, "platforms: [host]", 'pythons: ["3.13", "3.12"]\nbuilds: [{path: ../python}]\n')


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


@pytest.mark.parametrize("path", sorted(MANIFESTS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_worked_example_loads_and_says_who_it_is_for(path):
    manifest = load_manifest(path)
    assert manifest.pythons or manifest.builds
    first, _, third, *_ = path.read_text("utf-8").splitlines()
    assert first == "# yaml-language-server: $schema=manifest.schema.json"
    assert third.startswith("# For ")


def test_there_are_worked_examples():
    names = {path.stem for path in MANIFESTS.glob("*.yaml")}
    assert names >= {"quickstart", "quarterly", "windows-lab", "custom-builds", "everything-commented"}


def test_the_commented_example_shows_every_key_there_is():
    shown = yaml.safe_load((MANIFESTS / "everything-commented.yaml").read_text("utf-8"))
    assert list(shown) == list(SHAPE.keys)
    assert set(shown["sources"]) == {"index", "pythons"}
    wishes = [wish for wish in shown["pythons"] if isinstance(wish, dict)]
    assert set().union(*wishes) == {"request", "patches", "sha256"}
    assert set().union(*shown["builds"]) == {
        *("archive", "version", "platform", "sha256", "implementation", "variant", "path")
    }


def test_a_manifest_that_is_not_there_is_a_usage_fault_that_names_init(tmp_path):
    for path in (tmp_path / "none.yaml", MANIFESTS / "quickstart.yaml" / "x.yaml"):
        with pytest.raises(UsageFault) as caught:
            load_manifest(path)
        assert caught.value.message == f"{path}: no such file, expected a manifest"
        assert caught.value.hint == f"uv-bundler init {path} writes a starter"


def test_a_folder_is_no_manifest(tmp_path):
    with pytest.raises(UsageFault) as caught:
        load_manifest(tmp_path)
    assert caught.value.message == f"{tmp_path}: a folder, expected a manifest"


def test_a_manifest_that_may_not_be_read_is_a_fault_of_the_host(tmp_path):
    path = tmp_path / "lab.yaml"
    path.write_text(BASE)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root reads everything")
    with pytest.raises(HostFault) as caught:
        load_manifest(path)
    assert caught.value.message == f"{path}: cannot read the manifest: Permission denied"


def test_a_file_without_an_end_is_read_up_to_the_limit_only():
    endless = Path("/dev/zero")
    if not endless.exists():
        pytest.skip("no /dev/zero here")
    with pytest.raises(UsageFault, match=r"^/dev/zero: expected at most 262144 bytes, found more$"):
        load_manifest(endless)


def test_the_invalid_documents_of_the_yaml_test_suite_are_usage_faults():
    folder = SHARED / "vectors" / "yaml-errors"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    documents = sorted(folder.glob("*.yaml"))
    assert len(documents) > 90
    for document in documents:
        with pytest.raises(UsageFault, match=r"\.yaml:[0-9]+:[0-9]+: ") as caught:
            load_manifest(document)
        assert caught.value.hint


def test_naughty_strings_are_refused_or_kept_wherever_a_string_may_stand():
    file = SHARED / "vectors" / "blns.json"
    if not file.is_file():
        pytest.skip(f"no {file}")
    strings = json.loads(file.read_text("utf-8"))
    assert len(strings) > 400
    kept = 0
    for text in strings:
        for key in ("name", "release", "uv", "pythons", "platforms", "index", "path", "archive"):
            manifest = _manifest_or_none(_with(key, text))
            kept += manifest is not None
            assert manifest is None or key != "release" or manifest.release == text
    assert kept > 200  # most are good labels


@given(
    key=st.sampled_from(["name", "release", "uv", "pythons", "platforms", "index", "path"]), value=st.text()
)
def test_any_text_for_a_key_is_read_or_a_usage_fault(key, value):
    manifest = _manifest_or_none(_with(key, value))
    assert manifest is None or isinstance(manifest, module.Manifest)


def _with(key, text):
    document = {
        "version": 1,
        "name": "lab",
        "release": "1",
        "uv": "latest",
        "platforms": ["linux-x86_64-gnu"],
    }
    document["pythons"] = ["3.13"]
    inside = {
        "pythons": {"pythons": [text]},
        "platforms": {"platforms": ["linux-x86_64-gnu", text]},
        "index": {"sources": {"index": text}},
        "path": {"builds": [{"path": text}]},
        "archive": {"builds": [{"archive": text, "version": "3.13.5", "platform": "linux-x86_64-gnu"}]},
    }
    changed = {**document, **inside.get(key, {key: text})}
    return yaml.safe_dump(changed, default_style=None, allow_unicode=False, width=10**6, sort_keys=False)


def _manifest_or_none(text):
    try:
        return read(text)
    except BundlerError as fault:
        if not isinstance(fault, UsageFault) or not fault.hint:
            raise
        return None
