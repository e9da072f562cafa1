"""Private keys in files for the tests of signing, and what signing with one must give."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from softkeys import NAMESPACE

from bundler.signing.signer import open_signing_key
from bundler.signing.sshsig import verify_sshsig

MESSAGE = b"the index"
FORMS = {
    "openssh": PrivateFormat.OpenSSH,
    "pkcs8": PrivateFormat.PKCS8,
    "traditional": PrivateFormat.TraditionalOpenSSL,
}


def write(path, data):
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def key_file(path, private, *, form="openssh", passphrase=None):
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return write(path, private.private_bytes(Encoding.PEM, FORMS[form], encryption))


def signs_as(key, path, *, ask=None):
    opened = open_signing_key(path, ask=ask)
    assert opened.public == key
    armored = opened.sign(MESSAGE, namespace=NAMESPACE)
    assert verify_sshsig(armored, MESSAGE, namespace=NAMESPACE) == key


def refused(kind, path, *, ask=None):
    with pytest.raises(kind) as caught:
        open_signing_key(path, ask=ask)
    assert caught.value.hint
    return caught.value.message
