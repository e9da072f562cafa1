"""What people and stock tools are told about a trust file."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from bundles import Packer, make_document, trust_by
from softkeys import NAMESPACE

from bundler.errors import UsageFault
from bundler.signing.allowed_signers import parse_allowed_signers
from bundler.signing.trust import Trust
from bundler.signing.trustdoc import TRUST_FORMAT, Policy
from bundler.signing.trustfile import parse_rules
from bundler.signing.trustlist import describe_trust, export_lines

ANNA, BEN, CARL, RITA = (Packer(seed) for seed in (1, 2, 3, 4))
SIGNED = make_document(
    3,
    people={"anna": (ANNA, CARL), "ben": BEN, "rita": RITA},
    roles={"ben": ("release",), "rita": ("root",)},
    root=1,
    release=2,
    expires="2027-11-01T00:00:00Z",
    revoked={Packer(9).key.fingerprint: "laptop lost"},
    policy=Policy(expiry="enforce", first_install="expected"),
)


def plain(*lines, **facts):
    data = "".join(f"{line}\n" for line in lines).encode()
    return Trust(rules=parse_allowed_signers(data), source="the store", **facts)


def test_a_document_is_told_whole():
    trust = trust_by(SIGNED, revoked_keys={BEN.key.fingerprint: "on leave"})
    assert describe_trust(trust, raw=SIGNED.raw) == [
        f"trust      plant-7 version 3, sha256 {SIGNED.digest}",
        "created    2026-11-01T00:00:00Z, expires 2027-11-01T00:00:00Z",
        "policy     what is expired is refused; the first bundle of a name needs --expect-serial or --expect-index",
        "root       1 of anna, rita",
        "release    2 of anna, ben",
        "keys       ssh-ed25519",
        f"signer     {ANNA.key.fingerprint}  anna (root, release)",
        f"signer     {CARL.key.fingerprint}  anna (root, release)",
        f"signer     {BEN.key.fingerprint}  ben (release)",
        f"signer     {RITA.key.fingerprint}  rita (root)",
        f"revoked    {Packer(9).key.fingerprint}  laptop lost",
        f"revoked    {BEN.key.fingerprint}  on leave (on this machine)",
    ]


def test_a_document_without_an_end_says_so():
    signed = make_document(1)
    lines = describe_trust(trust_by(signed), raw=signed.raw)
    assert lines[1:3] == [
        "created    2026-11-01T00:00:00Z, does not expire",
        "policy     what is expired is warned of; the first bundle of a name needs nothing",
    ]


def test_keys_are_told_as_before_and_what_is_revoked_below():
    trust = plain(f"anna {ANNA.key}", f"ben {BEN.key}", revoked_keys={BEN.key.fingerprint: "on leave"})
    assert describe_trust(trust) == [
        f"{ANNA.key.fingerprint}  anna",
        f"{BEN.key.fingerprint}  ben",
        f"revoked    {BEN.key.fingerprint}  on leave (on this machine)",
    ]


def test_an_export_has_the_keys_that_sign_bundles_without_dates():
    lines, left_out = export_lines(trust_by(SIGNED, revoked_keys={BEN.key.fingerprint: "on leave"}))
    assert lines == [f'anna namespaces="{NAMESPACE}" {one.key}' for one in (ANNA, CARL)]
    assert left_out == [f"ben with {BEN.key.fingerprint}: revoked: on leave"]


def test_an_export_of_plain_keys_is_narrowed_and_leaves_dates_out():
    trust = plain(
        f"anna {ANNA.key} anna@site",
        f'ben valid-before="20990101Z" {BEN.key}',
        f'carl namespaces="git" {CARL.key}',
        f'"rita s" namespaces="git,{NAMESPACE}" {RITA.key}',
    )
    lines, left_out = export_lines(trust)
    assert lines == [
        f'anna namespaces="{NAMESPACE}" {ANNA.key}',
        f'"rita s" namespaces="{NAMESPACE}" {RITA.key}',
    ]
    assert left_out == [f"ben with {BEN.key.fingerprint}: has a date, which OpenSSH 8.1 and 8.2 refuse"]


@pytest.mark.parametrize("comment", [f'anybody" {CARL.key} x', f'"* {CARL.key}', "*", "a b", "!x,?"])
def test_the_comment_of_a_key_brings_no_key_and_no_pattern_into_an_export(comment):
    trust = Trust(rules=parse_rules(f"{ANNA.key} {comment}\n".encode()), source="anna.pub")
    (line,), _ = export_lines(trust)
    name, _, rest = line.partition(" ")
    assert rest == f'namespaces="{NAMESPACE}" {ANNA.key}'
    assert not set(name) & set('"*?!, ')
    (rule,) = parse_allowed_signers(f"{line}\n".encode())
    assert (rule.key, rule.principals) == (ANNA.key, name)


def test_an_export_of_nothing_is_refused():
    with pytest.raises(UsageFault) as caught:
        export_lines(plain(f'ben valid-before="20990101Z" {BEN.key}'))
    assert caught.value.message == (
        "the store: no key that may sign bundles and has no date, expected at least one; "
        f"ben with {BEN.key.fingerprint}: has a date, which OpenSSH 8.1 and 8.2 refuse"
    )


@pytest.mark.parametrize(("name", "packer", "good"), [("anna", CARL, True), ("ben", BEN, True), ("ben", ANNA, False), ("rita", RITA, False)])  # fmt: skip
def test_ssh_keygen_verifies_with_an_export(tmp_path, name, packer, good):
    if not shutil.which("ssh-keygen"):
        pytest.skip("needs ssh-keygen as the outside judge, and it is not on PATH")
    lines, _ = export_lines(trust_by(SIGNED))
    (tmp_path / "allowed").write_text("".join(f"{line}\n" for line in lines))
    for namespace in (NAMESPACE, TRUST_FORMAT):
        (tmp_path / "sig").write_bytes(packer.sign(b"message", namespace=namespace))
        done = subprocess.run(
            ["ssh-keygen", "-Y", "verify", "-f", tmp_path / "allowed", "-I", name, "-n", namespace, "-s", tmp_path / "sig"],
            input=b"message", capture_output=True, check=False,
        )  # fmt: skip
        assert (done.returncode == 0) == (good and namespace == NAMESPACE), done.stderr
