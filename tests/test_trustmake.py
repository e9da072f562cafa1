"""The next version of a trust document: what is wished, and everything else as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bundles import Packer

from bundler.errors import UsageFault
from bundler.signing.schemes import KEY_TYPES
from bundler.signing.trustdoc import Policy, parse_document
from bundler.signing.trustmake import Wish, Wishes, first_document, successor

ANNA, BEN, CARL, DORA = (Packer(seed).key for seed in (1, 2, 3, 4))
NOW, LATER = "2026-11-01T00:00:00Z", "2027-01-01T00:00:00Z"
TWO = (Wish(name="anna", key=ANNA), Wish(name="ben", key=BEN))
FIRST = first_document("plant-7", Wishes(signers=TWO), created=NOW)


def refusal(act, *arguments, **options):
    with pytest.raises(UsageFault) as caught:
        act(*arguments, **options)
    assert caught.value.hint
    return caught.value.message


def holders(document):
    return {person.name: (person.keys, person.roles) for person in document.signers}


def test_a_first_version_has_the_defaults_of_two_people():
    assert (FIRST.title, FIRST.created, FIRST.expires) == ("plant-7 version 1", NOW, None)
    assert (FIRST.root_threshold, FIRST.release_threshold) == (2, 2)
    assert FIRST.algorithms == KEY_TYPES
    assert holders(FIRST) == {"anna": ((ANNA,), ("root", "release")), "ben": ((BEN,), ("root", "release"))}
    assert (FIRST.revoked, FIRST.policy) == ((), Policy(expiry="warn", first_install="any"))
    assert parse_document(FIRST.to_bytes()) == FIRST


@pytest.mark.parametrize(("roles", "root", "release"), [(("root", "release"), 1, 1), (("release",), 1, 1)])
def test_where_one_person_has_a_role_one_is_enough(roles, root, release):
    wishes = Wishes(signers=(Wish(name="anna", key=ANNA), Wish(name="anna", key=ANNA, roles=roles)))
    document = first_document("plant-7", wishes, created=NOW)
    assert (document.root_threshold, document.release_threshold) == (root, release)


def test_with_three_people_two_are_needed():
    signers = (*TWO, Wish(name="carl", key=CARL))
    document = first_document("plant-7", Wishes(signers=signers), created=NOW)
    assert (document.root_threshold, document.release_threshold) == (2, 2)


def test_roles_can_be_held_by_different_people_and_keys_add_up():
    wishes = Wishes(
        signers=(
            Wish(name="anna", key=ANNA, roles=("root",)),
            Wish(name="ben", key=BEN, roles=("release",)),
            Wish(name="ben", key=CARL, roles=("root",)),
            Wish(name="ben", key=CARL, roles=("release",)),
        )
    )
    assert holders(first_document("plant-7", wishes, created=NOW)) == {
        "anna": ((ANNA,), ("root",)),
        "ben": ((BEN, CARL), ("root", "release")),
    }


def test_the_comment_of_a_key_is_left_behind():
    commented = type(ANNA)(ANNA.blob, "anna@site")
    document = first_document("plant-7", Wishes(signers=(Wish(name="anna", key=commented),)), created=NOW)
    assert b"anna@site" not in document.to_bytes()


def test_a_successor_takes_over_what_is_not_wished_otherwise():
    policy = Policy(expiry="enforce", first_install="expected")
    old = replace(FIRST, version=6, expires=LATER, algorithms=("ssh-ed25519",), policy=policy, revoked=((DORA.fingerprint, "lost"),))  # fmt: skip
    new = successor(old, Wishes(), created="2026-12-01T00:00:00Z")
    assert new == replace(old, version=7, created="2026-12-01T00:00:00Z")


def test_a_successor_has_what_is_wished():
    wishes = Wishes(
        signers=(Wish(name="carl", key=CARL), Wish(name="anna", key=DORA)),
        remove=("ben",),
        revoke=((BEN.fingerprint, "left"),),
        root_threshold=1,
        release_threshold=2,
        algorithms=("ssh-ed25519", "ssh-ed25519"),
        expires="2028-01-01T00:00:00Z",
        expiry="enforce",
        first_install="expected",
    )
    new = successor(FIRST, wishes, created=LATER)
    assert set(holders(new)) == {"anna", "carl"}
    assert holders(new)["anna"][0] == (ANNA, DORA)
    assert (new.root_threshold, new.release_threshold, new.algorithms) == (1, 2, ("ssh-ed25519",))
    assert (new.revoked, new.expires) == (((BEN.fingerprint, "left"),), "2028-01-01T00:00:00Z")
    assert new.policy == Policy(expiry="enforce", first_install="expected")


def test_a_successor_can_stop_expiring():
    old = replace(FIRST, expires=LATER)
    assert successor(old, Wishes(never_expires=True), created=NOW).expires is None


def test_a_revoked_key_is_taken_from_its_holder_who_gets_another():
    wishes = Wishes(revoke=((BEN.fingerprint, "lost"),), signers=(Wish(name="ben", key=CARL),))
    assert holders(successor(FIRST, wishes, created=NOW))["ben"][0] == (CARL,)


def test_a_revocation_is_never_taken_back_or_reworded():
    old = replace(FIRST, revoked=((DORA.fingerprint, "lost"),))
    new = successor(old, Wishes(revoke=((DORA.fingerprint, "found again"),)), created=NOW)
    assert new.revoked == old.revoked


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (
            Wishes(remove=("carl",)),
            "--remove: carl is nobody in plant-7 version 1, expected one of anna, ben",
        ),
        (
            Wishes(revoke=((BEN.fingerprint, "lost"),)),
            "--revoke: ben has no key left, expected a new one, or nobody of that name",
        ),
        (
            Wishes(remove=("ben",)),
            "the new version: thresholds.root: expected at most 1, which is how many people have the role, found 2",
        ),
        (
            Wishes(signers=(Wish(name="carl", key=BEN),)),
            "the new version: signers.carl.keys[0]: expected each key once, found it with ben too",
        ),
        (
            Wishes(signers=(Wish(name="ANNA", key=CARL),)),
            "the new version: signers.anna: expected names that differ also when case is ignored, found ANNA too",
        ),
        (
            Wishes(algorithms=("ecdsa-sha2-nistp256",)),
            "the new version: signers.anna.keys[0]: expected one of algorithms, found ssh-ed25519",
        ),
        (
            Wishes(expires="2026-10-01T00:00:00Z"),
            "the new version: expires: expected a time later than created, 2026-11-01T00:00:00Z",
        ),
        (
            Wishes(signers=(Wish(name="ben", key=CARL),), revoke=((CARL.fingerprint, "lost"),)),
            f"the new version: signers.ben.keys[1]: {CARL.fingerprint} is revoked too, expected a key that counts",
        ),
    ],
)
def test_wishes_that_contradict_are_told(wishes, message):
    assert refusal(successor, FIRST, wishes, created=NOW) == message


def test_nobody_is_no_document():
    assert refusal(first_document, "plant-7", Wishes(), created=NOW) == (
        "the new version: signers: expected 1 to 64 entries, found 0"
    )


def test_a_successor_is_not_older_than_what_it_follows():
    assert refusal(successor, FIRST, Wishes(), created="2026-10-31T23:59:59Z") == (
        "the clock: it is 2026-10-31T23:59:59Z, expected a time after 2026-11-01T00:00:00Z, "
        "when plant-7 version 1 was made"
    )
