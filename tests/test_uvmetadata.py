"""The list of Pythons in an sdist: found, read as lenient as uv, and over the real lists judged by the real uv."""

import collections
import json
import subprocess

import pytest
from realuv import clean_env, uv_of
from uvlists import LISTED, list_of, real_sdist, row, sdist_of

from bundler.connected.pyrequest import PythonRequest
from bundler.connected.resolve import choose
from bundler.connected.uvmetadata import read_metadata, read_sdist
from bundler.core.fault import Fault
from bundler.core.metadata import dump_rows
from bundler.core.platforms import COMMON, Platform, host_platform
from bundler.errors import DamagedFault, SourceFault

ROWS = [row("3.13.5"), row("3.13.5", variant="freethreaded"), row("3.12.7"), row("3.11.11", name="pypy")]
OTHER = [row("3.1.0")]


@pytest.fixture
def sdist(tmp_path):
    def write(data):
        (tmp_path / "uv-0.13.8.tar.gz").write_bytes(data)
        return tmp_path / "uv-0.13.8.tar.gz"

    return write


@pytest.mark.parametrize("folder", ["crates/uv-python", "crates/uv-python-managed", "somewhere/else"])
def test_the_list_is_found_by_name_wherever_it_lies(folder, sdist):
    data = sdist_of("0.13.8", ROWS, path=f"{folder}/download-metadata.json")
    assert read_sdist(sdist(data)).rows == tuple(ROWS)


@pytest.mark.parametrize(
    "extra",
    [
        ("a/download-metadata-minified.json", list_of(ROWS * 9)),
        ("a/tests/download-metadata.json", list_of(OTHER)),
        ("z/my-download-metadata.json", list_of(OTHER)),
    ],
)
def test_the_largest_of_that_name_is_taken(extra, sdist):
    assert read_sdist(sdist(sdist_of("0.13.8", ROWS, extra=[extra]))).rows == tuple(ROWS)


def test_a_minified_list_is_better_than_none(sdist):
    data = sdist_of("0.13.8", ROWS, path="crates/uv-python/src/download-metadata-minified.json")
    assert read_sdist(sdist(data)).rows == tuple(ROWS)


def test_an_sdist_without_a_list_is_refused(sdist):
    with pytest.raises(SourceFault) as caught:
        read_sdist(sdist(sdist_of("0.13.8", ROWS, path="crates/uv/src/lib.rs")))
    message = "uv-0.13.8.tar.gz: has no download-metadata.json, expected one in every sdist of uv"
    assert caught.value.message == message
    assert caught.value.hint


def test_an_sdist_with_a_list_of_which_nothing_can_be_read_is_refused(sdist):
    data = sdist_of("0.13.8", [], extra=[("a/download-metadata.json", b'{"version": "2 of the format"}')])
    with pytest.raises(
        SourceFault, match=r"uv-0.13.8.tar.gz: download-metadata.json: version: expected a mapping"
    ):
        read_sdist(sdist(data))


@pytest.mark.parametrize(
    "data", [b"", b"nothing", sdist_of("0.13.8", ROWS)[:300], sdist_of("0.13.8", ROWS)[:60]]
)
def test_a_file_that_is_no_sdist_is_refused(data, sdist):
    with pytest.raises(DamagedFault, match="cannot be read as an sdist of uv"):
        read_sdist(sdist(data))


def test_an_sdist_that_unpacks_without_end_is_refused(sdist, monkeypatch):
    monkeypatch.setattr("bundler.connected.uvmetadata._MAX_UNPACKED", 100)
    with pytest.raises(DamagedFault, match="it unpacks to more than 100 bytes"):
        read_sdist(sdist(sdist_of("0.13.8", ROWS)))


def changed(**fields):
    value = ROWS[0].to_dict() | fields
    return {key: item for key, item in value.items() if item != "gone"}


@pytest.mark.parametrize(
    "value",
    [
        changed(os="emscripten", libc="musl", arch={"family": "wasm32", "variant": None}),
        changed(name="jython"),
        changed(variant="nogil"),
        changed(arch="x86_64"),
        changed(major="3"),
        changed(patch=256),
        changed(sha256="short"),
        changed(build=5),
        changed(url="gone"),
        ["a list"],
        None,
    ],
)
def test_a_row_that_is_not_for_us_is_counted_and_passed_over(value):
    data = {row.key: row.to_dict() for row in ROWS[1:]} | {"odd": value}
    read = read_metadata(json.dumps(data).encode())
    assert (read.rows, read.skipped) == (tuple(ROWS[1:]), 1)


