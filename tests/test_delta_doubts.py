"""What a delta is not built on: forged indexes, archives that hosts could not inflate, frames that do not prove."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from quarters import OLD, SMALL, Series, archive, archives_of, gzipped, index_file, index_of, tar_of, text

from bundler.connected import prefixzstd
from bundler.connected.against import against
from bundler.connected.heldcontent import inflated_content
from bundler.connected.pieces import Encoded, Held
from bundler.core.digest import Digest
from bundler.core.fault import Fault


@pytest.fixture
def series(tmp_path):
    return Series(tmp_path)


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
