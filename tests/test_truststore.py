"""Keys come into the trust store once, with their fingerprint checked by a person."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from softkeys import NAMESPACE, soft_key

from bundler.errors import HostFault, SignatureFault, UsageFault
from bundler.signing.trust import Signer, verify_signatures
from bundler.signing.trustload import load_trust
from bundler.signing.truststore import import_key, list_keys

ALICE, BOB = soft_key("nistp256"), soft_key("ed25519")


def signer(name, key):
    return Signer(principal=name, fingerprint=key.public.fingerprint, key_type=key.public.key_type)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "etc" / "uv-bundler" / "allowed_signers"


@pytest.fixture
def source(tmp_path):
    def write(*lines, name="packer.pub"):
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return write


def take(source, store, *keys, confirm=None):
    return import_key(source, store=store, expect=[key.public.fingerprint for key in keys], confirm=confirm)


def test_a_key_whose_fingerprint_is_expected_is_trusted_from_then_on(source, store):
    assert take(source(f"{BOB.public} bob@site"), store, BOB) == (signer("bob@site", BOB),)
    assert store.read_text() == f'bob@site namespaces="{NAMESPACE}" {BOB.public} bob@site\n'
    for named in (store, store.parent):
        trust = load_trust(named)
        assert verify_signatures(b"m", [BOB.sign(b"m")], trust=trust) == (signer("bob@site", BOB),)


def test_importing_again_changes_nothing(source, store):
    path = source(f"{BOB.public} bob")
    take(path, store, BOB)
    before = (store.read_bytes(), store.stat().st_mtime_ns)
    assert take(path, store, BOB) == ()
    assert (store.read_bytes(), store.stat().st_mtime_ns) == before


def test_a_second_key_is_added_below_and_what_was_there_stays_to_the_byte(source, store):
    take(source(f"{BOB.public} bob"), store, BOB)
    first = store.read_text() + "# a remark, without a line end"
    store.write_text(first)
    take(source(f"{ALICE.public} alice"), store, ALICE)
    assert store.read_text() == f'{first}\nalice namespaces="{NAMESPACE}" {ALICE.public} alice\n'
    assert list_keys(store) == (signer("bob", BOB), signer("alice", ALICE))


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_store_has_the_same_modes_under_any_umask(source, store, umask):
    path = source(f"{BOB.public} bob")
    before = os.umask(umask)
    try:
        take(path, store, BOB)
    finally:
        os.umask(before)
    places = (store, store.parent, store.parent.parent)
    assert [place.stat().st_mode & 0o777 for place in places] == [0o644, 0o755, 0o755]
    assert [entry.name for entry in store.parent.iterdir()] == ["allowed_signers"]


@pytest.mark.parametrize(
    ("comment", "principal"),
    [
        ("Jane Doe, plant 7", "Jane_Doe_plant_7"),
        ("*", "_"),
        ("!bob", "_bob"),
        ('"quoted"', "_quoted_"),
        ("# bob", "_bob"),
        ("Jürgen", "J_rgen"),
        ("ssh-rsa", BOB.public.fingerprint),
        ("", BOB.public.fingerprint),
    ],
)
def test_a_comment_becomes_a_principal_that_is_no_pattern(source, store, comment, principal):
    assert take(source(f"{BOB.public} {comment}"), store, BOB) == (signer(principal, BOB),)
    assert list_keys(store) == (signer(principal, BOB),)


def test_an_allowed_signers_file_is_imported_as_a_whole(source, store):
    path = source(
        f'alice,a@x namespaces="git,{NAMESPACE}",valid-before="20370101Z" {ALICE.public}',
        "# remark",
        f"bob {BOB.public} work",
        name="allowed_signers",
    )
    assert take(path, store, ALICE, BOB) == (signer("alice,a@x", ALICE), signer("bob", BOB))
    assert store.read_text() == (
        f'alice,a@x namespaces="{NAMESPACE}",valid-before="20370101000000Z" {ALICE.public}\n'
        f'bob namespaces="{NAMESPACE}" {BOB.public} work\n'
    )


def test_ssh_keygen_reads_the_store(source, store, tmp_path):
    if not shutil.which("ssh-keygen"):
        pytest.skip("needs ssh-keygen as the outside judge, and it is not on PATH")
    take(source(f"{BOB.public} packer@site"), store, BOB)
    (tmp_path / "sig").write_bytes(BOB.sign(b"message"))
    subprocess.run(
        [
            "ssh-keygen",
            "-Y",
            "verify",
            "-f",
            store,
            "-I",
            "packer@site",
            "-n",
            NAMESPACE,
            "-s",
            tmp_path / "sig",
        ],
        input=b"message",
        capture_output=True,
        check=True,
    )


# On the terminal.


def test_without_an_expected_fingerprint_the_person_is_asked_about_each_key(source, store):
    asked = []
    path = source(f"alice {ALICE.public}", f"bob {BOB.public}")
    added = take(path, store, confirm=lambda question: asked.append(question) or True)
    assert added == (signer("alice", ALICE), signer("bob", BOB))
    assert asked[1] == (
        f"{path}: key of bob (ssh-ed25519), fingerprint {BOB.public.fingerprint}: "
        "is that what its owner told you by another road?"
    )


def test_a_key_that_the_store_has_is_not_asked_about(source, store):
    path = source(f"{BOB.public} bob")
    take(path, store, BOB)
    assert take(path, store, confirm=None) == ()


def refused(kind, source, store, *keys, expect=None, confirm=None):
    before = store.read_bytes() if store.exists() else None
    with pytest.raises(kind) as caught:
        import_key(
            source,
            store=store,
            expect=expect if expect is not None else [key.public.fingerprint for key in keys],
            confirm=confirm,
        )
    assert (store.read_bytes() if store.exists() else None) == before
    assert caught.value.hint
    return caught.value.message


def test_a_no_imports_nothing_of_the_file(source, store):
    path = source(f"alice {ALICE.public}", f"bob {BOB.public}")
    answers = iter([True, False])
    message = refused(SignatureFault, path, store, confirm=lambda _: next(answers))
    assert message == f"{path}: {BOB.public.fingerprint} was not confirmed; nothing was imported"
    assert not store.parent.exists()


def test_without_a_terminal_and_a_fingerprint_nothing_is_imported(source, store):
    path = source(f"{BOB.public} bob")
    assert refused(UsageFault, path, store) == (
        f"{path}: {BOB.public.fingerprint} must be checked by a person, and there is no terminal"
    )


def test_another_fingerprint_is_refused_without_asking(source, store):
    path = source(f"{BOB.public} bob")
    message = refused(SignatureFault, path, store, ALICE, confirm=lambda _: True)
    assert message == f"{path}: holds {BOB.public.fingerprint}, expected {ALICE.public.fingerprint}"


@pytest.mark.parametrize("expected", [(ALICE,), (BOB,)])
def test_every_key_of_a_file_must_be_expected(source, store, expected):
    path = source(f"alice {ALICE.public}", f"bob {BOB.public}")
    assert refused(SignatureFault, path, store, *expected).startswith(f"{path}: holds SHA256:")


def test_an_expected_key_that_is_not_in_the_file_is_missed(source, store):
    path = source(f"alice {ALICE.public}")
    assert refused(SignatureFault, path, store, ALICE, BOB).startswith(
        f"{path}: holds {ALICE.public.fingerprint}, expected SHA256:"
    )


@pytest.mark.parametrize("text", ["", "SHA256:short", "MD5:00:11", "SHA256:" + "A" * 44])
def test_an_expectation_that_is_no_fingerprint_is_a_usage_fault(source, store, text):
    assert refused(UsageFault, source(f"{BOB.public}"), store, expect=[text]) == (
        f"--expect: {text!r}, expected a fingerprint: SHA256: and 43 characters"
    )


def test_a_key_for_another_namespace_is_refused(source, store):
    path = source(f'bob namespaces="git" {BOB.public}')
    assert refused(UsageFault, path, store, BOB) == (
        f'{path}:1: for namespaces="git", expected a key for {NAMESPACE}'
    )


def test_a_key_twice_in_one_file_is_refused(source, store):
    path = source(f"bob {BOB.public}", f"robert {BOB.public}")
    assert refused(UsageFault, path, store, BOB) == (
        f"{path}:2: {BOB.public.fingerprint} for the second time, expected each key once"
    )


def test_a_key_that_the_store_has_under_another_name_is_refused(source, store):
    take(source(f"{BOB.public} bob"), store, BOB)
    assert refused(UsageFault, source(f"{BOB.public} mallory"), store, BOB) == (
        f"{store}:1: has {BOB.public.fingerprint} with another name, namespace or date"
    )


def test_a_store_that_is_a_bare_key_is_left_alone(source, store):
    store.parent.mkdir(parents=True, mode=0o755)
    store.write_text(f"{BOB.public}\n")
    store.chmod(0o644)
    assert refused(UsageFault, source(f"{ALICE.public} alice"), store, ALICE) == (
        f"{store}: holds lines that no key can be added to, expected an allowed_signers file"
    )


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
def test_a_store_that_others_can_write_is_refused(source, store):
    take(source(f"{BOB.public} bob"), store, BOB)
    for place, mode in ((store, 0o666), (store.parent, 0o777)):
        place.chmod(mode)
        assert "lets others write the trust store" in refused(
            SignatureFault, source(f"{ALICE.public} alice"), store, ALICE
        )
        place.chmod(mode & 0o755)
    take(source(f"{ALICE.public} alice"), store, ALICE)


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
def test_a_new_store_is_not_made_below_a_folder_that_others_can_write(source, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    assert "lets others write" in refused(
        SignatureFault, source(f"{BOB.public} bob"), shared / "allowed_signers", BOB
    )


def test_a_store_whose_folder_is_a_file_is_a_host_fault(source, tmp_path):
    (tmp_path / "file").write_text("")
    store = tmp_path / "file" / "allowed_signers"
    with pytest.raises(HostFault):
        take(source(f"{BOB.public} bob"), store, BOB)


def test_listing_a_store_that_is_not_there_tells_how_to_make_one(store):
    store.parent.mkdir(parents=True)
    with pytest.raises(SignatureFault, match="expected a trust store"):
        list_keys(store.parent)
