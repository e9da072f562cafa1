"""Which earlier bundles a delta is built on: those that are of use, whatever the packer's cache holds of them."""

from __future__ import annotations

import random
import shutil

import pytest
from bundles import HOST, OTHER
from quarters import LIBRARY, OLD, SMALL, Series, archive, archives_of, index_file, index_of, python

from bundler.errors import IncompleteFault


@pytest.fixture
def series(tmp_path):
    return Series(tmp_path)


def test_any_of_several_bundles_that_brought_a_file_will_do_and_unused_ones_are_not_named(series):
    old, new, other = archive(OLD), archive(SMALL, "3.13.6"), archive(python(seed=5), "3.11.2", OTHER)
    with_other = series.pack(other, serial=1, platforms=(OTHER,))
    first, again = series.pack(old, serial=2), series.pack(old, other, serial=3, platforms=(HOST, OTHER))
    index = index_of(series.pack(new, serial=4, since=[again, with_other, first]))
    assert [one.serial for one in index.base] == [2, 3]
    assert [one.base for one in index.held if one.content and one.inflate] == [(0, 1)]
    second = series.pack(new, serial=4, since=[again, with_other, first])
    assert series.unpack(first, second, prefix="a")[new[1].key] == new[0]
    assert series.unpack(again, second, prefix="b")[new[1].key] == new[0]
    with pytest.raises(
        IncompleteFault, match=r"builds on plant-7 Q2 \(serial 2\) or plant-7 Q3 \(serial 3\)"
    ):
        series.unpack(second, prefix="c")


def test_deltas_are_cumulative(series):
    states = [
        archive(OLD),
        archive(SMALL, "3.13.6"),
        archive(SMALL | {f"{LIBRARY}/module5.py": b"x"}, "3.13.7"),
    ]
    first = series.pack(states[0], serial=3)
    second = series.pack(states[0], states[1], serial=4, since=[first])
    third = series.pack(*states, serial=5, since=[first, second])
    assert [one.serial for one in index_of(third).base] == [3, 4]
    unpacked = series.unpack(first, second, third)
    assert [unpacked[row.key] for _, row in states] == [content for content, _ in states]


def test_the_content_of_a_delta_is_rebuilt_through_the_bundles_it_builds_on(series):
    states = [
        archive(OLD),
        archive(SMALL, "3.13.6"),
        archive(SMALL | {f"{LIBRARY}/module5.py": b"x"}, "3.13.7"),
    ]
    first = series.pack(states[0], serial=3)
    second = series.pack(states[1], serial=4, since=[first])
    shutil.rmtree(series.cache.root)
    third = series.pack(states[2], serial=5, since=[first, second])
    assert states[1][1].sha256 in archives_of(index_of(third))[0].recipe.sources
    assert [one.base for one in index_of(third).held if one.sha256 == states[1][1].sha256] == [(1,)]
    assert series.unpack(first, second, third)[states[2][1].key] == states[2][0]
    assert series.notes.lines == []


def test_the_same_inputs_give_the_same_bundle_whatever_the_cache_holds(series):
    first, new = series.pack(archive(OLD), serial=3), archive(SMALL, "3.13.6")
    empty = series.pack(new, serial=4, since=[first]).read_bytes()
    assert (
        series.pack(new, serial=4, since=[first]).read_bytes() == empty
    )  # now the cache has the old archive
    (cached,) = (one for one in series.cache.root.rglob(archive(OLD)[1].sha256.hex))
    cached.write_bytes(archive(python(seed=1))[0])
    assert series.pack(new, serial=4, since=[first]).read_bytes() == empty
    assert series.pack(new, serial=4, since=[index_file(first)]).read_bytes() == empty


def test_an_index_is_enough_where_the_archive_can_be_had(series):
    first, new = series.pack(archive(OLD), serial=3, uv=b"1" * 900), archive(SMALL, "3.13.6")
    series.keep(archive(OLD))
    second = series.pack(new, serial=4, since=[index_file(first)])
    assert archive(OLD)[1].sha256 in archives_of(index_of(second))[0].recipe.sources
    assert series.unpack(first, second)[new[1].key] == new[0]


def test_what_cannot_be_had_is_no_reference_and_what_is_unchanged_needs_not_be_had(series):
    same, old, new = archive(python(seed=4), "3.12.1"), archive(OLD), archive(SMALL, "3.13.6")
    first = series.pack(same, old, serial=3)
    second = series.pack(same, new, serial=4, since=[index_file(first)])
    index = index_of(second)
    assert {one.key: bool(one.recipe) for one in archives_of(index)} == {same[1].key: False, new[1].key: True}
    assert all(one.content is None for one in index.held)
    assert series.notes.lines[-1].startswith(f"{old[1].key} of an earlier bundle cannot be had")
    assert series.unpack(first, second)[new[1].key] == new[0]


def test_where_nothing_is_of_use_the_bundle_is_a_full_one_and_says_so(series):
    new = archive(python(seed=8), "3.13.6")
    first = series.pack(archive(python(seed=3), platform=OTHER), serial=3, platforms=(OTHER,))
    full = series.pack(new, serial=4).read_bytes()
    assert series.pack(new, serial=4, since=[first]).read_bytes() == full
    assert series.notes.lines == [
        "--since: nothing of the earlier bundles is of use here, this is a full bundle"
    ]


def test_a_reference_that_has_nothing_in_common_is_not_built_on(series):
    old, new = archive(random.Random(1).randbytes(9000)), archive({"a": random.Random(2).randbytes(9000)})
    third = archive({"b": random.Random(3).randbytes(9000)}, "3.13.9")
    first = series.pack(old, third, serial=3, uv=random.Random(4).randbytes(900))
    full = series.pack(new, serial=4, uv=random.Random(5).randbytes(900)).read_bytes()
    second = series.pack(new, serial=4, since=[first], uv=random.Random(5).randbytes(900))
    assert second.read_bytes() == full


def test_the_same_file_of_another_platform_is_not_what_a_host_has(series):
    old, new = archive(OLD, platform=OTHER), archive(OLD, platform=HOST)
    assert old[0] == new[0]
    first = series.pack(old, serial=3, platforms=(OTHER,))
    full = series.pack(new, serial=4).read_bytes()
    assert series.pack(new, serial=4, since=[first]).read_bytes() == full
