"""zlib-ng where it is not installed, is another version, or fails: it says so."""

from types import SimpleNamespace

import pytest
from mediummade import encoded, needs_wheel, noise

from bundler.deflate import nativeng
from bundler.deflate.nativeng import NativeMediumEncoder, Unavailable


class FakeLibrary:
    """The real one, but for one function."""

    def __init__(self, name, answer):
        self._real, self._name, self._answer = nativeng._library(), name, answer

    def __getattr__(self, name):
        return Function(self._answer) if name == self._name else getattr(self._real, name)


class Function:
    def __init__(self, answer):
        self._answer = answer

    def __call__(self, *_):
        return self._answer


@pytest.fixture
def no_cache():
    nativeng._library.cache_clear()
    yield
    nativeng._library.cache_clear()


@pytest.mark.usefixtures("no_cache")
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (None, "the wheel zlib-ng is not installed"),
        (SimpleNamespace(origin=None), "the wheel zlib-ng is not installed"),
        (SimpleNamespace(origin=__file__), "the wheel zlib-ng offers no zng_deflate to C on "),
    ],
)
def test_where_there_is_no_zlib_ng_it_says_so(monkeypatch, spec, message):
    monkeypatch.setattr(nativeng, "find_spec", lambda _: spec)
    assert nativeng.available().startswith(message)
    with pytest.raises(Unavailable, match=message):
        NativeMediumEncoder()


@pytest.mark.usefixtures("no_cache")
def test_a_wheel_that_hides_its_functions_is_no_error(monkeypatch):
    monkeypatch.setattr(nativeng, "find_spec", lambda _: SimpleNamespace(origin="zlib_ng.pyd"))
    monkeypatch.setattr(nativeng.ctypes, "CDLL", lambda _: object())
    assert "no attribute 'zng_deflateInit2'" in nativeng.available()


@needs_wheel
@pytest.mark.usefixtures("no_cache")
def test_a_zlib_ng_of_another_major_version_is_not_used(monkeypatch):
    other = FakeLibrary("zlibng_version", b"3.0.0")
    nativeng._library.cache_clear()
    monkeypatch.setattr(nativeng.ctypes, "CDLL", lambda _: other)
    assert nativeng.available() == "expected version 2 of zlib-ng in the wheel, found 3.0.0"


@needs_wheel
@pytest.mark.parametrize(
    ("function", "code", "message"),
    [
        ("zng_deflateInit2", -4, "zng_deflateInit2 returned -4, expected 0"),
        ("zng_deflateTune", -2, "zng_deflateTune returned -2, expected 0"),
        ("zng_deflate", -2, "zng_deflate returned -2, expected 0"),
        ("zng_deflate", 0, "zng_deflate neither reads nor writes"),
        ("zng_deflate", 1, "zng_deflate returned 1, expected 0"),
        ("zng_deflateEnd", -3, "zng_deflateEnd returned -3, expected 0"),
    ],
)
def test_what_zlib_ng_returns_is_checked(monkeypatch, function, code, message):
    fake = FakeLibrary(function, code)
    monkeypatch.setattr(nativeng, "_library", lambda: fake)
    with pytest.raises(Unavailable, match=message):
        encoded(NativeMediumEncoder(), b"abc" * 9000)


@needs_wheel
def test_one_that_is_given_up_early_ends_quietly():
    for _ in range(50):
        NativeMediumEncoder().feed(noise(70_000))
