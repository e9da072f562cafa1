"""`trust` with people: two of them on two machines, and a host that believes only both."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from bundles import PACKER, Packer, make_bundle, make_document, tree
from cli import bundler, check_refusal, command, environment

SITE = ("anna", "ben", "carl")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Three people with keys in the folder in which everything happens."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795000000")
    prints = {}
    for person in SITE:
        done = bundler("keygen", person, "--type", "ed25519", "--comment", f"{person}@site")
        prints[person] = done.stdout.strip()
    return prints


def ok(*words, **env):
    done = bundler(*words, **env)
    assert done.code == 0, done.stderr
    return done


def new(*words, target="trust.json", **env):
    return bundler("trust", "new", target, *words, **env)


def two(target="trust.json"):
    return ok(
        "trust", "new", target, "--name", "plant-7", "--signer", "anna=anna.pub", "--signer", "ben=ben.pub"
    )


def sign(target, *people, after=()):
    for person in people:
        done = ok("trust", "sign", target, "--key", person, *after)
    return done


def take(*words):
    return bundler("trust", "import", *words, "--store", "store")


def installed(prints):
    two()
    sign("trust.json", "anna", "ben")
    done = take("trust.json", "--expect", prints["anna"], "--expect", prints["ben"])
    assert done.code == 0, done.stderr
    return done


def settled():
    """Return the store without its audit log, in which refused commands stand as well."""
    return {name: facts for name, facts in tree(Path("store")).items() if name != "log.jsonl"}


def bundle(*people):
    """Write a bundle that nobody trusted has signed, and let people sign it, each on a machine of their own."""
    Path("q4.uvb").write_bytes(make_bundle())
    for person in people:
        Path(f"machine-{person}").mkdir(exist_ok=True)
        copy = shutil.copy("q4.uvb", f"machine-{person}")
        ok("sign", copy, "--key", person)
        shutil.copy(copy, "q4.uvb")
    return "q4.uvb"


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


@pytest.mark.parametrize("named", ["store", "store/trust.json", "store/allowed_signers"])
def test_a_store_is_listed_by_any_of_its_names(site, named):
    installed(site)
    listed = ok("trust", "list", "--store", named)
    assert listed.stdout.startswith("trust      plant-7 version 1, sha256 ")
    assert f"signer     {site['ben']}  ben (root, release)\n" in listed.stdout
    assert listed.stderr == ""


def test_an_export_serves_stock_ssh_keygen(site):
    installed(site)
    done = ok("trust", "export", "--allowed-signers", "--store", "store", "-o", "allowed_signers")
    assert done.stdout == ""
    assert (
        done.stderr
        == "uv-bundler: 2 people must sign, and ssh-keygen checks one signature at a time: count them\n"
    )
    assert (
        ok("trust", "export", "--allowed-signers", "--store", "store").stdout
        == Path("allowed_signers").read_text()
    )
    assert (
        ok("trust", "export", "trust.json", "--allowed-signers", "-o", "-").stdout
        == Path("allowed_signers").read_text()
    )
    if not shutil.which("ssh-keygen"):
        pytest.skip("needs ssh-keygen as the outside judge, and it is not on PATH")
    subprocess.run(["tar", "-xf", bundle("anna", "ben")], check=True)
    for person, signature in (("anna", "bundle.json.1.sig"), ("ben", "bundle.json.2.sig")):
        subprocess.run(
            ["ssh-keygen", "-Y", "verify", "-f", "allowed_signers", "-I", person, "-n", "uv-bundler.index.v1", "-s", signature],
            input=Path("bundle.json").read_bytes(), capture_output=True, check=True,
        )  # fmt: skip


@pytest.mark.usefixtures("site")
def test_an_export_says_which_form():
    two()
    check_refusal(
        bundler("trust", "export", "trust.json"), 2, "no form was named, expected --allowed-signers"
    )


@pytest.mark.usefixtures("site")
def test_a_file_that_is_named_comes_before_the_store_of_a_variable():
    two()
    done = ok("trust", "list", "trust.json", UV_BUNDLER_STORE="none")
    assert done.stdout.startswith("trust      plant-7 version 1")


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


def test_hostile_words_in_a_document_reach_no_terminal(site):
    hostile = "\x1b[2J\u202elost\nall is well"
    signed = make_document(1, people={"packer": PACKER}, revoked={site["ben"]: hostile})
    Path("t.json").write_bytes(signed.raw)
    Path("t.json.sig").write_bytes(signed.signatures[0])
    done = ok("trust", "list", "t.json")
    assert f"revoked    {site['ben']}  \\x1b[2J\\u202elost\\nall is well\n" in done.stdout
    ok("trust", "import", "t.json", "--store", "store", "--expect", PACKER.key.fingerprint)
    done = bundler("verify", bundle("ben"), "--trust", "store")
    assert done.code == 0
    Path("store/trust.json").write_bytes(
        make_document(1, people={"anna": Packer(7)}, revoked={site["ben"]: hostile}).raw
    )
    check_refusal(
        bundler("verify", "q4.uvb", "--trust", "store"),
        3,
        "its key is revoked: \\x1b[2J\\u202elost\\nall is well",
    )


def test_one_person_with_one_key_needs_none_of_this(site):
    Path("q4.uvb").write_bytes(make_bundle())
    ok("sign", "q4.uvb", "--key", "anna")
    done = ok("verify", "q4.uvb", "--trust", "anna.pub")
    assert f"signed by anna@site with {site['anna']}" in done.stderr
