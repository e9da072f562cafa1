"""What an administrator meets when a bundle is too old, too late, not expected, or signed by too few."""

import json
import os
import shlex
import shutil

import pytest
from bundles import PACKER, Packer, make_bundle, make_document, write_document
from cli import Desk, check_refusal

from bundler.signing.trustdoc import Policy

ANNA, BEN, CARL = Packer(11, "anna"), Packer(12, "ben"), Packer(13, "carl")
TWO = {"people": {"anna": ANNA, "ben": BEN}, "root": 2, "release": 2}
WHY = ("--reason", "the line is down")


class Site(Desk):
    """A desk whose trust is a store with a trust document, unless a test says otherwise."""

    def install(self, document):
        store = self.folder / "store"
        store.mkdir(mode=0o755, exist_ok=True)
        (store / "trust.json").write_bytes(document.raw)
        self.trust = store
        return store / "trust.json"

    def take(self, *words, **made):
        """Unpack a bundle made of `made`."""
        path = self.folder / "made.uvb"
        path.write_bytes(make_bundle(**made))
        return self.unpack(*words, bundle=path)

    def take_at(self, clock, *words, **made):
        """Unpack such a bundle on a host whose clock stands at `clock`, in UTC."""
        path = self.folder / "made.uvb"
        path.write_bytes(make_bundle(**made))
        before = ("faketime", "-f", f"@{clock}")
        return self.unpack_process(*words, bundle=path, before=before, env={"TZ": "UTC"})

    def events(self):
        return [json.loads(line) for line in (self.prefix / "state" / "log.jsonl").read_text().splitlines()]

    def mark(self):
        return json.loads((self.prefix / "state" / "serials.json").read_bytes())["names"]["plant-7"]["serial"]


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_an_older_bundle_needs_the_flag_and_a_reason(site):
    assert site.take(serial=9).code == 0
    check_refusal(site.take(serial=8), 8, "serial is 8, expected at least 9", "--allow-downgrade")
    check_refusal(
        site.take("--allow-downgrade", serial=8), 2, "--allow-downgrade: no reason given", "--reason"
    )
    done = site.take("--allow-downgrade", *WHY, serial=8)
    assert done.code == 0
    assert (
        "uv-bundler: warning: plant-7: serial 8 is older than 9, which stays the highest seen" in done.stderr
    )
    assert site.mark() == 9
    last = site.events()[-1]
    assert (last["reason"], last["serial_before"], last["serial_after"]) == ("the line is down", 9, 8)


def test_what_is_active_after_a_step_back_is_no_step_back(site):
    assert site.take(serial=9).code == 0
    assert site.take("--allow-downgrade", *WHY, serial=8).code == 0
    done = site.take(serial=8)
    assert done.code == 0
    assert "is active already, nothing to do" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--expect-serial", "8"), 8, "plant-7: serial is 7, expected 8 (--expect-serial)"),
        (("--expect-index", "ab" * 32), 8, f"expected {'ab' * 32} (--expect-index)"),
        (("--expect-index", "abc"), 2, "--expect-index: expected 64 hexadecimal digits, found 'abc'"),
    ],
)
def test_what_the_paper_form_does_not_say_is_refused(site, words, code, message):
    check_refusal(site.unpack(*words), code, message, "")
    assert not (site.prefix / "current").exists()


def test_a_first_bundle_must_be_expected_where_the_trust_document_says_so(site):
    site.install(make_document(people={"anna": ANNA}, policy=Policy(first_install="expected")))
    made = {"packers": (ANNA,), "serial": 5}
    check_refusal(site.take(**made), 8, "expected --expect-serial or --expect-index", "transfer form")
    assert site.take("--expect-serial", "5", **made).code == 0
    assert site.take(packers=(ANNA,), serial=6).code == 0


def test_two_people_must_sign_and_the_missing_one_is_named(site):
    site.install(make_document(**TWO))
    check_refusal(site.take(packers=(ANNA,)), 3, "signed by 1 of 2 people", "ben")
    assert not (site.prefix / "current").exists()
    done = site.take(packers=(ANNA, BEN))
    assert done.code == 0
    assert f"signed by anna with {ANNA.key.fingerprint}" in done.stderr
    assert f"signed by ben with {BEN.key.fingerprint}" in done.stderr
    assert [one["name"] for one in site.events()[-1]["signers"]] == ["anna", "ben"]


def test_a_chain_replaces_the_installed_document_and_what_was_revoked_counts_no_more(site):
    store = site.install(make_document(people={"anna": ANNA, "ben": BEN}))
    second = make_document(
        2, people={"anna": ANNA, "carl": CARL}, by=(ANNA,), revoked={BEN.key.fingerprint: "lost"}
    )
    assert site.take(packers=(BEN,), serial=1).code == 0
    done = site.take(packers=(CARL,), serial=2, chain=(second,))
    assert done.code == 0, done.stderr
    assert f"{store.parent}: trust document version 2, signed by anna" in done.stderr
    assert store.read_bytes() == second.raw
    last = site.events()[-1]
    assert (last["trust_before"]["version"], last["trust_after"]["version"]) == (1, 2)
    check_refusal(site.take(packers=(BEN,), serial=3), 3, "revoked", "")


