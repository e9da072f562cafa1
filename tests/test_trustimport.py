"""What comes into the trust store after what is in it: successors and nothing else, all of them or none."""

from __future__ import annotations

import os

import pytest
from bundles import make_document, tree
from threedocuments import ANNA, BEN, CARL, EVE, THIRD, TWO
from trustdesk import Desk

from bundler.core.durable import whole_file
from bundler.errors import HostFault, PolicyFault, SignatureFault, UsageFault
from bundler.signing import documentstore


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.fixture
def used(desk):
    desk.take("trust-1.json", told=[ANNA, BEN])
    return desk


def test_the_next_one_needs_no_fingerprints(used):
    change = used.take("trust-2.json")
    assert (change.before.version, change.after.version) == (1, 2)
    assert [one.principal for one in change.steps[0].old_signers] == ["anna", "ben"]
    assert [one.principal for one in change.signers] == ["anna", "carl"]
    assert used.version == 2


def test_several_steps_are_taken_in_one_go_in_whatever_order_they_are_named(used):
    change = used.take("trust-3.json", "trust-1.json", "trust-2.json")
    assert [one.version for one in change.steps] == [2, 3]
    assert (used.store / "trust.json").read_bytes() == THIRD.raw


def test_a_folder_stands_for_the_documents_in_it(desk):
    (desk.medium / "._trust-9.json").write_bytes(b"left behind by a Mac")
    (desk.medium / "notes.txt").write_text("hello")
    change = desk.take(desk.medium, told=[ANNA, BEN])
    assert [one.version for one in change.steps] == [1, 2, 3]
    assert change.before is None


def test_a_folder_of_more_files_than_a_chain_has_is_not_read(desk):
    (desk.medium / "many").mkdir()
    for number in range(65):
        (desk.medium / "many" / f"{number}.json").write_bytes(b"no document")
    assert desk.refused(UsageFault, "many", told=[ANNA, BEN]) == (
        "many: 65 files, expected at most 64 trust documents"
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_a_fifo_on_the_medium_is_not_waited_for(desk):
    os.mkfifo(desk.path("trust-4.json"))
    os.mkfifo(desk.path("trust-3.json.3.sig"))
    assert desk.take(desk.medium, told=[ANNA, BEN]).after.version == 3


def test_importing_the_installed_one_again_changes_nothing(used):
    before = tree(used.store)
    change = used.take("trust-1.json")
    assert (change.before, change.steps) == (change.after, ())
    assert used.take("trust-1.json", told=[ANNA]).steps == ()
    assert tree(used.store) == before


def test_with_a_step_that_fails_nothing_at_all_comes_in(used):
    used.put(THIRD, "bad.json", many=1)
    for place in used.medium.glob("trust-3.json*"):
        place.unlink()
    assert used.refused(SignatureFault, "trust-2.json", "bad.json").startswith("bad.json: signed by 1 of 2")
    assert used.version == 1


def test_what_was_not_stored_comes_in_the_next_time(used, monkeypatch):
    def full(*_, **__):
        raise HostFault("disk: full", hint="make room")

    monkeypatch.setattr(documentstore, "whole_file", full)
    used.refused(HostFault, "trust-2.json", "trust-3.json")
    monkeypatch.setattr(documentstore, "whole_file", whole_file)
    assert used.take("trust-2.json", "trust-3.json").after.version == 3


def test_an_older_document_and_another_one_of_the_same_version_are_refused(used):
    used.take("trust-2.json")
    assert used.refused(PolicyFault, "trust-1.json") == (
        "STORE/trust.json: is version 2, expected a later one, found version 1"
    )
    used.put(make_document(2, people=TWO, root=2, release=2), "fork.json")
    assert used.refused(PolicyFault, "fork.json") == (
        "STORE/trust.json: is version 2, expected a later one, found another one of the same version"
    )


def test_another_site_s_document_is_told_as_such(used):
    used.put(make_document(2, people={"eve": EVE}, name="plant-8"), "other.json")
    assert used.refused(PolicyFault, "other.json") == (
        "other.json: is of the name 'plant-8', expected 'plant-7', which is installed"
    )
    used.put(make_document(1, people={"eve": EVE}, name="plant-8"), "other.json")
    assert used.refused(PolicyFault, "other.json") == (
        "STORE/trust.json: is of the name 'plant-7', and a document of 'plant-8' cannot take its place"
    )


def test_a_fingerprint_that_the_newest_one_does_not_have_is_an_alarm_also_later(used):
    assert used.refused(SignatureFault, "trust-2.json", told=[ANNA, EVE]) == (
        "trust-2.json: KEY is no key of a person with the role root in it"
    )
    used.take("trust-2.json", told=[ANNA, CARL])
