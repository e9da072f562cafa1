"""An exploded folder that somebody changed: what is wrong is refused or told by name, and no link is followed."""

from __future__ import annotations

import os
import shutil

import pytest
from bundles import make_bundle, make_document, request
from explodedfolders import BUNDLES, FULL, STORED, exploded, files_below, flip, joined, some_plain, verify

from bundler.core.progress import Silent
from bundler.errors import BundlerError, DamagedFault, IncompleteFault, SignatureFault
from bundler.offline.folder import FolderReader
from bundler.offline.signedindex import parse_named
from bundler.offline.unpack import unpack


@pytest.fixture
def folder(tmp_path):
    exploded(FULL, tmp_path / "open")
    return tmp_path / "open"


# --- a folder that somebody changed ---------------------------------------------------------------------------


def test_one_flipped_bit_of_any_file_is_found(folder):
    expected = {"bundle.json": SignatureFault, "bundle.json.sig": SignatureFault}
    for name in files_below(folder):
        before = (folder / name).read_bytes()
        flip(folder / name)
        with pytest.raises(expected.get(name, DamagedFault)) as caught:
            verify(folder)
        assert name.startswith("bundle.json") or name in caught.value.message
        if name.startswith("plain/"):
            assert "uv-bundler split BUNDLE --exploded -o FOLDER" in caught.value.hint
        assert (
            not name.startswith("payload") or ": block 1 of 1 at byte 0: sha256 is " in caught.value.message
        )
        (folder / name).write_bytes(before)
    assert verify(folder) == []


def test_any_file_that_is_missing_is_told_by_name(folder):
    for name in files_below(folder):
        before = (folder / name).read_bytes()
        (folder / name).unlink()
        if name == "plain/SHA256SUMS":
            assert verify(folder) == []
        elif name.startswith("plain/"):
            assert verify(folder) == [f"{folder}: 1 plain file not there, nothing needs them: {name}"]
        else:
            with pytest.raises(BundlerError) as caught:
                verify(folder)
            assert type(caught.value) is (SignatureFault if name.endswith(".sig") else IncompleteFault)
            assert name in caught.value.message
        (folder / name).write_bytes(before)


def test_a_missing_member_is_told_before_any_is_read(folder):
    reader = FolderReader(folder)
    index = parse_named(reader.read_signed_index(), name="x")
    reader.begin(index)
    (folder / index.members[-1].path).unlink()
    with pytest.raises(IncompleteFault, match="1 file of the bundle missing: payload/"):
        reader.begin(index)


def test_a_longer_or_shorter_file_is_found(folder):
    for name in files_below(folder):
        before = (folder / name).read_bytes()
        for after in (before + b"\n", before[:-1]):
            (folder / name).write_bytes(after)
            with pytest.raises((DamagedFault, SignatureFault)) as caught:
                verify(folder)
            if name.endswith((".gz", ".zst")):
                assert f"{name}: expected {len(before)} bytes, found {len(after)}" in caught.value.message
        (folder / name).write_bytes(before)


def test_what_a_gate_leaves_is_named_and_left_alone(folder, tmp_path):
    (folder / "report.txt").write_text("clean")
    (folder / "payload" / "scan").mkdir()
    (folder / "payload" / "scan" / "deep.log").write_text("clean")
    (folder / "plain" / "._x").write_text("")
    line = f"{folder}: 3 files not of this bundle, ignored: payload/scan, plain/._x, report.txt"
    assert verify(folder) == [line]
    reader = FolderReader(folder)
    unpack(reader, request(tmp_path / "p"), name="x", progress=Silent())
    assert reader.told() == (line,)
    assert joined(folder) == FULL


def test_many_foreign_files_are_counted_and_no_more_than_a_thousand(folder):
    (folder / "payload" / "x").touch()
    for number in range(7):
        (folder / f"r{number}").touch()
    assert verify(folder)[0].endswith("ignored: payload/x, r0, r1, r2, r3 and 3 more")
    for number in range(1100):
        (folder / f"s{number}").touch()
    assert "more than 1000 files not of this bundle" in verify(folder)[0]


def test_plain_files_are_verified_but_unpack_does_not_read_them(folder, tmp_path):
    flip(some_plain(folder))
    unpack(FolderReader(folder), request(tmp_path / "p"), name="x", progress=Silent())
    with pytest.raises(DamagedFault, match="plain/"):
        verify(folder)
    shutil.rmtree(folder / "plain")
    assert len(verify(folder)) == 1


# --- a hostile folder -----------------------------------------------------------------------------------------

posix = pytest.mark.skipif(os.name == "nt", reason="needs symbolic links and named pipes")


def kept_aside(folder, name):
    aside = folder.parent / "aside"
    shutil.move(folder / name, aside)
    return aside


@posix
@pytest.mark.parametrize("name", ["bundle.json", "bundle.json.sig", "SHA256SUMS", "payload", "plain"])
def test_no_symbolic_link_is_followed(folder, name):
    (folder / name).symlink_to(kept_aside(folder, name))
    with pytest.raises(DamagedFault, match=f"{name}: expected .*, found a symbolic link"):
        verify(folder)


@posix
def test_neither_a_pipe_nor_a_folder_is_read_as_a_file(folder):
    place = folder / "SHA256SUMS"
    for make in (os.mkfifo, os.mkdir):
        place.unlink() if place.is_file() else place.rmdir() if place.is_dir() else None
        make(place)
        with pytest.raises(DamagedFault, match="SHA256SUMS: expected a regular file, found something else"):
            verify(folder)
        place.unlink() if make is os.mkfifo else None


@posix
def test_a_file_that_becomes_a_pipe_after_the_first_look_is_not_waited_for(folder, monkeypatch):
    reader = FolderReader(folder)
    index = parse_named(reader.read_signed_index(), name="x")
    monkeypatch.setattr(reader._files, "look", lambda _: None)
    (folder / "SHA256SUMS").unlink()
    os.mkfifo(folder / "SHA256SUMS")
    with pytest.raises(DamagedFault, match="expected a regular file"):
        list(reader.blocks(index.members[0], block_size=index.block_size))


def test_signatures_and_documents_with_a_gap_are_refused(tmp_path):
    exploded(BUNDLES["signed twice"], tmp_path / "open")
    (tmp_path / "open" / "bundle.json.sig").unlink()
    with pytest.raises(
        DamagedFault, match=r"bundle.json.sig: is missing, expected it beside bundle.json.1.sig"
    ):
        verify(tmp_path / "open")
    exploded(make_bundle(chain=[make_document(n) for n in (2, 3, 4)]), tmp_path / "chain")
    (tmp_path / "chain" / "trust" / "3.json").unlink()
    with pytest.raises(DamagedFault, match=r"trust/3.json: is missing, expected it beside trust/4.json"):
        verify(tmp_path / "chain")


def test_a_trust_document_without_signature_is_refused(tmp_path):
    exploded(STORED, tmp_path / "open")
    (tmp_path / "open" / "trust" / "2.json.sig").unlink()
    with pytest.raises(DamagedFault, match=r"trust/2.json.sig: is missing"):
        verify(tmp_path / "open")


def test_a_front_that_is_too_large_is_not_read_to_its_end(folder):
    (folder / "bundle.json.sig").write_bytes(bytes(20 << 10))
    with pytest.raises(DamagedFault, match="expected at most 16384 bytes, found more"):
        verify(folder)
