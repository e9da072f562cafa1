"""Deltas as they are packed: what is unchanged is not carried, the rest is encoded against what hosts have."""

from __future__ import annotations

import random

import pytest
from bundles import HOST, OTHER
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quarters import (
    LIBRARY,
    OLD,
    SMALL,
    Series,
    archive,
    archives_of,
    edited,
    index_of,
    python,
    tar_of,
    text,
    wheel_of,
)

from bundler.core.digest import Digest


@pytest.fixture
def series(tmp_path):
    return Series(tmp_path)


def stored(index):
    """Return the bytes of the members that hold archives."""
    kinds = ("text", "code", "recipes")
    return sum(one.size for one in index.members if one.path.split("/")[-1].split(".")[0] in kinds)


def test_what_is_unchanged_is_in_held_and_nowhere_else(series):
    same = archive(OLD)
    first = series.pack(same, serial=3)
    second = series.pack(same, serial=4, since=[first])
    index = index_of(second)
    (one,) = archives_of(index)
    assert (one.member, one.recipe) == (None, None)
    assert [base.title for base in index.base] == ["plant-7 Q3 (serial 3)"]
    assert {(held.sha256, held.size, held.content) for held in index.held} == {
        (one.sha256, one.size, None) for one in index.artifacts if one.role in ("archive", "uv")
    }
    assert [member.path for member in index.members] == ["SHA256SUMS", "payload/download-metadata.json.zst"]
    assert series.unpack(first, second)[one.key] == same[0]
    assert series.packed.shares[one.path].how == "unchanged: Q3"


def test_what_changed_is_copied_from_the_old_archive_but_for_the_changed_files(series):
    old, new = archive(OLD), archive(SMALL, "3.13.6")
    first = series.pack(old, serial=3)
    full = series.pack(new, serial=5)
    second = series.pack(new, serial=4, since=[first])
    index, (one,) = index_of(second), archives_of(index_of(second))
    assert old[1].sha256 in one.recipe.sources
    assert index.requires == ["base", "recompressed"]
    (held,) = [held for held in index.held if held.sha256 == old[1].sha256]
    assert (held.base, held.size, held.content, held.inflate) == ((0,), len(old[0]), len(tar_of(OLD)), True)
    assert stored(index) < stored(index_of(full)) / 10
    assert series.unpack(first, second)[new[1].key] == new[0]
    assert series.packed.shares[one.path].how.endswith(f", against {old[1].key}")


def test_files_that_came_or_went_change_nothing_for_the_others(series):
    files = dict(reversed([*OLD.items()][:-2])) | {
        f"{LIBRARY}/new.py": text("new"),
        f"{LIBRARY}/empty.py": b"",
    }
    old, new = archive(OLD), archive(files, "3.13.6")
    first = series.pack(old, serial=3)
    second = series.pack(new, serial=4, since=[first])
    carried = {one.path.split("/")[-1]: one.content for one in index_of(second).members if one.content}
    assert carried["text.tar.zst"] == 512 + 20_480 + 1024  # the new file in its tar
    assert "code.tar.zst" not in carried
    assert series.unpack(first, second)[new[1].key] == new[0]


def test_a_new_minor_version_is_encoded_against_the_nearest_older_one(series):
    files = {name.replace("3.13", "3.14"): edited(data) for name, data in OLD.items() if data}
    older = archive(python("3.12.9", seed=7), "3.12.9")
    old, new = archive(OLD), archive(files, "3.14.0")
    first = series.pack(older, old, serial=3)
    full = series.pack(older, old, new, serial=5)
    second = series.pack(older, old, new, serial=4, since=[first])
    index = index_of(second)
    assert {one.content is not None for one in index.held if one.sha256 == old[1].sha256} == {True}
    assert {one.content is not None for one in index.held if one.sha256 == older[1].sha256} == {False}
    prefixes = [one for member in index.members for one in member.prefix]
    assert {one.source for one in prefixes} == {old[1].sha256}
    assert stored(index) < stored(index_of(full)) / 4
    assert series.unpack(first, second)[new[1].key] == new[0]


