"""Where trust comes from: files that a person names, and the guarded store of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from bundles import Packer, make_document
from softkeys import NAMESPACE

from bundler.errors import HostFault, SignatureFault, UsageFault
from bundler.signing import trustload
from bundler.signing.trust import verify_signatures
from bundler.signing.trustdoc import TRUST_FORMAT
from bundler.signing.trustload import (
    load_trust,
    read_store_document,
    signature_places,
    signed_document,
    store_folder,
    store_to_read,
    trust_path_to_read,
)

ANNA, BEN, EVE = Packer(1), Packer(2), Packer(3)
DOCUMENT = make_document(3, people={"anna": ANNA, "ben": BEN}, root=2, release=2)
MESSAGE = b"{}\n"


def put(path, data, *, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    path.chmod(mode)
    return path


def put_document(path, signed=DOCUMENT, *, many=None):
    put(path, signed.raw)
    for place, data in zip(signature_places(path), signed.signatures[:many], strict=False):
        put(place, data)
    return path


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "etc" / "uv-bundler"
    put(folder / "trust.json", DOCUMENT.raw)
    return folder


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with a store of this user and one of the machine, in folders of the test."""
    own, system = tmp_path / "own" / "allowed_signers", tmp_path / "system" / "allowed_signers"
    monkeypatch.setattr(trustload, "default_trust_path", lambda: own)
    monkeypatch.setattr(trustload, "_SYSTEM_STORE", system)
    return own, system


def refusal(path, kind=SignatureFault):
    with pytest.raises(kind) as caught:
        load_trust(path)
    assert caught.value.hint
    return caught.value.message


def test_a_store_with_a_document_needs_no_signatures_because_it_is_guarded(store):
    trust = load_trust(store)
    assert (trust.document.title, trust.threshold, trust.store) == ("plant-7 version 3", 2, store)
    assert trust.source == str(store / "trust.json")
    signatures = [ANNA.sign(MESSAGE), BEN.sign(MESSAGE)]
    assert len(verify_signatures(MESSAGE, signatures, trust=trust)) == 2


def test_a_document_wins_over_the_keys_beside_it(store):
    put(store / "allowed_signers", f"eve {EVE.key}\n")
    trust = load_trust(store)
    assert {rule.principals for rule in trust.rules} == {"anna", "ben"}
    with pytest.raises(SignatureFault):
        verify_signatures(MESSAGE, [EVE.sign(MESSAGE)], trust=trust)


def test_the_store_of_this_machine_is_its_folder(machine):
    own, system = machine
    put(own, f"eve {EVE.key}\n")
    assert (load_trust(own).document, load_trust(own).store) == (None, own.parent)
    put(own.with_name("trust.json"), DOCUMENT.raw)
    for named in (own, own.parent, own.with_name("trust.json")):
        assert load_trust(named).document.version == 3
    assert trust_path_to_read() == own
    own.unlink()
    put(system, f"eve {EVE.key}\n")
    assert trust_path_to_read() == own, "a store with only a document is a store"
    own.with_name("trust.json").unlink()
    assert trust_path_to_read() == system
    system.rename(system.with_name("trust.json"))
    assert trust_path_to_read() == system


def test_a_named_document_needs_its_signatures_beside_it(tmp_path):
    path = put_document(tmp_path / "site" / "plant.json")
    trust = load_trust(path)
    assert (trust.document.version, trust.store, trust.source) == (3, None, str(path))
    put_document(tmp_path / "half.json", many=1)
    assert refusal(tmp_path / "half.json") == (
        f"{tmp_path}/half.json: signed by 1 of 2 people, expected 2 with the role root in {tmp_path}/half.json "
        f"(plant-7 version 3); anna with {ANNA.key.fingerprint} has signed; still missing: 1 of ben"
    )


