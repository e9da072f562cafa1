"""The document of a store: only ever replaced by a later one, whole or not at all."""

from __future__ import annotations

import os

import pytest
from bundles import Packer, make_document, tree

from bundler.core import durable
from bundler.errors import HostFault, LockedFault, PolicyFault, SignatureFault, UsageFault
from bundler.signing.documentstore import Installed, installed_in, save_document
from bundler.signing.storefolder import alone_in
from bundler.signing.trustdoc import parse_document

ANNA, BEN = Packer(1), Packer(2)


def raw(version, *, name="plant-7", people=None):
    return make_document(version, people=people or {"anna": ANNA}, name=name).raw


@pytest.fixture
def store(tmp_path):
    return tmp_path / "etc" / "uv-bundler"


def refused(kind, store, data):
    before = tree(store.parent)
    with pytest.raises(kind) as caught:
        save_document(store, data)
    assert caught.value.hint
    assert tree(store.parent) == before
    return caught.value.message


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_document_is_installed_to_the_byte_and_readable_by_all(store, umask):
    before = os.umask(umask)
    try:
        save_document(store, raw(1))
    finally:
        os.umask(before)
    assert (store / "trust.json").read_bytes() == raw(1)
    assert [one.stat().st_mode & 0o777 for one in (store / "trust.json", store, store.parent)] == [0o644, 0o755, 0o755]  # fmt: skip
    assert [one.name for one in store.iterdir()] == ["trust.json"]


def test_what_is_installed_can_be_told(store):
    assert installed_in(store) is None
    save_document(store, raw(2))
    found = installed_in(store)
    assert (found.name, found.version, len(found.sha256)) == ("plant-7", 2, 64)
    assert str(found) == f"plant-7 version 2 (sha256 {found.sha256})"
    assert isinstance(found, Installed)


def test_a_later_version_takes_its_place_however_many_later(store):
    for version in (1, 2, 9):
        save_document(store, raw(version))
        assert installed_in(store).version == version


def test_the_same_bytes_again_write_nothing(store):
    save_document(store, raw(2))
    before = (store / "trust.json").stat()
    save_document(store, raw(2))
    assert (store / "trust.json").stat().st_ino == before.st_ino


def test_a_lower_version_another_one_of_the_same_and_another_name_are_refused(store):
    save_document(store, raw(2))
    path = store / "trust.json"
    assert (
        refused(PolicyFault, store, raw(1)) == f"{path}: is version 2, expected a later one, found version 1"
    )
    assert refused(PolicyFault, store, raw(2, people={"ben": BEN})) == (
        f"{path}: is version 2, expected a later one, found another one of the same version"
    )
    assert refused(PolicyFault, store, raw(3, name="plant-8")) == (
        f"{path}: is of the name 'plant-7', and a document of 'plant-8' cannot take its place"
    )


def test_what_is_no_document_is_never_written(store):
    save_document(store, raw(2))
    assert refused(UsageFault, store, b"{}").startswith(f"{store}/trust.json: format: missing")


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
def test_a_store_that_others_can_write_is_left_alone(store):
    save_document(store, raw(1))
    store.chmod(0o777)
    assert "lets others write the trust store" in refused(SignatureFault, store, raw(2))
    (store / "trust.json").unlink()
    assert "lets others write the trust store" in refused(SignatureFault, store, raw(2))


def test_a_damaged_document_is_not_replaced_because_nobody_knows_its_version(store):
    save_document(store, raw(2))
    (store / "trust.json").write_bytes(b"{")
    (store / "trust.json").chmod(0o644)
    assert refused(UsageFault, store, raw(3)).startswith(f"{store}/trust.json: line 1")


def test_a_disk_that_is_full_leaves_the_old_document(store, monkeypatch):
    save_document(store, raw(1))

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", full)
    assert "No space left on device" in refused(HostFault, store, raw(2))


def test_a_document_is_stored_only_where_the_one_is_still_installed_that_it_follows(store):
    save_document(store, raw(1))
    first = parse_document(raw(1))
    save_document(store, raw(2), after=first)
    before = (store / "trust.json").read_bytes()
    with pytest.raises(PolicyFault, match="is not plant-7 version 1 any more, which this one follows"):
        save_document(store, raw(3), after=first)
    assert (store / "trust.json").read_bytes() == before
    save_document(store, raw(2), after=first)  # what another run has stored meanwhile is there
    (store / "trust.json").unlink()
    with pytest.raises(PolicyFault, match="any more"):
        save_document(store, raw(2), after=first)
    assert list(store.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="a folder cannot be locked there")
def test_two_do_not_change_a_store_at_once(store):
    save_document(store, raw(1))
    with alone_in(store):
        assert (
            refused(LockedFault, store, raw(2)) == f"{store}: another uv-bundler is changing this trust store"
        )
    save_document(store, raw(2))


@pytest.mark.skipif(os.name == "nt", reason="a folder cannot be locked there")
def test_what_a_killed_run_left_is_removed_by_the_next_and_nothing_else(store):
    save_document(store, raw(1))
    for name in (".trust.json.x1.tmp", ".revoked_keys.y2.tmp", ".mine.tmp", "trust.json.sig"):
        (store / name).write_bytes(b"x")
    save_document(store, raw(2))
    assert sorted(one.name for one in store.iterdir()) == [".mine.tmp", "trust.json", "trust.json.sig"]


@pytest.mark.skipif(os.name == "nt", reason="a folder cannot be locked there")
def test_where_a_folder_cannot_be_locked_one_goes_without(store, monkeypatch):
    def no_locks(_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("bundler.signing.storefolder.try_lock", no_locks)
    save_document(store, raw(1))
    assert installed_in(store).version == 1
