"""`trust new`: a document as it was wished for, and wishes that cannot be."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from bundles import PACKER, tree
from cli import check_refusal
from threepeople import new, ok, people_in, two


@pytest.fixture
def site(tmp_path, monkeypatch):
    return people_in(tmp_path, monkeypatch)


def test_version_1_is_written_with_what_must_happen_next(site):
    done = two()
    raw = Path("trust.json").read_bytes()
    assert done.stdout == f"{hashlib.sha256(raw).hexdigest()}\n"
    assert done.stderr.splitlines() == [
        "uv-bundler: trust.json: plant-7 version 1: bundles need signatures of 2 of anna, ben",
        "uv-bundler: next it must be signed by 2 of anna, ben",
        "uv-bundler: all 2 must sign: when one of these keys is lost, no host can be led to a successor",
        "uv-bundler: each of them: uv-bundler trust sign trust.json --key KEY",
    ]
    assert b'"created": "2026-11-18T11:06:40Z"' in raw
    assert site["anna"] not in raw.decode()


@pytest.mark.usefixtures("site")
def test_the_same_words_give_the_same_bytes():
    first, second = two("one.json"), two("two.json")
    assert first.stdout == second.stdout
    assert Path("one.json").read_bytes() == Path("two.json").read_bytes()


@pytest.mark.usefixtures("site")
def test_all_options_of_new_arrive_and_may_come_by_variables():
    words = (
        "--name", "plant-7", "--root", "anna=anna.pub", "--release", "ben=ben.pub", "--signer", "carl=carl.pub",
        "--root-threshold", "1", "--release-threshold", "2", "--algorithm", "ssh-ed25519", "--expires", "2030-06-30",
        "--enforce-expiry", "--first-install", "expected",
    )  # fmt: skip
    ok("trust", "new", "words.json", *words)
    ok(
        "trust", "new", "variables.json",
        UV_BUNDLER_TRUST_NAME="plant-7", UV_BUNDLER_TRUST_ROOT="anna=anna.pub", UV_BUNDLER_TRUST_RELEASE="ben=ben.pub",
        UV_BUNDLER_TRUST_SIGNER="carl=carl.pub", UV_BUNDLER_TRUST_ROOT_THRESHOLD="1",
        UV_BUNDLER_TRUST_RELEASE_THRESHOLD="2", UV_BUNDLER_TRUST_ALGORITHM="ssh-ed25519",
        UV_BUNDLER_TRUST_EXPIRES="2030-06-30T00:00:00Z", UV_BUNDLER_TRUST_EXPIRY="enforce",
        UV_BUNDLER_TRUST_FIRST_INSTALL="expected",
    )  # fmt: skip
    assert Path("words.json").read_bytes() == Path("variables.json").read_bytes()
    listed = ok("trust", "list", "words.json").stdout
    assert "expires 2030-06-30T00:00:00Z" in listed
    assert "what is expired is refused; the first bundle of a name needs --expect-serial" in listed
    assert "root       1 of anna, carl\nrelease    2 of ben, carl\nkeys       ssh-ed25519\n" in listed


NEW_REFUSED = [
    ((), "--name: missing, expected the name of the series", "add --name plant-7"),
    (("--name", "Plant 7", "--signer", "anna=anna.pub"), "the new version: name: expected a name of a-z", ""),
    (("--name", "p", "--signer", "anna.pub"), "--signer: expected NAME=KEY.pub, found 'anna.pub'", "--signer anna=anna.pub"),
    (("--name", "p", "--root", "=anna.pub"), "--root: expected NAME=KEY.pub, found '=anna.pub'", "--root anna=anna.pub"),
    (("--name", "p", "--release", "anna=none.pub"), "none.pub: no such file, expected an OpenSSH public key", "check the path"),
    (("--name", "p", "--signer", "anna=anna"), "anna: a private key, expected an OpenSSH public key", "name its public half (anna.pub)"),
    (("--name", "p", "--signer", "anna=both"), "--signer: both holds 2 keys, expected one", "--signer anna=KEY.pub"),
    (("--name", "p", "--signer", "anna=anna.pub", "--expires", "soon"), "--expires: expected a day or a UTC time, found 'soon'", "such as 2027-06-30"),
    (("--name", "p", "--signer", "anna=anna.pub", "--expires", "2027-02-30"), "--expires: expected a day or a UTC time, found '2027-02-30'", ""),
    (("--name", "p", "--signer", "anna=anna.pub", "--expires", "2020-01-01"), "the new version: expires: expected a time later than created", ""),
    (("--name", "p", "--signer", "anna=anna.pub", "--expiry", "enforc"), "--expiry: expected one of warn, enforce, found 'enforc'", "did you mean 'enforce'?"),
    (("--name", "p", "--signer", "anna=anna.pub", "--first-install", "x"), "--first-install: expected one of any, expected", ""),
    (("--name", "p", "--signer", "anna=anna.pub", "--algorithm", "ssh-dss"), "the new version: algorithms[0]: expected one of ssh-ed25519", ""),
    (("--name", "p", "--signer", "anna=anna.pub", "--release-threshold", "2"), "the new version: thresholds.release: expected at most 1", ""),
    (("--name", "p", "--signer", "anna=anna.pub", "--root-threshold", "0"), "invalid value for '--root-threshold'", "trust new --help"),
    (("--name", "p", "--signer", "anna=anna.pub", "--revoke", "SHA256:x=lost"), "--revoke: expected a fingerprint", "ssh-keygen -lf"),
    (("--name", "p", "--signer", "anna=anna.pub", "--revoke", PACKER.key.fingerprint), "--revoke: expected FINGERPRINT=REASON", "laptop lost"),
    (("--name", "p"), "--signer: missing, expected at least one person", "--signer NAME=KEY.pub"),
    (("--from", "none.json"), "none.json: no such file, expected a trust document", ""),
    (("--from", "anna.pub"), "anna.pub: no trust document, expected one", "`uv-bundler trust new` wrote"),
    (("--from", "old.json", "--name", "plant-8"), "--name: plant-8, expected plant-7, which the version before has", "leave --name out"),
    (("--from", "old.json", "--remove", "eve"), "--remove: eve is nobody in plant-7 version 1", "trust list FILE"),
]  # fmt: skip


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(("words", "message", "hint"), NEW_REFUSED, ids=range(len(NEW_REFUSED)))
def test_wishes_that_cannot_be_are_told_and_nothing_is_written(words, message, hint):
    two("old.json")
    Path("both").write_text(f"a {Path('anna.pub').read_text()}b {Path('ben.pub').read_text()}")
    before = tree(Path())
    check_refusal(new(*words), 2, message, hint)
    assert tree(Path()) == before


@pytest.mark.usefixtures("site")
def test_nothing_is_overwritten():
    two()
    before = Path("trust.json").read_bytes()
    check_refusal(new("--from", "trust.json"), 2, "trust.json: exists already, and nothing is overwritten")
    assert Path("trust.json").read_bytes() == before