def test_a_chain_that_is_not_signed_by_the_installed_root_changes_nothing(site):
    store = site.install(make_document(people={"anna": ANNA}))
    before = store.read_bytes()
    forged = make_document(2, people={"carl": CARL})
    check_refusal(site.take(packers=(ANNA,), chain=(forged,)), 3, "trust/2.json", "")
    assert store.read_bytes() == before
    assert not (site.prefix / "current").exists()


def test_a_chain_is_not_stored_where_the_bundle_is_refused(site):
    store = site.install(make_document(people={"anna": ANNA}))
    before = store.read_bytes()
    second = make_document(2, people={"anna": ANNA})
    check_refusal(site.take("--expect-serial", "9", packers=(ANNA,), chain=(second,)), 8, "expected 9", "")
    assert store.read_bytes() == before


def test_a_named_document_is_walked_from_but_never_replaced(site):
    path = write_document(site.folder / "trust-1.json", make_document(people={"anna": ANNA}))
    site.trust = path
    done = site.take(
        packers=(CARL,), chain=(make_document(2, people={"anna": ANNA, "carl": CARL}, by=(ANNA,)),)
    )
    assert done.code == 0, done.stderr
    assert "used for this bundle only, because --trust names a file" in done.stderr
    last = site.events()[-1]
    assert "trust_after" not in last
    assert "trust document version 2, signed by anna" in last["message"]
    assert json.loads(path.read_bytes())["version"] == 1


@pytest.mark.skipif(os.name == "nt" or shutil.which("faketime") is None, reason="needs faketime")
@pytest.mark.parametrize(
    ("clock", "policy", "words", "code", "line"),
    [
        ("2099-01-01 00:00:00", "warn", (), 0, "warning: plant-7 2026Q4 (serial 7) expired 2027-06-01T00:00:00Z, and it is 2099"),
        ("2099-01-01 00:00:00", "enforce", (), 8, "error: plant-7 2026Q4 (serial 7) expired 2027-06-01T00:00:00Z, and it is 2099"),
        ("2099-01-01 00:00:00", "enforce", ("--allow-expired", *WHY), 0, "warning: plant-7 2026Q4 (serial 7) expired"),
        ("2026-12-01 00:00:00", "enforce", (), 0, None),
        ("1970-01-02 00:00:00", "enforce", (), 0, None),
    ],
    ids=["warned", "enforced", "overridden", "in time", "1970 and nothing seen"],
)  # fmt: skip
def test_a_bundle_past_its_time(site, *, clock, policy, words, code, line):
    site.install(make_document(people={"anna": ANNA}, policy=Policy(expiry=policy)))
    done = site.take_at(clock, *words, packers=(ANNA,), expires="2027-06-01T00:00:00Z")
    assert done.code == code, done.stderr
    assert ("expired" in done.stderr) is (line is not None)
    assert line is None or line in done.stderr


@pytest.mark.skipif(os.name == "nt" or shutil.which("faketime") is None, reason="needs faketime")
def test_a_clock_set_back_to_1970_makes_no_old_bundle_young(site):
    site.install(make_document(people={"anna": ANNA}, policy=Policy(expiry="enforce")))
    assert site.take(packers=(ANNA,), serial=7).code == 0  # made 2026-11-20
    old = {
        "packers": (ANNA,),
        "serial": 8,
        "created": "2026-01-01T00:00:00Z",
        "expires": "2026-06-01T00:00:00Z",
    }
    message = "expired 2026-06-01T00:00:00Z, and it is 2026-11-20T00:00:00Z, by a bundle of plant-7 that this host took"
    check_refusal(site.take_at("1970-01-02 00:00:00", **old), 8, message, "check this machine's clock")


def test_what_a_variable_allowed_stands_in_the_log_too(site):
    assert site.take(serial=9).code == 0
    (site.folder / "made.uvb").write_bytes(make_bundle(serial=8))
    said = {
        "UV_BUNDLER_ALLOW_DOWNGRADE": "1",
        "UV_BUNDLER_REASON": "the line's down",
        "UV_BUNDLER_PREFIX": "/else",
    }
    done = site.unpack(bundle=site.folder / "made.uvb", **said)
    assert done.code == 0, done.stderr
    begins, typed, _ = site.events()[-1]["command"].partition(" uv-bundler")
    assert typed, "what was typed follows"
    assert shlex.split(begins) == ["UV_BUNDLER_ALLOW_DOWNGRADE=1", "UV_BUNDLER_REASON=the line's down"]


def test_a_bundle_from_the_far_future_is_named_where_it_ends_a_key_and_a_corrected_mark_helps(site):
    site.trust = site.folder / "allowed_signers"
    site.trust.write_text(PACKER.line.replace(" namespaces", ' valid-before="20991231Z",namespaces') + "\n")
    assert site.take(serial=8, created="2199-01-01T00:00:00Z").code == 0
    check_refusal(
        site.take(serial=9),
        3,
        "the time here is held up by a bundle of plant-7 that this host took (2199-01-01T00:00:00Z)",
        "FORMAT.md, section 10",
    )
    marks = site.prefix / "state" / "serials.json"
    marks.write_text(marks.read_text().replace("2199-", "2026-"))
    assert site.take(serial=9).code == 0
