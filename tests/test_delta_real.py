"""A delta between two real patch releases: its size, and that the upstream bytes come back."""

from __future__ import annotations

import pytest
from conftest import SHARED
from quarters import Series, archive, index_of

pytestmark = pytest.mark.slow
NAMES = {
    "3.13.5": "cpython-3.13.5lto-x86_64-linux-install_only_stripped.tar.gz",
    "3.13.15": "cpython-3.13.15lto-x86_64-linux-install_only_stripped.tar.gz",
}


@pytest.fixture
def pair():
    """Two builds of one minor version, ten patch releases apart."""
    folder = SHARED / "archives"
    if not all((folder / name).is_file() for name in NAMES.values()):
        pytest.skip(f"needs the archives in {folder.parent.name}/{folder.name}, which are not here")
    return [archive((folder / name).read_bytes(), version) for version, name in NAMES.items()]


@pytest.mark.parametrize(("level", "bar"), [("fast", 0.20), ("default", 0.18), ("best", 0.15)])
def test_ten_patch_releases_take_this_part_of_the_new_archive(tmp_path, pair, level, bar):
    old, new = pair
    series = Series(tmp_path)
    first = series.pack(old, serial=3)
    second = series.pack(new, serial=4, since=[first], level=level)
    uv = sum(one.size for one in index_of(second).members if "/uv" in one.path)
    assert (second.stat().st_size - uv) / len(new[0]) <= bar
    if level == "fast":
        assert series.unpack(first, second)[new[1].key] == new[0]
