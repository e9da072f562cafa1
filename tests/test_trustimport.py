"""What comes into the trust store, by whose word, and what never does."""

from __future__ import annotations

import os
import re
from dataclasses import replace

import pytest
from bundles import PACKER, Packer, make_document, tree

from bundler.core.durable import whole_file
from bundler.errors import HostFault, PolicyFault, SignatureFault, UsageFault
from bundler.signing import documentstore
from bundler.signing.trustimport import import_trust
from bundler.signing.trustload import load_trust, signature_places

ANNA, BEN, CARL, EVE = (Packer(seed) for seed in (11, 12, 13, 14))
TWO, THREE = {"anna": ANNA, "ben": BEN}, {"anna": ANNA, "carl": CARL}
FIRST = make_document(1, people=TWO, root=2, release=2)
SECOND = make_document(2, people=THREE, root=2, release=2, by=[ANNA, BEN, CARL])
THIRD = make_document(3, people=THREE, root=2, release=2)


def print_of(packer):
    return packer.key.fingerprint


class Desk:
    """A medium with documents, and a machine with a store."""

    def __init__(self, folder):
        self.medium, self.store = folder / "usb", folder / "etc" / "uv-bundler"
        self.medium.mkdir()
        for number, signed in enumerate((FIRST, SECOND, THIRD), start=1):
            self.put(signed, f"trust-{number}.json")

    def put(self, signed, name, *, many=None):
        path = self.medium / name
        path.write_bytes(signed.raw)
        for place, data in zip(signature_places(path), signed.signatures[:many], strict=False):
            place.write_bytes(data)
        return path

    def path(self, name):
        return self.medium / name

    def take(self, *names, told=(), confirm=None, store=None):
        return import_trust(
            [name if hasattr(name, "parts") else self.path(name) for name in names],
            store=store or self.store,
            expect=[one if isinstance(one, str) else print_of(one) for one in told],
            confirm=confirm,
        )

    def refused(self, kind, *names, **options):
        before = tree(self.medium.parent)
        with pytest.raises(kind) as caught:
            self.take(*names, **options)
        assert caught.value.hint
        assert tree(self.medium.parent) == before
        message = caught.value.message.replace(f"{self.medium}/", "").replace(f"{self.store}/", "STORE/")
        return re.sub(r"SHA256:\S{43}", "KEY", message)

    @property
    def version(self):
        return load_trust(self.store).document.version


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.fixture
def used(desk):
    desk.take("trust-1.json", told=[ANNA, BEN])
    return desk


def test_the_first_document_comes_in_with_the_fingerprints_of_those_who_signed_it(desk):
    change = desk.take("trust-1.json", told=[ANNA, BEN])
    assert (desk.store / "trust.json").read_bytes() == FIRST.raw
    assert (change.before, change.after.version, change.after.sha256) == (None, 1, FIRST.digest)
    assert [one.principal for one in change.signers] == ["anna", "ben"]
    assert change.store == desk.store
    assert [one.name for one in desk.store.iterdir()] == ["trust.json"], "no signatures: the store is guarded"


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


