"""Keys in a trust store, with documents beside them and without."""

from __future__ import annotations

import pytest
from bundles import PACKER
from threedocuments import ANNA, BEN, EVE
from trustdesk import Desk, print_of

from bundler.errors import SignatureFault, UsageFault


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.fixture
def used(desk):
    desk.take("trust-1.json", told=[ANNA, BEN])
    return desk


def test_a_key_comes_in_as_before(desk):
    desk.path("packer.pub").write_text(f"{PACKER.key} packer@site\n")
    change = desk.take("packer.pub", told=[PACKER])
    assert [one.principal for one in change.added] == ["packer@site"]
    assert (change.before, change.after, change.store) == (None, None, desk.store)


@pytest.fixture
def folder_store(desk):
    desk.store.mkdir(parents=True, mode=0o755)
    return desk


def test_a_key_for_a_folder_goes_into_its_file_of_keys(folder_store):
    folder_store.path("packer.pub").write_text(f"{PACKER.key} packer@site\n")
    folder_store.take("packer.pub", told=[PACKER], store=folder_store.store / "trust.json")
    assert [one.name for one in folder_store.store.iterdir()] == ["allowed_signers"]
    assert folder_store.take("packer.pub", told=[PACKER]).added == ()


@pytest.mark.parametrize("named", ["", "allowed_signers", "trust.json"])
def test_where_a_document_decides_no_key_comes_in(used, named):
    used.path("eve.pub").write_text(f"{EVE.key} eve\n")
    assert used.refused(UsageFault, "eve.pub", told=[EVE], store=used.store / named) == (
        "STORE/trust.json: plant-7 version 1 says who may sign, expected its successor and no key"
    )


def test_a_document_over_plain_keys_leaves_their_file_as_it_was(folder_store):
    folder_store.path("packer.pub").write_text(f"{PACKER.key} packer@site\n")
    folder_store.take("packer.pub", told=[PACKER])
    before = (folder_store.store / "allowed_signers").read_bytes()
    folder_store.take("trust-1.json", told=[ANNA, BEN], store=folder_store.store / "allowed_signers")
    assert (folder_store.store / "allowed_signers").read_bytes() == before
    assert folder_store.version == 1


def test_a_revoked_key_does_not_come_back(folder_store):
    (folder_store.store / "revoked_keys").write_text(f"{print_of(PACKER)} laptop lost\n")
    (folder_store.store / "revoked_keys").chmod(0o644)
    folder_store.path("packer.pub").write_text(f"{PACKER.key} packer@site\n")
    assert folder_store.refused(SignatureFault, "packer.pub", told=[PACKER]) == (
        "packer.pub: KEY is revoked on this machine: laptop lost"
    )


def test_a_document_needs_a_folder_as_its_store(desk):
    desk.path("keys").write_text("x")
    assert desk.refused(UsageFault, "trust-1.json", told=[ANNA, BEN], store=desk.path("keys")) == (
        "keys: a file, expected the folder of a trust store"
    )