def test_keys_that_a_later_uv_adds_are_left_aside():
    value = ROWS[0].to_dict() | {
        "freshness": {"a": 1},
        "arch": {"family": "x86_64", "variant": None, "abi": "x"},
    }
    assert read_metadata(json.dumps({"any": value}).encode()).rows == (ROWS[0],)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[]", "expected an object of rows"),
        (b"{", "line 1 column 2: Expecting property name enclosed in double quotes"),
        (b'{"a": {"name": "cpython"}}', "a.arch: missing, but required"),
        (b'{"a": 1.5}', "expected a whole number, found 1.5"),
        (json.dumps({"a": changed(name="jython")}).encode(), "expected rows of CPython, PyPy or GraalPy"),
    ],
)
def test_a_list_of_which_nothing_can_be_read_is_refused(data, message):
    with pytest.raises(Fault) as caught:
        read_metadata(data)
    assert str(caught.value) == message


def test_ten_thousand_rows_are_within_the_limits():
    rows = [
        row(f"3.{minor}.{patch}", platform, variant=variant)
        for minor in range(8, 18)
        for patch in range(50)
        for variant in ("", "freethreaded", "debug", "freethreaded+debug")
        for platform in map(Platform.parse, COMMON[:5])
    ]
    read = read_metadata(list_of(rows))
    assert read.rows == tuple(rows)
    assert len(read_metadata(dump_rows(rows)).rows) == 10_000


def listed(uv, rows, tmp_path):
    """Return the keys that uv shows of `rows`: debug builds it hides, and all but one pre-release of a patch."""
    (tmp_path / "list.json").write_bytes(list_of(rows))
    environment = clean_env(tmp_path / "home") | {"UV_PYTHON_DOWNLOADS_JSON_URL": str(tmp_path / "list.json")}
    everything = ["--all-versions", "--all-platforms", "--all-arches", "--only-downloads"]
    run = subprocess.run(
        [uv, "python", "list", *everything, "--output-format", "json"],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    return {item["key"] for item in json.loads(run.stdout)}


@pytest.mark.slow
@pytest.mark.uv
@pytest.mark.parametrize("version", LISTED)
def test_over_the_real_list_uv_takes_the_rows_that_we_take_under_the_same_keys(version, tmp_path):
    uv = uv_of(version)
    rows = [one for one in read_sdist(real_sdist(version)).rows if "debug" not in one.variant]
    assert len(rows) > 1000
    rounds = collections.defaultdict(
        list
    )  # in each, every patch of a kind stands once, so that uv hides none
    seen = collections.Counter()
    for one in rows:
        kind = (one.name, one.version, one.variant, one.platform)
        rounds[seen[kind]].append(one)
        seen[kind] += 1
    for some in rounds.values():
        assert listed(uv, some, tmp_path) == {one.key for one in some}


@pytest.mark.slow
@pytest.mark.parametrize("version", LISTED)
def test_over_the_real_list_every_row_is_what_its_key_asks_for(version):
    rows = read_sdist(real_sdist(version)).rows
    for one in rows:
        request = PythonRequest.parse(one.key)
        assert request.matches(one)
        assert request.suits(one.platform)


@pytest.mark.slow
@pytest.mark.uv
@pytest.mark.parametrize("version", LISTED)
def test_the_newest_real_list_as_we_write_it_is_taken_whole_by_every_uv(version, tmp_path):
    rows = [
        one
        for one in read_sdist(real_sdist("0.13.8")).rows
        if not one.prerelease and "debug" not in one.variant
    ]
    (tmp_path / "ours.json").write_bytes(dump_rows(rows))
    written = read_metadata((tmp_path / "ours.json").read_bytes()).rows
    assert listed(uv_of(version), written, tmp_path) == {one.key for one in rows}


REQUESTS = [
    "3",
    "3.13",
    "3.12.7",
    "3.13t",
    "3.13td",
    "3.12+debug",
    "pypy",
    "pypy3.10",
    "graalpy",
    ">=3.11,<3.13",
]


@pytest.mark.slow
@pytest.mark.uv
def test_over_the_real_list_uv_chooses_what_we_choose(uv, tmp_path):
    host = host_platform()
    rows = [one for one in read_sdist(real_sdist("0.13.8")).rows if one.sha256]
    (tmp_path / "list.json").write_bytes(dump_rows(rows))
    environment = clean_env(tmp_path / "home") | {
        "UV_PYTHON_DOWNLOADS_JSON_URL": str(tmp_path / "list.json"),
        "UV_PYTHON_CACHE_DIR": str(tmp_path / "empty"),
        "UV_OFFLINE": "1",
    }
    for text in REQUESTS:
        run = subprocess.run(
            [uv, "python", "install", text], capture_output=True, text=True, env=environment, check=False
        )
        here = [one for one in rows if one.platform == host]
        assert (
            f"Failed to install {choose(PythonRequest.parse(text), here, patches=1)[0].key}\n" in run.stderr
        )