FIRST_REFUSED = {
    "no word of anybody": (
        ["trust-1.json"], {}, UsageFault,
        "trust-1.json: anna with KEY and ben with KEY must be checked by a person, and there is no terminal",
    ),
    "one fingerprint of two": (
        ["trust-1.json"], {"told": [ANNA]}, SignatureFault,
        "trust-1.json: confirmed are 1 of 2 people who must have signed it; not confirmed: ben with KEY",
    ),
    "a fingerprint of nobody": (
        ["trust-1.json"], {"told": [ANNA, BEN, EVE]}, SignatureFault,
        "trust-1.json: KEY is no key of a person with the role root in it",
    ),
    "no fingerprint": (
        ["trust-1.json"], {"told": ["SHA256:short"]}, UsageFault,
        "--expect: 'SHA256:short', expected a fingerprint: SHA256: and 43 characters",
    ),
    "a version left out": (
        ["trust-1.json", "trust-3.json"], {"told": [ANNA, BEN]}, SignatureFault,
        "trust-3.json: is version 3, expected version 2 after 1",
    ),
    "a version twice": (
        ["trust-1.json", "again.json"], {"told": [ANNA, BEN]}, UsageFault,
        "again.json: version 1 again, which trust-1.json is, expected each version once",
    ),
    "a key beside it": (
        ["trust-1.json", "anna.pub"], {"told": [ANNA, BEN]}, UsageFault,
        "anna.pub: no trust document, expected one beside the others",
    ),
    "two files of keys": (
        ["anna.pub", "ben.pub"], {"told": [ANNA, BEN]}, UsageFault,
        "ben.pub: a second file of keys, expected one at a time",
    ),
    "a folder without documents": (
        ["empty"], {"told": [ANNA, BEN]}, UsageFault, "empty: no .json file in it, expected trust documents",
    ),
    "no document at all": (
        ["broken.json"], {"told": [ANNA, BEN]}, UsageFault, "broken.json: line 1 column 2: Expecting property name enclosed in double quotes",
    ),
    "a contradiction": (
        ["bad.json"], {"told": [ANNA, BEN]}, SignatureFault,
        "bad.json: thresholds.root: expected at most 2, which is how many people have the role, found 3",
    ),
    "a contradiction, asked about": (
        ["bad.json"], {"confirm": lambda _: True}, UsageFault,
        "bad.json: thresholds.root: expected at most 2, which is how many people have the role, found 3",
    ),
    "unfinished, asked about": (
        ["half.json"], {"confirm": lambda _: True}, SignatureFault,
        (
            "half.json: signed by 1 of 2 people, expected 2 with the role root in half.json (plant-7 version 1); "
            "anna with KEY has signed; still missing: 1 of ben"
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("names", "options", "kind", "message"), FIRST_REFUSED.values(), ids=FIRST_REFUSED)
def test_a_first_import_with_any_doubt_leaves_no_store(desk, names, options, kind, message):
    for person, packer in TWO.items():
        desk.path(f"{person}.pub").write_text(f"{packer.key} {person}\n")
    desk.put(FIRST, "again.json")
    desk.put(FIRST, "half.json", many=1)
    desk.put(replace(FIRST, raw=FIRST.raw.replace(b'"root": 2', b'"root": 3')), "bad.json")
    desk.path("broken.json").write_text("{")
    desk.path("empty").mkdir()
    assert desk.refused(kind, *names, **options) == message
    assert not desk.store.exists()


def test_on_a_terminal_each_signer_is_asked_about_as_many_as_are_needed(desk):
    signed = make_document(1, people={**TWO, "carl": CARL}, root=2, release=2)
    desk.put(signed, "three.json")
    asked = []
    desk.take("three.json", confirm=lambda question: asked.append(question) or True)
    assert len(asked) == 2
    assert asked[1] == (
        f"{desk.medium}/three.json: plant-7 version 1, for which 2 of anna, ben, carl must sign, signed by ben "
        f"(ssh-ed25519), fingerprint {print_of(BEN)}: is that what its owner told you by another road?"
    )
    assert desk.version == 1


def test_a_no_imports_nothing(desk):
    answers = iter([True, False])
    message = desk.refused(SignatureFault, "trust-1.json", confirm=lambda _: next(answers))
    assert message == "trust-1.json: KEY was not confirmed; nothing was imported"


FORGED = {  # by somebody who stole ben's key alone
    "who asks for ben's signature only": make_document(
        1, people={**TWO, "eve": EVE}, roles={"eve": ("release",)}, root=1, by=[BEN]
    ),
    "who says that anna's key is ben's": make_document(
        1, people={"ben": (BEN, ANNA), "eve": EVE}, roles={"eve": ("release",)}, root=1, by=[BEN]
    ),
    "who signs twice": make_document(1, people=TWO, root=1, by=[BEN, BEN]),
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_one_stolen_key_is_not_enough_for_a_forged_first_document(desk, forged):
    desk.put(forged, "forged.json")
    message = desk.refused(SignatureFault, "forged.json", told=[ANNA, BEN])
    assert message == "forged.json: KEY has not signed it, expected each key that was confirmed to have"
    assert not desk.store.exists()


def test_with_a_fingerprint_nobody_is_asked(desk):
    def never(_):
        raise AssertionError

    desk.take("trust-1.json", told=[ANNA, BEN], confirm=never)


def test_a_key_of_this_machine_s_list_counts_neither_at_first_nor_later(desk):
    desk.store.mkdir(parents=True, mode=0o755)
    (desk.store / "revoked_keys").write_text(f"{print_of(BEN)} laptop lost\n")
    (desk.store / "revoked_keys").chmod(0o644)
    assert "its key is revoked: laptop lost" in desk.refused(SignatureFault, "trust-1.json", told=[ANNA, BEN])
    (desk.store / "revoked_keys").rename(desk.store / "aside")
    desk.take("trust-1.json", told=[ANNA, BEN])
    (desk.store / "aside").rename(desk.store / "revoked_keys")
    assert "its key is revoked: laptop lost" in desk.refused(SignatureFault, "trust-2.json")


# Keys.


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
