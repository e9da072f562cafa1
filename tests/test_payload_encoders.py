"""Libraries that rebuild archives may differ or be missing: that costs time, which is told, and no bundle."""

import io
import re

import pytest
from deflatedparts import OLD_TAR, gzip_of, joined, with_wheel
from otherencoders import Changed, Told, installed
from rebuilt import sealed, unpack_from
from recompressed import index_of

from bundler.core.index import parse_index
from bundler.deflate import catalog


@pytest.fixture
def prefix(tmp_path):
    return tmp_path / "p"


def test_a_library_that_encodes_otherwise_costs_time_and_no_bundle(prefix, monkeypatch):
    data = sealed()
    installed(monkeypatch, Changed)
    progress = Told()
    try:
        unpack_from(io.BytesIO(data), prefix, progress=progress)
    finally:
        catalog._shortcut.cache_clear()
    assert (
        sorted(one.split(": ", 1)[1] for one in progress.notes)
        == [
            "an installed library encodes differently than upstream's did, encoding it again in pure Python, which takes minutes"
        ]
        * 2
    )
    archives = {one.read_bytes() for one in (prefix / "current" / "mirror").rglob("*.tar.gz")}
    assert archives == {joined(gzip_of(OLD_TAR)), joined(gzip_of(*with_wheel(OLD_TAR)))}


def test_a_wheel_that_is_missing_costs_time_and_is_named(prefix, monkeypatch):
    from bundler.deflate import nativeng

    data = sealed(encoder="medium-17")
    monkeypatch.setattr(nativeng, "available", lambda: "the wheel zlib-ng is not installed")
    catalog._shortcut.cache_clear()
    progress = Told()
    try:
        unpack_from(io.BytesIO(data), prefix, progress=progress)
    finally:
        catalog._shortcut.cache_clear()
    (note,) = progress.notes
    assert re.fullmatch(
        r"2 files, .*, will be encoded in pure Python, which takes minutes: the wheel zlib-ng is not installed; "
        r"install zlib-ng beside uv-bundler to make it fast", note,
    )  # fmt: skip
    archives = {one.read_bytes() for one in (prefix / "current" / "mirror").rglob("*.tar.gz")}
    assert joined(gzip_of(OLD_TAR, encoder="medium-17")) in archives


class Counted(Told):
    """A progress that keeps every count of the stage `unpack`."""

    def __init__(self):
        super().__init__()
        self.label, self.total, self.counts = "", 0, []

    def stage(self, label, total):
        self.label = label
        if label == "unpack":
            self.total = total

    def advance(self, count):
        if self.label == "unpack":
            self.counts.append(count)


@pytest.mark.parametrize("library", [None, Changed])
def test_progress_tells_of_every_piece_that_is_rebuilt_and_ends_at_its_total(prefix, monkeypatch, library):
    data = sealed()
    if library:
        installed(monkeypatch, library)
    progress = Counted()
    try:
        unpack_from(io.BytesIO(data), prefix, progress=progress)
    finally:
        catalog._shortcut.cache_clear()
    assert sum(progress.counts) == progress.total
    rebuilt = [one.size for one in parse_index(index_of(data)).artifacts if one.recipe]
    assert not set(rebuilt) & set(progress.counts)  # pure Python takes a minute for one: nobody waits so long
    assert any(one < 0 for one in progress.counts) == bool(
        library
    )  # what a library got wrong comes once more
