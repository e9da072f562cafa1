"""The catalog of encoders: what a name means is what the reference gives, and a shortcut has to sing the same."""

import builtins
import hashlib
import zlib

import pytest

from bundler.core.fault import Fault
from bundler.core.recipe import RECIPE
from bundler.deflate import catalog, nativeng

QUICK = ("zlib-6-8", "miniz-6", "medium-17")


@pytest.fixture(autouse=True)
def _nothing_is_remembered():
    catalog._shortcut.cache_clear()
    yield
    catalog._shortcut.cache_clear()


def sung(encoder, *, cut=1 << 30):
    song, out = catalog.canary(), []
    for at in range(0, len(song), cut):
        out.append(encoder.feed(song[at : at + cut]))
    return b"".join([*out, encoder.finish()])


@pytest.mark.parametrize("name", catalog.NAMES)
def test_the_reference_sings_the_canary(name):
    stream = sung(catalog.reference(name))
    assert hashlib.sha256(stream).hexdigest() == catalog.CANARIES[name]
    assert zlib.decompress(stream, -15) == catalog.canary()


@pytest.mark.parametrize("name", catalog.NAMES)
def test_a_shortcut_sings_the_canary_however_it_is_fed(name):
    if why := catalog.why_not_native(name):
        pytest.skip(f"needs a native encoder: {why}")
    for cut in (1 << 30, 4096, 777):
        encoder = catalog.native(name)
        assert hashlib.sha256(sung(encoder, cut=cut)).hexdigest() == catalog.CANARIES[name]


def test_every_name_has_a_canary_a_title_and_a_place_in_the_index():
    assert set(catalog.CANARIES) == set(catalog.NAMES)
    titles = [catalog.title(name) for name in catalog.NAMES]
    assert len(set(titles)) == len(titles)
    shape = RECIPE.keys["encoders"].shape.item
    assert [shape.read(name) for name in catalog.NAMES] == list(catalog.NAMES)
    for other in (
        "zlib-0-8",
        "zlib-10-8",
        "zlib-6-7",
        "zlib-6",
        "miniz-5",
        "medium-15",
        "medium-18",
        "isal-1",
        "",
    ):
        assert other not in catalog.NAMES
        with pytest.raises(Fault):
            shape.read(other)


def test_names_for_people():
    assert [catalog.title(name) for name in ("zlib-6-8", "zlib-9-9", "miniz-6", "medium-17", "medium-16")] == [
        "zlib level 6", "zlib level 9, memLevel 9", "miniz_oxide", "zlib-rs 0.5.2", "zlib-rs 0.6.3",
    ]  # fmt: skip


def test_the_canary_is_the_same_everywhere_and_tells_levels_apart():
    assert hashlib.sha256(catalog.canary()).hexdigest() == (
        "cabbc332a553afbd5d85785a31752c1e11dd017d2c6318c8e51c1d81b86008f7"
    )
    ours = {name: digest for name, digest in catalog.CANARIES.items() if name.endswith("-8")}
    assert len(set(ours.values())) == len(ours)


class Hoarse:
    """An encoder that gives a stream which inflates to the same, and is not the same."""

    def __init__(self, *_args, **_kw):
        self._inner = zlib.compressobj(1, zlib.DEFLATED, -15)

    def feed(self, data):
        return self._inner.compress(data)

    def finish(self):
        return self._inner.flush()


class Dumb(Hoarse):
    """An encoder that fails."""

    def feed(self, _data):
        raise RuntimeError("no voice")


@pytest.mark.parametrize("singer", [Hoarse, Dumb])
@pytest.mark.parametrize("name", QUICK)
def test_a_shortcut_that_does_not_sing_its_canary_is_not_used(name, singer, monkeypatch):
    monkeypatch.setattr(catalog, "_maker", lambda _name: singer)
    assert catalog.native(name) is None
    assert catalog.why_not_native(name) == "what is installed encodes differently"


def test_a_wheel_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(nativeng, "available", lambda: "the wheel zlib-ng is not installed")
    assert catalog.native("medium-17") is None
    assert catalog.why_not_native("medium-17") == "the wheel zlib-ng is not installed"
    nativeminiz = pytest.importorskip("bundler.deflate.nativeminiz")
    monkeypatch.setattr(nativeminiz, "available", lambda: "the wheel cramjam is not installed")
    assert catalog.native("miniz-6") is None
    assert catalog.why_not_native("miniz-6") == "the wheel cramjam is not installed"


def test_a_canary_is_sung_once(monkeypatch):
    made = []
    monkeypatch.setattr(catalog, "_Zlib", lambda **options: made.append(options) or Hoarse())
    for _ in range(3):
        assert catalog.native("zlib-6-8") is None
    assert made == [{"level": 6, "mem_level": 8}]


def test_the_references_need_nothing_that_is_installed(monkeypatch):
    real = builtins.__import__

    def pure(name, *rest, **more):
        assert name.split(".")[0] not in ("zlib", "zlib_ng", "cramjam", "ctypes", "numpy"), name
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", pure)
    for name in QUICK:
        encoder = catalog.reference(name)
        out = encoder.feed(b"abc" * 100)
        assert zlib.decompress(out + encoder.finish(), -15) == b"abc" * 100
