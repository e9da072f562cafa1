"""`trust` with people: two of them on two machines, and a host that believes only both."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from bundles import make_bundle, tree
from cli import bundler, check_refusal, command, environment
from threepeople import bundle, installed, ok, people_in, sign, take, two


@pytest.fixture
def site(tmp_path, monkeypatch):
    return people_in(tmp_path, monkeypatch)


def settled():
    """Return the store without its audit log, in which refused commands stand as well."""
    return {name: facts for name, facts in tree(Path("store")).items() if name != "log.jsonl"}


def test_each_person_signs_and_hears_who_is_missing(site):
    two()
    done = sign("trust.json", "anna")
    assert done.stdout == "trust.json.sig\n"
    assert done.stderr == (
        "uv-bundler: trust.json: plant-7 version 1 asks for 2 signatures: "
        f"signed by anna with {site['anna']}, still missing 1 of ben\n"
    )
    check_refusal(bundler("trust", "sign", "trust.json", "--key", "anna"), 2, "has signed it already")
    check_refusal(
        bundler("trust", "sign", "trust.json", "--key", "carl"), 2, "is no key of a person with the role root"
    )
    assert sign("trust.json", "ben").stderr.endswith("nobody is missing\n")
    assert ok("trust", "list", "trust.json").stderr.endswith("nobody is missing\n")


def test_a_host_believes_two_people_once_their_fingerprints_came_by_another_road(site):
    done = installed(site)
    assert (done.stdout, done.stderr.splitlines()[0]) == (
        "", f"uv-bundler: version 1: signed by anna with {site['anna']}, ben with {site['ben']}",
    )  # fmt: skip
    assert re.fullmatch(
        r"uv-bundler: store: trusts plant-7 version 1 \(sha256 [0-9a-f]{64}\)", done.stderr.splitlines()[1]
    )
    again = take("trust.json")
    assert (again.code, again.stderr[-9:]) == (0, " already\n")


def test_without_both_fingerprints_nothing_is_believed(site):
    two()
    sign("trust.json", "anna", "ben")
    check_refusal(
        take("trust.json"), 2, "must be checked by a person, and there is no terminal", "--expect SHA256:"
    )
    check_refusal(take("trust.json", "--yes"), 2, "no such option", "--help shows how")
    check_refusal(
        take("trust.json", "--expect", site["anna"]),
        3,
        f"not confirmed: ben with {site['ben']}",
        "--expect SHA256:",
    )
    assert not Path("store").exists()


def test_a_bundle_needs_both_and_the_second_signs_on_a_machine_of_their_own(site):
    installed(site)
    path = bundle("anna")
    check_refusal(
        bundler("verify", path, "--trust", "store"),
        3,
        f"signed by 1 of 2 people, expected 2 with the role release in store/trust.json (plant-7 version 1); "
        f"anna with {site['anna']} has signed; still missing: 1 of ben",
        "ask ben to sign it: uv-bundler sign BUNDLE --key KEY",
    )
    index = Path("index")
    with index.open("wb") as out:
        subprocess.run(["tar", "-xOf", path, "bundle.json"], stdout=out, check=True)
    path = bundle("anna", "ben")
    done = ok("verify", path, "--trust", "store")
    assert (
        f"signed by anna with {site['anna']}\nuv-bundler: signed by ben with {site['ben']}\n" in done.stderr
    )
    after = subprocess.run(["tar", "-xOf", path, "bundle.json"], capture_output=True, check=True).stdout
    assert after == index.read_bytes(), "a second signature changes nothing of what was signed"


def test_a_named_document_is_trusted_with_its_signatures_beside_it(site):
    two()
    sign("trust.json", "anna")
    path = bundle("anna", "ben")
    check_refusal(
        bundler("verify", path, "--trust", "trust.json"),
        3,
        "trust.json: signed by 1 of 2 people",
        "ask ben to sign it",
    )
    sign("trust.json", "ben")
    ok("verify", path, "--trust", "trust.json")
    assert site


def test_a_key_is_replaced_and_the_old_one_does_not_count_any_more(site):
    installed(site)
    done = ok(
        "trust", "new", "trust-2.json", "--from", "trust.json", "--signer", "carl=carl.pub", "--remove", "ben",
        "--revoke", f"{site['ben']}=laptop lost",
    )  # fmt: skip
    assert "and, for hosts that have plant-7 version 1, by 2 of anna, ben" in done.stderr
    assert "--after trust.json" in done.stderr
    alone = sign("trust-2.json", "anna")
    assert "the people of version 1 must sign it too; --after OLD.json tells" in alone.stderr
    sign("trust-2.json", "carl", after=("--after", "trust.json"))
    before = settled()
    check_refusal(
        take("trust-2.json"),
        3,
        "trust-2.json: signed by 1 of 2 people, expected 2 with the role root in store/trust.json",
    )
    assert settled() == before
    sign("trust-2.json", "ben", after=("--after", "trust.json"))
    done = take("trust-2.json")
    assert done.code == 0, done.stderr
    assert "in place of version 1" in done.stderr
    check_refusal(
        bundler("verify", bundle("anna", "ben"), "--trust", "store"),
        3,
        f"signature 3 by {site['ben']}: its key is revoked: laptop lost",
    )
    ok("verify", bundle("anna", "carl"), "--trust", "store")
    check_refusal(
        take("trust.json"), 8, "store/trust.json: is version 2, expected a later one, found version 1"
    )


def test_a_lost_key_stops_counting_at_once_on_this_machine(site):
    installed(site)
    path = bundle("anna", "ben")
    ok("verify", path, "--trust", "store")
    done = ok("trust", "revoke", "ben.pub", "--reason", "laptop lost", "--store", "store")
    assert (done.stdout, done.stderr) == (
        "", f"uv-bundler: store/revoked_keys: {site['ben']} does not count any more: laptop lost\n",
    )  # fmt: skip
    check_refusal(bundler("verify", path, "--trust", "store"), 3, "its key is revoked: laptop lost")
    before = settled()
    assert "is revoked already: laptop lost" in ok("trust", "revoke", site["ben"], "--reason", "x", "--store", "store").stderr  # fmt: skip
    assert settled() == before
    assert (
        f"revoked    {site['ben']}  laptop lost (on this machine)\n"
        in ok("trust", "list", "--store", "store").stdout
    )
    check_refusal(
        bundler("trust", "revoke", "SHA256:x", "--reason", "x", "--store", "store"),
        2,
        "expected a fingerprint",
    )


def test_keys_and_documents_do_not_mix(site):
    Path("store").mkdir(mode=0o755)
    assert take("carl.pub", "--expect", site["carl"]).code == 0
    done = installed(site)
    assert done.stderr.endswith(
        "store/allowed_signers: does not count any more beside a trust document; it was left as it is\n"
    )
    check_refusal(
        take("carl.pub", "--expect", site["carl"]),
        2,
        "store/trust.json: plant-7 version 1 says who may sign, expected its successor and no key",
        "trust new NEW.json --from OLD.json --signer NAME=carl.pub",
    )
    path = bundle("carl")
    ok("verify", path, "--trust", "carl.pub")
    check_refusal(
        bundler("verify", path, "--trust", "store"), 3, "the key (ssh-ed25519) is not in store/trust.json"
    )


@pytest.mark.parametrize(("answers", "code"), [((b"y\n", b"y\n"), 0), ((b"y\n", b"n\n"), 3)])
def test_a_person_at_a_terminal_is_asked_about_each_signer(site, answers, code):
    pty = pytest.importorskip("pty", reason="needs pseudo-terminals")
    two()
    sign("trust.json", "anna", "ben")
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        command("trust", "import", "trust.json", "--store", "store"),
        env=environment(), stdin=theirs, stdout=subprocess.PIPE, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    for person, answer in zip(("anna", "ben"), answers, strict=True):
        asked = b""
        while b"[y/N]" not in asked:
            asked += os.read(ours, 4096)
        assert site[person].encode() in asked
        os.write(ours, answer)
    stdout, _ = running.communicate(timeout=60)
    os.close(ours)
    assert (running.returncode, stdout) == (code, b"")
    assert Path("store").exists() == (code == 0)


def test_one_person_with_one_key_needs_none_of_this(site):
    Path("q4.uvb").write_bytes(make_bundle())
    ok("sign", "q4.uvb", "--key", "anna")
    done = ok("verify", "q4.uvb", "--trust", "anna.pub")
    assert f"signed by anna@site with {site['anna']}" in done.stderr
