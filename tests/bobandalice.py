"""Keys that a store trusts and one that it does not, and what their signatures come to."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from softkeys import soft_key

from bundler.errors import SignatureFault
from bundler.signing.trust import Signer, Trust, verify_signatures
from bundler.signing.trustfile import parse_rules

MESSAGE = b'{"format": "uv-bundler.index.v1"}\n'
ALICE, BOB, MALLORY = soft_key("nistp256"), soft_key("ed25519"), soft_key("ed25519", 1)
TOKEN = soft_key("sk-ed25519")
NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
COPY = "copy the bundle from its source again and compare `sha256sum` on both sides"


def trusting(*lines):
    return Trust(rules=parse_rules("".join(f"{line}\n" for line in lines).encode()), source="the store")


BOTH = trusting(f"alice {ALICE.public}", f"bob {BOB.public}", f"token {TOKEN.public}")


def signer(name, key):
    return Signer(principal=name, fingerprint=key.public.fingerprint, key_type=key.public.key_type)


def refusal(signatures, *, trust=BOTH, message=MESSAGE, **options):
    with pytest.raises(SignatureFault) as caught:
        verify_signatures(message, signatures, trust=trust, now=NOW, **options)
    return caught.value
