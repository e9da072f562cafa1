"""Signatures beside a trust document, one person after the other."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from bundles import Packer, make_document, tree

from bundler.errors import UsageFault
from bundler.signing.trustdoc import TRUST_FORMAT, parse_document
from bundler.signing.trustload import load_trust
from bundler.signing.trustsign import add_signature, check_successor, read_document, tally, write_document

ANNA, BEN, CARL, EVE = (Packer(seed) for seed in (1, 2, 3, 4))
FIRST = make_document(1, people={"anna": ANNA, "ben": BEN}, root=2, release=2, by=())
SECOND = make_document(
    2, people={"anna": ANNA, "carl": CARL, "eve": EVE}, roles={"eve": ("release",)}, root=2, release=2, by=()
)
OLD, NEW = parse_document(FIRST.raw), parse_document(SECOND.raw)


@dataclass
class Key:
    packer: Packer

    @property
    def public(self):
        return self.packer.key

    def sign(self, message, *, namespace):
        return self.packer.sign(message, namespace=namespace)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "trust-2.json"
    path.write_bytes(SECOND.raw)
    return path


def names(path):
    return sorted(one.name for one in path.parent.iterdir())


def refused(path, packer, *, before=None):
    state = tree(path.parent)
    with pytest.raises(UsageFault) as caught:
        add_signature(path, Key(packer), before=before)
    assert caught.value.hint
    assert tree(path.parent) == state
    return caught.value


def test_each_person_signs_into_a_file_of_their_own(path):
    place, tallies = add_signature(path, Key(ANNA), before=None)
    assert place == path.with_name("trust-2.json.sig")
    assert [str(one) for one in tallies] == [
        (
            f"plant-7 version 2 asks for 2 signatures: signed by anna with {ANNA.key.fingerprint}, "
            "still missing 1 of carl"
        )
    ]
    place, tallies = add_signature(path, Key(CARL), before=None)
    assert place == path.with_name("trust-2.json.1.sig")
    assert tallies[0].is_met
    assert str(tallies[0]).endswith(f"and carl with {CARL.key.fingerprint}, nobody is missing")
    assert load_trust(path).document == NEW


def test_the_people_of_the_version_before_are_counted_apart(path):
    _, tallies = add_signature(path, Key(BEN), before=OLD)
    assert [str(one) for one in tallies] == [
        f"plant-7 version 1 asks for 2 signatures: signed by ben with {BEN.key.fingerprint}, still missing 1 of anna",
        "plant-7 version 2 asks for 2 signatures: signed by nobody, still missing 2 of anna, carl",
    ]
    _, tallies = add_signature(path, Key(ANNA), before=OLD)
    assert [one.is_met for one in tallies] == [True, False]


def test_a_free_place_between_others_is_taken(path):
    add_signature(path, Key(ANNA), before=OLD)
    add_signature(path, Key(BEN), before=OLD)
    path.with_name("trust-2.json.sig").unlink()
    assert add_signature(path, Key(CARL), before=OLD)[0] == path.with_name("trust-2.json.sig")
    assert names(path) == ["trust-2.json", "trust-2.json.1.sig", "trust-2.json.sig"]


@pytest.mark.parametrize(
    ("packer", "before", "expected"),
    [(BEN, None, "anna, carl"), (EVE, None, "anna, carl"), (EVE, OLD, "anna, ben, carl")],
)
def test_a_key_that_may_not_sign_is_refused(path, packer, before, expected):
    fault = refused(path, packer, before=before)
    assert fault.message == (
        f"{path}: {packer.key.fingerprint} is no key of a person with the role root, expected one of {expected}"
    )
    assert ("--after OLD.json" in fault.hint) == (before is None)


def test_a_key_signs_once(path):
    add_signature(path, Key(ANNA), before=None)
    assert refused(path, ANNA).message == (
        f"{path}: {ANNA.key.fingerprint} has signed it already, expected another key"
    )


def test_a_signature_of_other_bytes_beside_it_is_told_to_its_maker(path):
    path.with_name("trust-2.json.sig").write_bytes(ANNA.sign(FIRST.raw, namespace=TRUST_FORMAT))
    assert refused(path, ANNA).message.startswith(f"{path}: a signature beside it does not count: ")
    add_signature(path, Key(CARL), before=None)


def test_rubbish_beside_it_is_told(path):
    path.with_name("trust-2.json.sig").write_bytes(b"rubbish")
    assert "a signature beside it does not count: expected -----BEGIN" in refused(path, ANNA).message


def test_there_is_room_for_sixteen(path):
    for number in range(16):
        name = "trust-2.json.sig" if not number else f"trust-2.json.{number}.sig"
        path.with_name(name).write_bytes(Packer(30 + number).sign(SECOND.raw, namespace=TRUST_FORMAT))
    assert refused(path, ANNA).message == (
        f"{path}: has as many signatures as are read, expected room for one more"
    )


def test_what_is_no_document_is_not_signed(path):
    for data in (b"{}", b"ssh-ed25519 AAAA", FIRST.raw.replace(b'"root": 2', b'"root": 3')):
        path.write_bytes(data)
        refused(path, ANNA)
    path.unlink()
    assert "no such file, expected a trust document" in str(refused(path, ANNA))


def test_the_version_before_is_the_one_just_before(path):
    check_successor(NEW, before=OLD, path=path, old=path)
    for before in (NEW, parse_document(make_document(1, name="plant-8").raw)):
        with pytest.raises(UsageFault) as caught:
            check_successor(NEW, before=before, path=path, old=path)
        assert caught.value.message.startswith(f"{path}: is plant-7 version 2, expected plant-")


def test_a_tally_does_not_count_what_does_not_count():
    signatures = [ANNA.sign(SECOND.raw), ANNA.sign(b"other", namespace=TRUST_FORMAT), b""]
    assert tally(SECOND.raw, signatures, document=NEW, before=None)[0].signers == ()


def test_a_document_is_written_once_and_never_over_anything(tmp_path):
    path = tmp_path / "trust.json"
    assert write_document(path, OLD) == FIRST.digest
    assert read_document(path) == (FIRST.raw, OLD)
    for name in ("trust.json", "other.json.3.sig"):
        (tmp_path / name).write_bytes(b"mine")
        before = tree(tmp_path)
        with pytest.raises(UsageFault) as caught:
            write_document(tmp_path / name.removesuffix(".3.sig"), OLD)
        assert caught.value.message == f"{tmp_path}/{name}: exists already, and nothing is overwritten"
        assert tree(tmp_path) == before