def test_signatures_are_found_with_gaps_between_them(tmp_path):
    path = put(tmp_path / "t.json", DOCUMENT.raw)
    put(tmp_path / "t.json.3.sig", DOCUMENT.signatures[1])
    put(tmp_path / "t.json.15.sig", DOCUMENT.signatures[0])
    put(tmp_path / "t.json.16.sig", b"one too many")
    signed = signed_document(path, DOCUMENT.raw)
    assert (signed.number, signed.signatures) == (3, DOCUMENT.signatures[::-1])
    assert len(list(signature_places(path))) == 16


def test_of_a_huge_signature_no_more_than_its_limit_is_read(tmp_path):
    path = put(tmp_path / "t.json", DOCUMENT.raw)
    put(tmp_path / "t.json.sig", b"x" * 100_000)
    assert [len(one) for one in signed_document(path, DOCUMENT.raw).signatures] == [(16 << 10) + 1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"version": 0}', "version: expected 1 to 2147483647, found 0"),
        (b'{"version": 3', "line 1 column 14: Expecting ',' delimiter"),
        (b"{}", "version: expected a whole number, found nothing"),
    ],
)
def test_a_named_document_that_is_none_is_a_usage_fault(tmp_path, data, message):
    assert refusal(put(tmp_path / "t.json", data), UsageFault) == f"{tmp_path}/t.json: {message}"


def test_a_store_s_document_that_is_none_is_a_usage_fault(store):
    put(store / "trust.json", DOCUMENT.raw.replace(b'"root": 2', b'"root": 3'))
    with pytest.raises(UsageFault) as caught:
        load_trust(store)
    assert caught.value.message == (
        f"{store}/trust.json: thresholds.root: expected at most 2, which is how many people have the role, found 3"
    )
    assert "move it away and import it anew" in caught.value.hint


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
@pytest.mark.parametrize("name", ["trust.json", "revoked_keys", "allowed_signers"])
def test_each_file_of_a_store_must_be_guarded(tmp_path, name):
    put(tmp_path / "allowed_signers", f"eve {EVE.key}\n")
    if name == "trust.json":
        put(tmp_path / name, DOCUMENT.raw)
    if name == "revoked_keys":
        put(tmp_path / name, f"{BEN.key.fingerprint} lost\n")
    load_trust(tmp_path)
    (tmp_path / name).chmod(0o664)
    assert refusal(tmp_path) == (
        f"{tmp_path}/{name}: mode 0664 lets others write the trust store, expected that only its owner can"
    )
    (tmp_path / name).rename(tmp_path / "elsewhere")
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    assert "a symbolic link, expected a trust store that is a file of its own" in refusal(tmp_path)


def test_a_dangling_link_is_no_missing_document(tmp_path):
    put(tmp_path / "allowed_signers", f"eve {EVE.key}\n")
    (tmp_path / "trust.json").symlink_to(tmp_path / "nowhere")
    assert "a symbolic link" in refusal(tmp_path)


def test_what_this_machine_revokes_holds_whatever_is_named(tmp_path, machine):
    own, system = machine
    put(own.with_name("revoked_keys"), f"{EVE.key.fingerprint} own list\n")
    put(system.with_name("revoked_keys"), f"{BEN.key.fingerprint} list of the machine\n")
    key = put(tmp_path / "eve.pub", f"{EVE.key} eve\n")
    put(tmp_path / "store" / "allowed_signers", f"eve {EVE.key}\nanna {ANNA.key}\n")
    put(tmp_path / "store" / "revoked_keys", f"{ANNA.key.fingerprint} list of that store\n")
    named = put_document(tmp_path / "t.json", make_document(1, people={"eve": EVE, "ben": BEN, "anna": ANNA}))
    for path, packer, why in (
        (key, EVE, "own list"),
        (tmp_path / "store", EVE, "own list"),
        (tmp_path / "store", ANNA, "list of that store"),
        (named, BEN, "list of the machine"),
    ):
        with pytest.raises(SignatureFault, match=f"its key is revoked: {why}"):
            verify_signatures(MESSAGE, [packer.sign(MESSAGE)], trust=load_trust(path))


