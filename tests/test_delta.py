"""Deltas as they are packed: what is unchanged is not carried, the rest is encoded against what hosts have."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace

import pytest
from bundles import HOST, OTHER
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quarters import (
    Series,
    archive,
    edited,
    gzipped,
    index_file,
    index_of,
    python,
    tar_of,
    text,
    wheel_of,
)

from bundler.connected import prefixzstd
from bundler.connected.against import against
from bundler.connected.heldcontent import inflated_content
from bundler.connected.pieces import Encoded, Held
from bundler.core.digest import Digest
from bundler.core.fault import Fault
from bundler.errors import IncompleteFault

OLD = python()
SMALL = {
    name: edited(data) if name.endswith(("module3.py", "python3.13")) else data for name, data in OLD.items()
}
LIBRARY = "python/lib/python3.13"


@pytest.fixture
def series(tmp_path):
    return Series(tmp_path)


def archives_of(index):
    return [one for one in index.artifacts if one.role == "archive"]


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


def test_a_file_that_was_no_program_is_carried_again_as_one(series):
    first = series.pack(serial=3)
    path = index_file(first)
    document = json.loads(path.read_bytes())
    (program,) = (one for one in document["artifacts"] if one["role"] == "uv")
    del program["executable"]
    path.write_text(json.dumps(document))
    second = series.pack(serial=4, since=[path])
    assert [one.member or one.recipe for one in index_of(second).artifacts if one.role == "uv"] != [None]


def test_of_a_forged_index_nothing_is_believed_but_digests(series):
    old, new = archive(OLD), archive(SMALL, "3.13.6")
    first = series.pack(old, serial=3)
    path = index_file(first)
    document = json.loads(path.read_bytes())
    for one in document["artifacts"]:
        if one["role"] in ("archive", "uv"):
            one["size"] += 1
    path.write_text(json.dumps(document))
    series.keep(old)
    second = series.pack(new, serial=4, since=[path])
    index_of(second)  # it holds together
    assert series.unpack(first, second)[new[1].key] == new[0]


@pytest.mark.parametrize(
    "spoilt",
    [
        gzipped(tar_of(OLD)) + b"garbage",
        gzipped(tar_of(OLD))[:-8] + bytes(8),
        tar_of(OLD),
        gzipped(b"no tar"),
    ],
    ids=["garbage", "sum", "plain", "no-tar"],
)
def test_an_archive_that_hosts_could_not_inflate_is_no_reference(series, spoilt):
    old, new = archive(spoilt), archive(SMALL, "3.13.6")
    first = series.pack(old, serial=3)
    second = series.pack(new, serial=4, since=[first], uv=b"uv" * 900)
    assert all(one.content is None for one in index_of(second).held)
    assert series.notes.lines == [f"{old[1].key}: is no gzip of a tar, nothing is encoded against it"]
    assert series.unpack(first, second)[new[1].key] == new[0]


def test_an_old_archive_of_several_gzip_members_is_inflated_as_a_whole(series):
    whole = tar_of(OLD)
    old, new = archive(gzipped(whole[:50_000]) + gzipped(whole[50_000:])), archive(SMALL, "3.13.6")
    first = series.pack(old, serial=3)
    second = series.pack(new, serial=4, since=[first])
    assert old[1].sha256 in archives_of(index_of(second))[0].recipe.sources
    assert series.unpack(first, second)[new[1].key] == new[0]


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


def test_the_same_file_of_another_platform_is_not_what_a_host_has(series):
    old, new = archive(OLD, platform=OTHER), archive(OLD, platform=HOST)
    assert old[0] == new[0]
    first = series.pack(old, serial=3, platforms=(OTHER,))
    full = series.pack(new, serial=4).read_bytes()
    assert series.pack(new, serial=4, since=[first]).read_bytes() == full


def test_what_does_not_prove_is_carried_as_it_is(series, monkeypatch):
    first, new = series.pack(archive(OLD), serial=3), archive(SMALL, "3.13.6")

    def shifted(cut, held):
        pieces = [
            piece._replace(pieces=[
                one._replace(offset=one.offset + 1) if isinstance(one, Held) else one for one in piece.pieces
            ]) if isinstance(piece, Encoded) else piece
            for piece in against(cut, held).pieces
        ]  # fmt: skip
        return replace(cut, pieces=pieces, extra=[])

    monkeypatch.setattr("bundler.connected.delta.against", shifted)
    second = series.pack(new, serial=4, since=[first])
    (one,) = archives_of(index_of(second))
    assert one.member
    assert series.unpack(first, second)[new[1].key] == new[0]


def refuse(*_, **__):
    raise Fault("expected one zstd frame")


@pytest.mark.parametrize("reader", [lambda *_, **__: iter([b"other"]), refuse], ids=["other", "refused"])
def test_a_frame_that_a_reader_would_not_decode_is_made_again_without_prefix(series, monkeypatch, reader):
    first, new = series.pack(archive(OLD), serial=3), archive(SMALL, "3.13.6")
    monkeypatch.setattr(prefixzstd, "decode", reader)
    second = series.pack(new, serial=4, since=[first])
    assert not any(one.prefix for one in index_of(second).members)
    assert series.unpack(first, second)[new[1].key] == new[0]


def test_a_file_that_changed_after_it_was_found_is_no_reference(tmp_path):
    (tmp_path / "a").write_bytes(gzipped(tar_of(OLD)))
    assert inflated_content(Digest.of(gzipped(tar_of(OLD))), tmp_path / "a", tmp_path / "b")
    assert inflated_content(Digest.of(gzipped(tar_of(SMALL))), tmp_path / "a", tmp_path / "b") is None


def test_padding_that_is_no_zeros_is_not_copied(series):
    odd = bytearray(tar_of({"a": b"a" * 900, "b": text("b")}))
    odd[512 + 900 : 1536] = b"!" * (1024 - 900)
    old, new = archive(gzipped(odd)), archive({"a": b"a" * 900, "b": text("b"), "c": b"c" * 600}, "3.13.6")
    first = series.pack(old, serial=3)
    second = series.pack(new, serial=4, since=[first])
    assert old[1].sha256 in archives_of(index_of(second))[0].recipe.sources
    assert series.unpack(first, second)[new[1].key] == new[0]


def test_only_what_was_used_is_named_in_the_table(series):
    old, new = archive(OLD), archive(SMALL, "3.13.6")
    first = series.pack(old, serial=3, uv=random.Random(1).randbytes(900))
    second = series.pack(new, serial=4, since=[first], uv=random.Random(2).randbytes(900))
    said = {path.split("/")[0]: "against" in share.how for path, share in series.packed.shares.items()}
    assert said == {"mirror": True, "uv": False}
    assert len(index_of(second).held) == 1
