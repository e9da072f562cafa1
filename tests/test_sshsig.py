"""SSHSIG: read more strictly than ssh-keygen does, and any bent byte is a fault."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from softkeys import KINDS, NAMESPACE, soft_key, sshsig_blob

from bundler.core.fault import Fault
from bundler.signing.sshsig import Sshsig, armor, claimed_key, dearmor, verify_sshsig

BEGIN, END = "-----BEGIN SSH SIGNATURE-----\n", "-----END SSH SIGNATURE-----\n"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hash_name", ["sha256", "sha512"])
def test_a_signature_names_the_key_that_made_it(kind, hash_name):
    key = soft_key(kind)
    armored = key.sign(b"message", hash_name=hash_name)
    assert verify_sshsig(armored, b"message", namespace=NAMESPACE) == key.public
    assert claimed_key(armored) == key.public
    for message, namespace in ((b"massage", NAMESPACE), (b"message", "git")):
        with pytest.raises(Fault):
            verify_sshsig(armored, message, namespace=namespace)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_parsed_is_written_back_as_it_was(kind):
    blob = dearmor(soft_key(kind).sign(b"message"))
    assert Sshsig.parse(blob).to_blob() == blob


@given(st.binary(min_size=1, max_size=400))
def test_armor_is_undone_by_dearmor_and_is_70_columns_wide(blob):
    armored = armor(blob)
    assert dearmor(armored) == blob
    lines = armored.decode().split("\n")
    assert lines[-1] == ""
    assert all(len(line) == 70 for line in lines[1:-3])


@pytest.mark.parametrize("width", [1, 64, 76])
def test_lines_of_other_widths_are_read(width):
    body = "".join(armor(b"x" * 100).decode().split("\n")[1:-2])
    lines = "".join(body[at : at + width] + "\n" for at in range(0, len(body), width))
    assert dearmor((BEGIN + lines + END).encode()) == b"x" * 100


BODY = armor(b"SSHSIG-like content that is long enough for two lines of base64 here").decode()
REFUSED_ARMOR = [
    (b"", "expected -----BEGIN SSH SIGNATURE----- as the first line, found ''"),
    (b"\xff\xfe", "expected an armored SSH signature, found binary content"),
    (
        ("\n" + BODY).encode(),
        "expected -----BEGIN SSH SIGNATURE----- as the first line, found ''",
    ),
    (BODY.encode() + b"\n", "expected -----END SSH SIGNATURE----- as the last line"),
    (BODY.encode() + b"more\n", "expected -----END SSH SIGNATURE----- as the last line"),
    (BODY.encode()[:-1], "expected -----END SSH SIGNATURE----- as the last line"),
    ((BEGIN + END).encode(), "expected -----END SSH SIGNATURE----- as the last line"),
    (
        BODY.replace("\n", "\r\n").encode(),
        "expected LF line ends, found CR: something converted the signature on its way",
    ),
    ((BEGIN + "\n" + END).encode(), "line 2: expected 1 to 76 characters of base64, found ''"),
    ((BEGIN + "AA A\n" + END).encode(), "line 2: expected 1 to 76 characters of base64, found 'AA A'"),
    (
        (BEGIN + "A" * 80 + "\n" + END).encode(),
        "line 2: expected 1 to 76 characters of base64, found '" + "A" * 40 + "'",
    ),
    ((BEGIN + "AAB=\n" + END).encode(), "expected base64 in its one form, found stray bits at its end"),
    ((BEGIN + "AA==\nAAAA\n" + END).encode(), "expected base64, found other characters or a wrong length"),
    ((BEGIN + "AAA\n" + END).encode(), "expected base64, found other characters or a wrong length"),
    (b"x" * 16385, "expected a signature of at most 16384 bytes, found 16385"),
]


@pytest.mark.parametrize(("armored", "message"), REFUSED_ARMOR, ids=range(len(REFUSED_ARMOR)))
def test_anything_around_or_inside_the_armor_is_refused(armored, message):
    with pytest.raises(Fault) as caught:
        dearmor(armored)
    assert caught.value.message == message


def bent_blob(**bent):
    key = soft_key("ed25519")
    fields = {"key": key.public.blob, "namespace": NAMESPACE, "hash_name": "sha512", "signature": b"s"}
    return sshsig_blob(**{**fields, **bent})


REFUSED_BLOBS = [
    (b"SSHSI", "magic: expected 6 bytes, found 5"),
    (bent_blob(magic=b"SSHGIS"), "expected a signature beginning with SSHSIG"),
    (bent_blob(version=0), "expected SSHSIG version 1, found 0"),
    (bent_blob(version=2), "expected SSHSIG version 1, found 2"),
    (bent_blob(namespace=""), "expected a namespace, found none"),
    (bent_blob(namespace="a\nb"), "namespace: expected printable ASCII, found b'a\\nb'"),
    (bent_blob(reserved=b"x"), "expected an empty field 'reserved', found content"),
    (bent_blob(hash_name="sha1"), "expected the hash sha256 or sha512, found sha1"),
    (bent_blob(hash_name="sha384"), "expected the hash sha256 or sha512, found sha384"),
    (bent_blob() + b"\0", "SSHSIG: expected its end, found 1 more bytes"),
    (
        bent_blob(key=b"\0\0\0\x07ssh-dss"),
        (
            "key SHA256:CHr4h+K6QN5JMQs8T+Ba7/mYGAj8ihYnmHsQE/dUa2k: "
            "expected a key that can still be trusted, found DSA (ssh-dss)"
        ),
    ),
]


@pytest.mark.parametrize(("blob", "message"), REFUSED_BLOBS, ids=range(len(REFUSED_BLOBS)))
def test_a_blob_with_a_bent_field_is_refused(blob, message):
    with pytest.raises(Fault) as caught:
        Sshsig.parse(blob)
    assert caught.value.message == message


def test_every_flipped_bit_of_an_armored_signature_is_refused():
    armored = soft_key("ed25519").sign(b"message")
    for place in range(len(armored) * 8):
        bent = bytearray(armored)
        bent[place // 8] ^= 1 << place % 8
        with pytest.raises(Fault):
            verify_sshsig(bytes(bent), b"message", namespace=NAMESPACE)


@pytest.mark.parametrize("kind", KINDS)
@given(place=st.integers(0, 2**16))
def test_a_flipped_bit_in_any_kind_of_signature_is_refused(kind, place):
    blob = bytearray(dearmor(soft_key(kind).sign(b"message")))
    blob[place // 8 % len(blob)] ^= 1 << place % 8
    with pytest.raises(Fault):
        verify_sshsig(armor(bytes(blob)), b"message", namespace=NAMESPACE)


def test_a_signature_cut_at_any_length_is_refused():
    armored = soft_key("nistp256").sign(b"message")
    for length in range(len(armored)):
        with pytest.raises(Fault):
            verify_sshsig(armored[:length], b"message", namespace=NAMESPACE)


@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_a_fault(data):
    for attempt in (lambda: Sshsig.parse(b"SSHSIG\0\0\0\1" + data), lambda: dearmor(data)):
        with pytest.raises(Fault):
            attempt()


def test_verifying_imports_nothing_that_talks_to_a_network():
    key = soft_key("nistp256")
    program = (
        "import sys\n"
        "from bundler.signing import truststore\n"
        "from bundler.signing.trust import Trust, verify_signatures\n"
        "from bundler.signing.trustfile import parse_rules\n"
        "trust = Trust(rules=parse_rules(sys.argv[1].encode()), source='argv')\n"
        "assert verify_signatures(b'message', [sys.argv[2].encode()], trust=trust)\n"
        "bad = {'socket', '_socket', 'ssl', 'http', 'urllib.request', 'requests', 'yaml',"
        " 'asyncio', 'bundler.signing.agent', 'bundler.signing.signer'} & set(sys.modules)\n"
        "print(*sorted(bad))"
    )
    arguments = [sys.executable, "-c", program, str(key.public), key.sign(b"message").decode()]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
