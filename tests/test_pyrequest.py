"""Requests in uv's syntax: read as uv reads them, and judged by the real uv."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realuv import clean_env
from uvlists import LINUX, MAC, row

from bundler.connected.pyrequest import PythonRequest
from bundler.connected.resolve import choose
from bundler.core.fault import Fault
from bundler.core.metadata import dump_rows
from bundler.core.platforms import COMMON, Platform, host_platform

READ = {
    "3": "3",
    "3.13": "3.13",
    "313": "3.13",
    " 3.13 ": "3.13",
    "python3.13": "3.13",
    "python@3.13": "3.13",
    "3.12.7": "3.12.7",
    "3.13t": "3.13+freethreaded",
    "3.13+freethreaded": "3.13+freethreaded",
    "3.13d": "3.13+debug",
    "3.12+debug": "3.12+debug",
    "3.13td": "3.13+freethreaded+debug",
    "3.13+freethreaded+debug": "3.13+freethreaded+debug",
    "3.14+gil": "3.14+gil",
    "3.14rc1": "3.14rc1",
    "3.14.0rc1t": "3.14rc1+freethreaded",
    "3.15.0a1": "3.15a1",
    "3.14.5rc1": "3.14.5rc1",
    "cpython": "cpython",
    "CPython3.12": "cpython@3.12",
    "cpython@3.12": "cpython@3.12",
    "cp312": "cpython@3.12",
    "pypy": "pypy",
    "pypy3.11": "pypy@3.11",
    "pypy@3.10": "pypy@3.10",
    "pp310": "pypy@3.10",
    "graalpy": "graalpy",
    "gp": "graalpy",
    "graalpy@3.11": "graalpy@3.11",
    ">=3.11,<3.14": ">=3.11,<3.14",
    ">= 3.11 , < 3.14": ">=3.11,<3.14",
    ">=3.13t": ">=3.13+freethreaded",
    "~=3.12.0": "~=3.12.0",
    "==3.13": "3.13",
    "==3.13.*": "==3.13.*",
    "pypy>=3.10": "pypy@>=3.10",
    "any": "any",
    "default": "default",
    "cpython-3.12.7-linux-x86_64-gnu": "cpython-3.12.7-linux-x86_64-gnu",
    "cpython-3.13.5+freethreaded-windows-x86-none": "cpython-3.13.5+freethreaded-windows-x86-none",
    "cpython-3.13.5-linux-riscv64gc-gnu": "cpython-3.13.5-linux-riscv64-gnu",
    "cpython-3.13.5-darwin-arm64-none": "cpython-3.13.5-macos-aarch64-none",
    "cpython-3.13": "cpython@3.13",
    "any-3.13.2-any-aarch64": "any-3.13.2-any-aarch64-any",
    "linux-x86_64": "any-any-linux-x86_64-any",
    "3.12-musl": "any-3.12-any-any-musl",
}


@pytest.mark.parametrize(("text", "written"), READ.items())
def test_a_request_is_read_and_written_back_in_one_form(text, written):
    assert str(PythonRequest.parse(text)) == written
    assert PythonRequest.parse(written) == PythonRequest.parse(text)


EXAMPLES = "write it as uv does: 3.13, 3.12.7, 3.13t, pypy3.11, '>=3.11,<3.14' or a whole installation key"
REFUSED = {
    "": EXAMPLES,
    "foo": EXAMPLES,
    "3.12.7.1": EXAMPLES,
    "3.300": EXAMPLES,
    "3rc1": EXAMPLES,
    "1!3.12": EXAMPLES,
    "3.12.dev1": EXAMPLES,
    "3.12.post1": EXAMPLES,
    ">=3.11,,<3.14": EXAMPLES,
    "===abc": EXAMPLES,
    "\uff13.12": EXAMPLES,
    "3.12-freebsd": EXAMPLES,
    "cpython-3.12-linux-x86_64-gnu-more": EXAMPLES,
    "linux-cpython-3.12": EXAMPLES,
    "3.13dt": "write '3.13td' for a free-threaded debug build",
    "3.x": "write '3' for the newest of it",
    "3.13.*": "write '3.13' for the newest of it",
    "latest": "write 'default' for the newest stable CPython, or name a version",
    "pyodide@3.13": EXAMPLES,
    "pyodide": "uv's list has no sha256 for Pyodide, so a bundle cannot carry it",
    "/usr/bin/python3": "a Python that is installed here goes under `builds:` as `path:`",
    "python.exe": "a Python that is installed here goes under `builds:` as `path:`",
}


@pytest.mark.parametrize(("text", "hint"), REFUSED.items())
def test_what_is_no_request_is_refused_with_the_likely_meaning(text, hint):
    with pytest.raises(Fault) as caught:
        PythonRequest.parse(text)
    assert caught.value.hint == hint
    assert repr(text) in caught.value.message


def test_a_latest_behind_an_at_is_explained():
    with pytest.raises(Fault, match="expected a version after the @, found 'pypy@latest'") as caught:
        PythonRequest.parse("pypy@latest")
    assert caught.value.hint == "write 'pypy' for the newest"


def test_an_exact_range_with_a_variant_is_refused_because_uv_forgets_the_variant():
    with pytest.raises(Fault) as caught:
        PythonRequest.parse("==3.13.2t")
    assert caught.value.hint == "write '3.13.2+freethreaded'"


def test_an_endless_request_is_refused_before_it_is_read():
    with pytest.raises(Fault, match="found 100000 characters"):
        PythonRequest.parse("3" * 100_000)


numbers = st.integers(0, 255).map(str)
releases = st.lists(numbers, min_size=2, max_size=3).map(".".join)
requests = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "cpython", "pypy@", "graalpy", "pp", "python"]),
        st.one_of(
            releases,
            st.builds("{}{}".format, releases, st.sampled_from(["a1", "b2", "rc3"])),
            st.builds(">={},<{}".format, releases, releases),
        ),
        st.sampled_from(["", "t", "+freethreaded", "d", "td", "+debug", "+gil"]),
    ),
)
keys = st.builds(
    "{}-{}-{}".format, st.sampled_from(["any", "cpython", "pypy"]), releases, st.sampled_from(COMMON)
)


@given(requests | keys)
def test_a_request_reads_back_as_it_was_written(text):
    request = PythonRequest.parse(text)
    assert PythonRequest.parse(str(request)) == request


@given(st.text(max_size=30) | st.text(alphabet="3.1>=<,@+-*tdcpyany_ ", max_size=30))
def test_no_text_makes_anything_but_a_request_or_a_fault(text):
    try:
        request = PythonRequest.parse(text)
    except Fault:
        return
    assert PythonRequest.parse(str(request)) == request


def test_without_a_variant_the_default_build_alone_is_meant():
    request = PythonRequest.parse("3.13")
    assert request.matches(row("3.13.5"))
    assert not request.matches(row("3.13.5", variant="freethreaded"))
    assert not request.matches(row("3.13.5", variant="debug"))


def test_without_an_implementation_cpython_is_meant():
    assert not PythonRequest.parse("3.11").matches(row("3.11.11", name="pypy"))
    assert PythonRequest.parse("pypy3.11").matches(row("3.11.11", name="pypy"))


def test_a_whole_version_means_the_stable_release():
    request = PythonRequest.parse("3.14.0")
    assert request.matches(row("3.14.0"))
    assert not request.matches(row("3.14.0rc1"), prereleases=True)


@pytest.mark.parametrize(
    ("text", "allows"),
    [
        ("3.14", False),
        ("3.14rc1", True),
        (">=3.13", False),
        (">=3.14rc1", True),
        ("any", True),
        ("pypy", False),
    ],
)
def test_a_request_says_whether_it_means_prereleases(text, allows):
    assert PythonRequest.parse(text).allows_prereleases is allows


def test_a_range_follows_pep_440():
    request = PythonRequest.parse(">=3.13,<3.14")
    assert request.matches(row("3.13.5"))
    assert not request.matches(row("3.14.0"))
    assert not request.matches(row("3.14.0rc1"), prereleases=True)


def test_a_key_is_for_its_platform_alone():
    request = PythonRequest.parse("cpython-3.13.5-linux-x86_64-gnu")
    assert request.suits(LINUX)
    assert not request.suits(MAC)
    assert not request.suits(Platform.parse("linux-x86_64_v3-gnu"))
    assert request.names_platform


HOST = host_platform()
LIST = [
    row(version, HOST, variant=variant, name=name)
    for name, versions, variants in (
        (
            "cpython",
            ("3.9.20", "3.10.14", "3.11.8", "3.11.9", "3.12.7", "3.13.5", "3.13.6", "3.14.0rc2", "3.15.0a1"),
            ("",),
        ),
        ("cpython", ("3.13.5", "3.13.6", "3.14.0rc2"), ("freethreaded", "debug", "freethreaded+debug")),
        ("pypy", ("3.10.16", "3.11.11"), ("",)),
        ("graalpy", ("3.11.0", "3.12.0"), ("",)),
    )
    for version in versions
    for variant in variants
]
ASKED = [
    *(
        "3",
        "3.13",
        "313",
        "3.11",
        "3.11.8",
        "3.14",
        "3.15",
        "3.14rc2",
        "3.14.0rc2",
        "3.14.0",
        "3.13t",
        "3.14t",
    ),
    *("3.13+debug", "3.13td", "cpython", "cpython3.12", "cp311", "pypy", "pypy3.10", "pp310", "graalpy"),
    *(
        "graalpy@3.11",
        ">=3.11,<3.13",
        ">=3.9",
        "~=3.11",
        ">=3.13t",
        "==3.13",
        "==3.13.5",
        ">=3.14",
        ">=3.14rc1",
    ),
    *("any", "default", f"cpython-3.11.8-{HOST}", "any-3.12", "3.17", "3.12t", "pypy3.12", "!=3.13.*"),
]


@pytest.mark.uv
@pytest.mark.parametrize("text", ASKED)
def test_the_real_uv_chooses_the_same(text, uv, tmp_path_factory):
    """uv names the installation key that it chose when it cannot find the archive."""
    base = tmp_path_factory.getbasetemp()
    (base / "list.json").write_bytes(dump_rows(LIST))
    environment = clean_env(base / "home") | {
        "UV_PYTHON_DOWNLOADS_JSON_URL": str(base / "list.json"),
        "UV_PYTHON_INSTALL_DIR": str(base / "none"),
        "UV_PYTHON_CACHE_DIR": str(base / "empty"),
        "UV_OFFLINE": "1",
    }
    run = subprocess.run(
        [uv, "python", "install", text], capture_output=True, text=True, env=environment, check=False
    )
    ours = choose(PythonRequest.parse(text), LIST, patches=1)
    if ours:
        # A range means each minor version to us; uv takes the newest.
        assert f"Failed to install {ours[0].key}\n" in run.stderr
    else:
        assert "No download found" in run.stderr
