"""From one trust document to the next: each test is a way to be led astray."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bundles import PACKER, sign_document, trust_by
from threedocuments import ANNA, BEN, CARL, EVE, FIRST, SECOND, THIRD, THREE, TWO, document, without_prints

from bundler.errors import SignatureFault
from bundler.signing import trustwalk
from bundler.signing.trust import NAMESPACE
from bundler.signing.trustdoc import SignedDocument
from bundler.signing.trustwalk import walk

HOST = trust_by(FIRST)


def versions(trust, chain):
    walked, steps = walk(trust, chain)
    assert walked.document.version == (steps[-1].version if steps else trust.document.version)
    return [step.version for step in steps]


def refusal(chain, *, trust=HOST):
    with pytest.raises(SignatureFault) as caught:
        walk(trust, chain)
    assert caught.value.hint
    return caught.value.message


def test_a_walk_ends_at_the_last_document_and_tells_who_signed_each():
    trust, steps = walk(HOST, [SECOND, THIRD])
    assert trust.document.title == "plant-7 version 3"
    assert trust.source == "trust/3.json"
    assert [(one.version, one.sha256, one.raw) for one in steps] == [
        (2, SECOND.digest, SECOND.raw),
        (3, THIRD.digest, THIRD.raw),
    ]
    assert [one.principal for one in steps[0].old_signers] == ["anna", "ben"]
    assert [one.principal for one in steps[0].new_signers] == ["anna", "carl"]


def test_where_the_store_is_and_what_it_revokes_stays_known(tmp_path):
    trust, _ = walk(trust_by(FIRST, store=tmp_path, revoked_keys={"SHA256:x": "y"}), [SECOND])
    assert (trust.store, trust.revoked_keys) == (tmp_path, {"SHA256:x": "y"})


def test_without_a_document_the_chain_is_not_even_looked_at():
    rubbish = [SignedDocument(raw=b"{", signatures=(b"",), number=9)]
    assert walk(PACKER.trust, rubbish) == (PACKER.trust, ())
    assert walk(PACKER.trust, None) == (PACKER.trust, ())


def test_versions_up_to_the_installed_one_are_passed_over_unread():
    rubbish = [SignedDocument(raw=b"\xff{", signatures=(), number=number) for number in (1, 2)]
    assert versions(trust_by(SECOND), [*rubbish, THIRD]) == [3]
    assert versions(trust_by(THIRD), [*rubbish, SECOND, THIRD]) == []


def test_an_empty_chain_changes_nothing():
    assert walk(HOST, []) == (HOST, ())


def test_old_documents_are_not_parsed_before_they_are_judged(monkeypatch):
    def never(_):
        raise AssertionError

    monkeypatch.setattr(trustwalk, "parse_document", never)
    assert refusal([replace(SECOND, signatures=())]).startswith("trust/2.json: signed by 0 of 2 people")


OTHER_SITE = document(2, TWO, name="plant-8")
REFUSED = {
    "a version left out": ([THIRD], "trust/3.json: is version 3, expected version 2 after 1"),
    "out of order": ([THIRD, SECOND], "trust/3.json: is version 3, expected version 2 after 1"),
    "a version twice": ([SECOND, SECOND], "trust/2.json: is version 2, expected version 3 after 2"),
    "back again": ([SECOND, THIRD, SECOND], "trust/2.json: is version 2, expected version 4 after 3"),
    "one old person only": (
        [document(2, THREE, by=[ANNA, CARL])],
        (
            "trust/2.json: signed by 1 of 2 people, expected 2 with the role root in trust.json (plant-7 version 1); "
            "anna with KEY has signed; still missing: 1 of ben; signature 2 by KEY: "
            "the key (ssh-ed25519) is not in trust.json"
        ),
    ),
    "one old person twice": (
        [document(2, THREE, by=[ANNA, ANNA, CARL])],
        (
            "trust/2.json: signed by 1 of 2 people, expected 2 with the role root in trust.json (plant-7 version 1); "
            "anna with KEY has signed; still missing: 1 of ben; "
            "signature 2 by KEY: its key signed already, expected another key; "
            "signature 3 by KEY: the key (ssh-ed25519) is not in trust.json"
        ),
    ),
    "the old people only": (
        [document(2, THREE, by=[ANNA, BEN])],
        (
            "trust/2.json: signed by 1 of 2 people, expected 2 with the role root in trust/2.json (plant-7 version 2); "
            "anna with KEY has signed; still missing: 1 of carl; signature 2 by KEY: "
            "the key (ssh-ed25519) is not in trust/2.json"
        ),
    ),
    "nobody": (
        [replace(SECOND, signatures=())],
        (
            "trust/2.json: signed by 0 of 2 people, expected 2 with the role root in trust.json (plant-7 version 1); "
            "still missing: 2 of anna, ben"
        ),
    ),
    "changed after it was signed": (
        [replace(SECOND, raw=SECOND.raw + b" ")],
        (
            "trust/2.json: signed by 0 of 2 people, expected 2 with the role root in trust.json (plant-7 version 1); "
            "still missing: 2 of anna, ben; "
            "signature 1 by KEY: invalid: the ssh-ed25519 signature does not fit these bytes and this key; "
            "signature 2 by KEY: invalid: the ssh-ed25519 signature does not fit these bytes and this key; "
            "signature 3 by KEY: the key (ssh-ed25519) is not in trust.json"
        ),
    ),
    "another site's": ([OTHER_SITE], "trust/2.json: is of the name 'plant-8', expected 'plant-7'"),
    "another version than its place": (
        [replace(document(5, TWO), number=2)],
        "trust/2.json: says that it is version 5, expected 2",
    ),
    "a replay of the first as the second": (
        [replace(FIRST, number=2)],
        "trust/2.json: says that it is version 1, expected 2",
    ),
    "no document": (
        [sign_document(b"{}", by=[ANNA, BEN], number=2)],
        "trust/2.json: format: missing, but required",
    ),
    "a contradiction": (
        [
            sign_document(
                SECOND.raw.replace(b'"root": 2', b'"root": 3'), by=[ANNA, BEN, CARL], number=2
            )
        ],
        "trust/2.json: thresholds.root: expected at most 2, which is how many people have the role, found 3",
    ),
    "good, then bad": (
        [SECOND, document(3, {"eve": EVE}, root=1, release=1)],
        (
            "trust/3.json: signed by 0 of 2 people, expected 2 with the role root in trust/2.json (plant-7 version 2); "
            "still missing: 2 of anna, carl; signature 1 by KEY: the key (ssh-ed25519) is not in trust/2.json"
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("chain", "message"), REFUSED.values(), ids=REFUSED)
def test_a_chain_with_any_doubt_is_refused_as_a_whole(chain, message):
    assert versions(HOST, [SECOND, THIRD]) == [2, 3]
    assert without_prints(refusal(chain)) == message
    assert HOST.document.version == 1


@pytest.mark.parametrize("namespace", [NAMESPACE, "git"])
def test_signatures_for_anything_else_do_not_count(namespace):
    signatures = tuple(one.sign(SECOND.raw, namespace=namespace) for one in (ANNA, BEN, CARL))
    message = refusal([replace(SECOND, signatures=signatures)])
    assert "signed by 0 of 2 people" in message
    assert f'made for "{namespace}", expected one for "uv-bundler.trust.v1"' in message


def test_release_people_cannot_sign_a_document():
    host = trust_by(document(1, {**TWO, "eve": EVE}, roles={"ben": ("release",)}))
    assert "ben has no role for that in trust.json" in refusal([document(2, TWO)], trust=host)


def test_a_key_that_the_old_document_revokes_does_not_count_for_the_step():
    host = trust_by(document(1, {**TWO, "carl": CARL}, revoked={EVE.key.fingerprint: "stolen"}))
    step = document(2, {"anna": ANNA, "eve": EVE}, by=[ANNA, EVE])
    assert "its key is revoked: stolen" in refusal([step], trust=host)


def test_a_key_that_only_the_new_document_revokes_counts_for_the_old_threshold():
    step = document(2, THREE, by=[ANNA, BEN, CARL], revoked={BEN.key.fingerprint: "left"})
    walked, steps = walk(HOST, [step])
    assert [one.principal for one in steps[0].old_signers] == ["anna", "ben"]
    assert walked.revoked == {BEN.key.fingerprint: "left"}


@pytest.mark.parametrize(("lost", "place"), [(BEN, "trust.json"), (CARL, "trust/2.json")])
def test_a_key_that_this_machine_revokes_counts_neither_for_the_old_nor_for_the_new(lost, place):
    host = trust_by(FIRST, revoked_keys={lost.key.fingerprint: "laptop lost"})
    message = refusal([SECOND], trust=host)
    assert f"expected 2 with the role root in {place}" in message
    assert f"{lost.key.fingerprint}: its key is revoked: laptop lost" in message


def test_the_types_of_keys_are_those_of_the_document_at_hand():
    narrower = document(2, THREE, algorithms=("ecdsa-sha2-nistp256",), by=[ANNA, BEN, CARL])
    assert refusal([narrower]) == (
        "trust/2.json: signers.anna.keys[0]: expected one of algorithms, found ssh-ed25519"
    )


def test_a_walk_that_was_interrupted_goes_on_from_what_was_stored():
    once, steps = walk(HOST, [SECOND])
    stored = trust_by(SignedDocument(raw=steps[-1].raw, signatures=(), number=2))
    assert walk(stored, [SECOND, THIRD])[0].document == walk(HOST, [SECOND, THIRD])[0].document
    assert once.document == stored.document
