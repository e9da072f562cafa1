"""Sources and builds of a manifest are refused with file, line, column, key path and next step."""

import pytest
from manifesttexts import HEAD, LINUX, check_refused

from bundler.connected import manifest as module

URL = "expected a URL that begins with https://, http:// or file:///"
SUFFIXES = ".tar.gz, .tgz, .tar.zst, .tar, .zip"
REFUSED = {
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


@pytest.fixture(autouse=True)
def _on_linux(monkeypatch):
    monkeypatch.setattr(module, "host_platform", lambda: LINUX)


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_manifest_is_refused_with_its_place_and_a_next_step(case):
    text, message = REFUSED[case]
    check_refused(text, message)