def test_a_broken_list_of_revoked_keys_stops_everything(tmp_path, machine):
    own, _ = machine
    put(own.with_name("revoked_keys"), "SHA256:typo lost\n")
    key = put(tmp_path / "eve.pub", f"{EVE.key} eve\n")
    assert refusal(key, UsageFault) == (
        f"{own.parent}/revoked_keys:1: expected a fingerprint: SHA256: and 43 characters, found 'SHA256:typo'"
    )


def test_an_empty_store_tells_how_to_fill_it(machine):
    own, system = machine
    with pytest.raises(SignatureFault) as caught:
        load_trust(own)
    assert caught.value.message == f"{own}: no such trust store, expected the keys that this machine trusts"
    assert "trust import KEY.pub --expect FINGERPRINT" in caught.value.hint
    assert "trust.json" in caught.value.hint
    assert caught.value.hint.endswith("; or say --trust KEY.pub")
    put(system.with_name("trust.json"), DOCUMENT.raw)
    with pytest.raises(SignatureFault) as caught:
        load_trust(own)
    assert caught.value.hint.endswith(f"; or say --trust {system.parent}")


def test_a_named_folder_that_is_no_store_is_told_as_that(tmp_path, machine):
    assert machine
    with pytest.raises(SignatureFault) as caught:
        load_trust(tmp_path)
    assert caught.value.message == (
        f"{tmp_path}: neither trust.json nor allowed_signers in it, expected a trust store"
    )
    assert "name a file in it" in caught.value.hint
    assert f"uv-bundler trust import FILE --store {tmp_path}" in caught.value.hint


def test_a_store_without_a_document_has_none(tmp_path):
    assert read_store_document(tmp_path) is None


def test_which_folder_a_store_is(tmp_path, machine):
    own, _ = machine
    assert store_folder(own) == own.parent
    assert store_folder(tmp_path) == tmp_path
    assert store_folder(tmp_path / "allowed_signers") == tmp_path
    assert store_folder(tmp_path / "trust.json") == tmp_path
    assert store_folder(tmp_path / "new") == tmp_path / "new"
    keys = put(tmp_path / "a" / "allowed_signers", "x")
    assert store_to_read(keys) == keys
    put(tmp_path / "a" / "trust.json", DOCUMENT.raw)
    assert store_to_read(keys) == keys.parent


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom modes stop")
def test_a_store_that_cannot_be_read_is_a_host_fault(store):
    (store / "trust.json").chmod(0)
    refusal(store, HostFault)


def test_ssh_keygen_verifies_the_signatures_of_a_document_and_we_verify_its_own(tmp_path):
    if not shutil.which("ssh-keygen"):
        pytest.skip("needs ssh-keygen as the outside judge, and it is not on PATH")
    key = tmp_path / "anna"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key], check=True)
    from bundler.signing.publickey import PublicKey

    person = Packer(1)
    person.key = PublicKey.parse((tmp_path / "anna.pub").read_text())
    path = put_document(
        tmp_path / "trust.json", make_document(1, people={"anna": person, "ben": BEN}, by=[BEN])
    )
    # Ours, judged by ssh-keygen.
    allowed = put(tmp_path / "allowed", f'ben namespaces="{TRUST_FORMAT}" {BEN.key}\n')
    verify = ["ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "ben", "-s", f"{path}.sig", "-n"]
    subprocess.run([*verify, TRUST_FORMAT], input=path.read_bytes(), capture_output=True, check=True)
    other = subprocess.run([*verify, NAMESPACE], input=path.read_bytes(), capture_output=True, check=False)
    assert other.returncode != 0, "a document's signature is none for bundles"
    # Its own, judged by us.
    (tmp_path / "trust.json.sig").unlink()
    assert "signed by 0 of 1 person" in refusal(path)
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", TRUST_FORMAT, path], check=True)
    assert load_trust(path).document.version == 1
