"""The first trust document, by the keys that people confirmed, and one that a person names."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bundles import sign_document
from threedocuments import ANNA, BEN, CARL, EVE, FIRST, TWO, document, without_prints

from bundler.errors import SignatureFault
from bundler.signing.trustwalk import check_first, check_own


def first(signed=FIRST, *, confirmed=(ANNA, BEN), here=None):
    prints = [one if isinstance(one, str) else one.key.fingerprint for one in confirmed]
    return check_first(signed, source="trust.json", confirmed=prints, revoked_keys=here or {})


def first_refusal(*arguments, **options):
    with pytest.raises(SignatureFault) as caught:
        first(*arguments, **options)
    return without_prints(caught.value.message)


def test_a_first_document_is_trusted_where_its_signers_were_confirmed():
    trust, step = first()
    assert (trust.document.version, step.version, step.sha256) == (1, 1, FIRST.digest)
    assert ([one.principal for one in step.new_signers], step.old_signers) == (["anna", "ben"], ())


def test_every_key_that_was_confirmed_must_have_signed():
    signed = document(4, {**TWO, "carl": CARL}, by=[ANNA, BEN])
    assert first(signed, confirmed=(ANNA, BEN))[0].document.version == 4
    assert first_refusal(signed, confirmed=(ANNA, BEN, CARL)) == (
        "trust.json: KEY has not signed it, expected each key that was confirmed to have"
    )
    both = document(1, {"anna": (ANNA, EVE), "ben": BEN}, by=[ANNA, EVE, BEN])
    assert first(both, confirmed=(ANNA, EVE, BEN))[0].document.version == 1, "two keys of one person"


def test_too_few_confirmed_are_told_with_who_else_has_signed():
    assert first_refusal(confirmed=[ANNA]) == (
        "trust.json: confirmed are 1 of 2 people who must have signed it; not confirmed: ben with KEY"
    )
    assert first_refusal(confirmed=[]).startswith("trust.json: confirmed are 0 of 2 people")


def test_a_confirmed_key_that_has_not_signed_does_not_count():
    signed = document(1, {**TWO, "carl": CARL}, by=[ANNA, BEN])
    assert first_refusal(signed, confirmed=[ANNA, CARL]).startswith("trust.json: confirmed are 1 of 2 people")


def test_two_confirmed_keys_of_one_person_are_one_person():
    signed = document(1, {"anna": (ANNA, EVE), "ben": BEN}, by=[ANNA, EVE, BEN])
    assert "confirmed are 1 of 2 people" in first_refusal(signed, confirmed=[ANNA, EVE])
    assert first(signed, confirmed=[EVE, BEN])[0].document.version == 1, "whichever key was confirmed counts"


def test_an_unfinished_document_is_told_as_such():
    signed = document(1, TWO, by=[ANNA])
    assert first_refusal(signed, confirmed=[ANNA, BEN]) == (
        "trust.json: signed by 1 of 2 people, expected 2 with the role root in trust.json (plant-7 version 1); "
        "anna with KEY has signed; still missing: 1 of ben"
    )


def test_a_fingerprint_that_the_document_does_not_have_is_an_alarm():
    assert first_refusal(confirmed=[ANNA, BEN, EVE]) == (
        "trust.json: KEY is no key of a person with the role root in it"
    )
    held = document(1, {**TWO, "eve": EVE}, roles={"eve": ("release",)})
    assert first_refusal(held, confirmed=[ANNA, BEN, EVE]).startswith("trust.json: KEY is no key of a person")


def test_a_key_that_this_machine_revokes_does_not_count_at_first_either():
    assert "its key is revoked: lost" in first_refusal(here={BEN.key.fingerprint: "lost"})


def test_a_malformed_first_document_is_refused_with_its_place():
    assert first_refusal(sign_document(b"{}", by=[ANNA, BEN], number=1)) == (
        "trust.json: format: missing, but required"
    )


def test_a_named_document_counts_where_its_own_people_have_finished_it():
    trust = check_own(FIRST, source="trust.json", revoked_keys={})
    assert (trust.document.version, trust.store, trust.threshold) == (1, None, 2)
    for signatures in ((), FIRST.signatures[:1]):
        with pytest.raises(SignatureFault, match="trust.json: signed by . of 2 people"):
            check_own(replace(FIRST, signatures=signatures), source="trust.json", revoked_keys={})