def test_platforms_share_nothing_in_a_delta(series):
    both = (HOST, OTHER)
    old = [archive(OLD, platform=HOST), archive(OLD | {"x": b"x"}, platform=OTHER)]
    new = [archive(SMALL, "3.13.6", HOST), archive(SMALL | {"x": b"x"}, "3.13.6", OTHER)]
    first = series.pack(*old, serial=3, platforms=both)
    second = series.pack(*new, serial=4, since=[first], platforms=both)
    assert not any("common" in one.path for one in index_of(second).members)
    for _, row in new:
        (one,) = (one for one in index_of(second).artifacts if one.key == row.key)
        group = f"payload/{row.platform}/"
        held = {str(source) for source in one.recipe.sources if isinstance(source, Digest)}
        assert held == {str(older.sha256) for _, older in old if older.platform == row.platform}
        assert all(str(source).startswith(group) or str(source) in held for source in one.recipe.sources)
    place = str(OTHER)
    unpacked = series.unpack(first, second, platforms=(place,))
    assert unpacked[new[1][1].key] == new[1][0]
    assert new[0][1].key not in unpacked


def test_a_wheel_is_copied_whole_and_of_a_changed_one_what_was_installed_beside_it(series):
    library = {f"pip/file{number}.py": text(("pip", number)) for number in range(6)}
    newer = library | {"pip/file0.py": edited(library["pip/file0.py"])}

    def files(bundled, installed):
        bundle = {f"{LIBRARY}/ensurepip/_bundled/pip-25.whl": wheel_of(bundled)}
        return OLD | bundle | {f"{LIBRARY}/site-packages/{name}": data for name, data in installed.items()}

    old = archive(files(library, library))
    same, other = archive(files(library, newer), "3.13.6"), archive(files(newer, newer), "3.13.7")
    first = series.pack(old, serial=3)
    second = series.pack(same, serial=4, since=[first])
    third = series.pack(other, serial=5, since=[first])
    lengths = [archives_of(index_of(bundle))[0].recipe.length for bundle in (second, third)]
    assert lengths[0] < lengths[1] - 5 * 6  # the wheel is one copy, or one for each of its files
    for bundle in (second, third):
        texts = [member for member in index_of(bundle).members if "/text" in member.path]
        assert [member.content for member in texts] == [512 + 20_480 + 1024]  # file0.py, once
        assert texts[0].size < 1000
    for bundle, (content, row) in ((second, same), (third, other)):
        assert series.unpack(first, bundle, prefix=row.key)[row.key] == content


def test_a_program_of_uv_is_encoded_against_the_one_before(series):
    old, new = text("uv", 90_000), edited(text("uv", 90_000))
    first = series.pack(serial=3, uv=old)
    second = series.pack(serial=4, uv=new, since=[first])
    (member,) = (one for one in index_of(second).members if one.path.endswith("/uv.tar.zst"))
    (span,) = member.prefix
    assert (span.source, span.offset, span.length) == (Digest.of(old), 0, len(old))
    assert member.size < 500
    assert series.unpack(first, second)["uv"] == new


_NAMES = st.sampled_from([*"abcdefgh", "python3.13/x", "python3.12/x", "folder/", "n" * 150])
_FILES = st.dictionaries(_NAMES, st.one_of(st.just(b""), st.binary(max_size=40), st.integers(0, 5)))


@given(_FILES, _FILES)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_two_archives_give_the_new_one_back(tmp_path_factory, before, after):
    series = Series(tmp_path_factory.mktemp("series"))
    old, new = archive(filled(before)), archive(filled(after), "3.13.6")
    first = series.pack(old, serial=3)
    second = series.pack(new, serial=4, since=[first])
    assert series.unpack(first, second)[new[1].key] == new[0]


def filled(files):
    """Return the files with text for the numbers."""
    made = {name: text(data) if isinstance(data, int) else data for name, data in files.items()}
    return {name: b"" if name.endswith("/") else data for name, data in made.items()}


def test_only_what_was_used_is_named_in_the_table(series):
    old, new = archive(OLD), archive(SMALL, "3.13.6")
    first = series.pack(old, serial=3, uv=random.Random(1).randbytes(900))
    second = series.pack(new, serial=4, since=[first], uv=random.Random(2).randbytes(900))
    said = {path.split("/")[0]: "against" in share.how for path, share in series.packed.shares.items()}
    assert said == {"mirror": True, "uv": False}
    assert len(index_of(second).held) == 1
