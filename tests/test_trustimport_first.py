"""The first document of a trust store comes in by the word of people, and not with any doubt."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bundles import make_document
from threedocuments import ANNA, BEN, CARL, EVE, FIRST, TWO
from trustdesk import Desk, print_of

from bundler.errors import SignatureFault, UsageFault


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def test_the_first_document_comes_in_with_the_fingerprints_of_those_who_signed_it(desk):
    change = desk.take("trust-1.json", told=[ANNA, BEN])
    assert (desk.store / "trust.json").read_bytes() == FIRST.raw
    assert (change.before, change.after.version, change.after.sha256) == (None, 1, FIRST.digest)
    assert [one.principal for one in change.signers] == ["anna", "ben"]
    assert change.store == desk.store
    assert [one.name for one in desk.store.iterdir()] == ["trust.json"], "no signatures: the store is guarded"


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
