"""A bad manifest is refused with file, line, column, key path and next step."""

import pytest
from manifesttexts import HEAD, LINUX, ZEROS, check_refused, read, with_line

from bundler.connected import manifest as module
from bundler.connected.manifestshape import SHAPE
from bundler.connected.yamlshapes import about
from bundler.errors import UsageFault

KNOWN = "expected one of version, name, release, serial, valid_days, uv, pythons, platforms, sources, builds"
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
}


@pytest.fixture(autouse=True)
def _on_linux(monkeypatch):
    monkeypatch.setattr(module, "host_platform", lambda: LINUX)


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_manifest_is_refused_with_its_place_and_a_next_step(case):
    text, message = REFUSED[case]
    check_refused(text, message)


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
