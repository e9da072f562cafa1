"""Trust documents: what is read back is what was written, and what contradicts itself is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from bundles import Packer, make_document
from hypothesis import given, settings
from hypothesis import strategies as st
from softkeys import soft_key

from bundler.core import strictjson
from bundler.core.fault import Fault
from bundler.signing import wire
from bundler.signing.publickey import PublicKey
from bundler.signing.schemes import KEY_TYPES
from bundler.signing.trustdoc import (
    EXPIRY,
    FIRST_INSTALL,
    MAX_DOCUMENT_BYTES,
    Person,
    Policy,
    TrustDocument,
    claimed_version,
    parse_document,
)

ANNA, BEN, CARL = Packer(1), Packer(2), Packer(3)
LOST = Packer(9).key.fingerprint
GOOD = json.loads(
    make_document(
        3, people={"anna": ANNA, "ben": (BEN, CARL)}, root=2, release=1, revoked={LOST: "laptop lost"}
    ).raw
)


def changed(path, value):
    """Return the good document with one value replaced; `...` takes the key out."""
    document = json.loads(json.dumps(GOOD))
    place = document
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


def parsed(document):
    return parse_document(strictjson.dump(document))


def refusal(document):
    with pytest.raises(Fault) as caught:
        parsed(document)
    return str(caught.value)


def twin(kind, change):
    """Return the line of a key whose fields are those of the soft key of that kind, but for `change`."""
    reader = wire.Reader(soft_key(kind).public.blob)
    name, fields = reader.text("type"), []
    while rest := reader.rest():
        reader = wire.Reader(rest)
        fields.append(reader.string("field"))
    name, fields = change(name, fields)
    return str(PublicKey(wire.text(name) + b"".join(map(wire.string, fields))))


P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
TWINS = {  # one secret, or its negative, signs for both
    "an Ed25519 key, and as a security key's": (
        "ed25519", lambda _, own: ("sk-ssh-ed25519@openssh.com", [*own, b"ssh:"]),
    ),
    "a security key, and under another application": (
        "sk-ed25519", lambda name, own: (name, [own[0], b"ssh:other"]),
    ),
    "an ECDSA key, and as a security key's": (
        "nistp256", lambda name, own: (f"sk-{name}@openssh.com", [*own, b"ssh:"]),
    ),
    "an RSA key, and with another exponent": (
        "rsa", lambda name, own: (name, [b"\x01\x01", own[1]]),
    ),
    "an Ed25519 key, and its negative": (
        "ed25519", lambda name, own: (name, [own[0][:31] + bytes([own[0][31] ^ 0x80])]),
    ),
    "an ECDSA key, and its negative": (
        "nistp256",
        lambda name, own: (
            name, [own[0], own[1][:33] + (P256 - int.from_bytes(own[1][33:], "big")).to_bytes(32, "big")]
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "change"), TWINS.values(), ids=TWINS)
def test_one_secret_under_two_keys_is_not_two_people(kind, change):
    document = changed(["algorithms"], list(KEY_TYPES))
    for person, line in (("dora", str(soft_key(kind).public)), ("emil", twin(kind, change))):
        document["signers"][person] = {"keys": [" ".join(line.split(" ")[:2])], "roles": ["root"]}
    assert refusal(document) == "signers.emil.keys[0]: expected each key once, found it with dora too"
    document["signers"]["emil"]["keys"] = [str(PublicKey(soft_key(kind, 7).public.blob))]
    assert parsed(document).people("root")


def test_a_document_is_read_field_by_field():
    document = parsed(GOOD)
    assert (document.title, document.created, document.expires) == ("plant-7 version 3", "2026-11-01T00:00:00Z", None)  # fmt: skip
    assert [(one.name, one.keys, one.roles) for one in document.signers] == [
        ("anna", (ANNA.key,), ("root", "release")),
        ("ben", (BEN.key, CARL.key), ("root", "release")),
    ]
    assert (document.threshold("root"), document.threshold("release")) == (2, 1)
    assert document.revoked == ((LOST, "laptop lost"),)
    assert document.policy == Policy(expiry="warn", first_install="any")


def test_people_are_told_by_their_role():
    document = parsed(
        changed(["signers", "ben", "roles"], ["release"]) | {"thresholds": {"root": 1, "release": 2}}
    )
    assert [one.name for one in document.people("root")] == ["anna"]
    assert [one.name for one in document.people("release")] == ["anna", "ben"]


REFUSED = [
    (["format"], "uv-bundler.trust.v2", "format: expected one of uv-bundler.trust.v1; found 'uv-bundler.trust.v2'"),
    (["format"], ..., "format: missing, but required"),
    (["expires"], ..., "expires: missing, but required"),
    (["versoin"], 3, "versoin: unknown key, expected one of format, name, version, created, expires, algorithms, signers, thresholds, revoked, policy"),
    (["name"], "Plant 7", "name: expected a name of a-z, 0-9 and -, at most 40 characters, found the string 'Plant 7'"),
    (["version"], 0, "version: expected 1 to 2147483647, found 0"),
    (["version"], 2**31, "version: expected 1 to 2147483647, found 2147483648"),
    (["version"], True, "version: expected a whole number, found the truth value true"),
    (["created"], "2026-02-30T00:00:00Z", "created: expected a UTC time, YYYY-MM-DDThh:mm:ssZ, found '2026-02-30T00:00:00Z'"),
    (["created"], "2026-02-03T24:00:00Z", "created: expected a UTC time, YYYY-MM-DDThh:mm:ssZ, found '2026-02-03T24:00:00Z'"),
    (["created"], "٢026-02-03T00:00:00Z", "created: expected a UTC time, YYYY-MM-DDThh:mm:ssZ, found '٢026-02-03T00:00:00Z'"),
    (["created"], None, "created: expected a UTC time, found nothing"),
    (["expires"], "2026-11-01T00:00:00Z", "expires: expected a time later than created, 2026-11-01T00:00:00Z"),
    (["expires"], "2025-11-01T00:00:00Z", "expires: expected a time later than created, 2026-11-01T00:00:00Z"),
    (["expires"], 7, "expires: expected a UTC time or null, found the number 7"),
    (["algorithms"], [], "algorithms: expected 1 to 7 items, found 0"),
    (["algorithms"], ["ssh-dss"], f"algorithms[0]: expected one of {', '.join(KEY_TYPES)}; found 'ssh-dss'"),
    (["algorithms"], ["ssh-ed25519", "ssh-ed25519"], "algorithms[1]: expected each once, found ssh-ed25519 twice"),
    (["algorithms"], ["ecdsa-sha2-nistp256"], "signers.anna.keys[0]: expected one of algorithms, found ssh-ed25519"),
    (["signers"], {}, "signers: expected 1 to 64 entries, found 0"),
    (["signers", "anna b"], GOOD["signers"]["anna"], "signers: expected a name of letters, digits and ._@+-, found the string 'anna b'"),
    (["signers", "-anna"], GOOD["signers"]["anna"], "signers: expected a name of letters, digits and ._@+-, found the string '-anna'"),
    (["signers", "a" * 65], GOOD["signers"]["anna"], "signers: expected at most 64 characters, found 65"),
    (["signers", "Anna"], {"keys": [str(CARL.key)], "roles": ["root"]}, "signers.anna: expected names that differ also when case is ignored, found Anna too"),
    (["signers", "carl"], {"keys": [str(ANNA.key)], "roles": ["root"]}, "signers.carl.keys[0]: expected each key once, found it with anna too"),
    (["signers", "ben", "keys"], [str(BEN.key)] * 2, "signers.ben.keys[1]: expected each key once, found it with ben too"),
    (["signers", "ben", "keys"], [], "signers.ben.keys: expected 1 to 8 items, found 0"),
    (["signers", "ben", "keys"], [str(Packer(seed).key) for seed in range(20, 29)], "signers.ben.keys: expected 1 to 8 items, found 9"),
    (["signers", "ben", "keys", 0], f"{BEN.key} ben@site", "signers.ben.keys[0]: expected a key as TYPE BASE64, without a comment"),
    (["signers", "ben", "keys", 0], f" {BEN.key}", "signers.ben.keys[0]: expected a key as TYPE BASE64, without a comment"),
    (["signers", "ben", "keys", 0], "ssh-ed25519 AAAA", "signers.ben.keys[0]: length of key type: expected 4 bytes, found 3"),
    (["signers", "ben", "roles"], [], "signers.ben.roles: expected 1 to 2 items, found 0"),
    (["signers", "ben", "roles"], ["release", "release"], "signers.ben.roles[1]: expected each once, found release twice"),
    (["signers", "ben", "roles"], ["rooot"], "signers.ben.roles[0]: expected one of root, release; found 'rooot'"),
    (["thresholds", "root"], 0, "thresholds.root: expected 1 to 64, found 0"),
    (["thresholds", "root"], 3, "thresholds.root: expected at most 2, which is how many people have the role, found 3"),
    (["thresholds", "release"], 3, "thresholds.release: expected at most 2, which is how many people have the role, found 3"),
    (["thresholds", "release"], ..., "thresholds.release: missing, but required"),
    (["revoked", BEN.key.fingerprint], "stolen", f"signers.ben.keys[0]: {BEN.key.fingerprint} is revoked too, expected a key that counts"),
    (["revoked", "SHA256:short"], "x", "revoked: expected a fingerprint: SHA256: and 43 characters, found 'SHA256:short'"),
    (["revoked", f"{LOST[:-1]}B"], "x", f"revoked: expected a fingerprint: SHA256: and 43 characters, found '{LOST[:-1]}B'"),
    (["revoked", LOST], "", f"revoked.{LOST}: expected a reason, found the string ''"),
    (["revoked", LOST], "x" * 201, f"revoked.{LOST}: expected at most 200 characters, found 201"),
    (["policy", "expiry"], "ignore", "policy.expiry: expected one of warn, enforce; found 'ignore'"),
    (["policy", "first_install"], "never", "policy.first_install: expected one of any, expected; found 'never'"),
    (["policy", "grace"], 3, "policy.grace: unknown key, expected one of expiry, first_install"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_the_format_does_not_allow_is_refused_with_its_place(path, value, message):
    parsed(GOOD)
    assert refusal(changed(path, value)) == message


def test_a_small_order_key_is_nobody_s():
    raw = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + b"\x01" + b"\0" * 31
    import base64

    line = f"ssh-ed25519 {base64.b64encode(raw).decode()}"
    assert "for which anybody can sign" in refusal(changed(["signers", "ben", "keys", 0], line))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xef\xbb\xbf{}", "expected UTF-8 without a byte order mark"),
        (b"[]", "expected a mapping, found a list of 0"),
        (b'{"version": 1, "version": 1}', "the key 'version' stands twice in one object"),
        (b" " * (MAX_DOCUMENT_BYTES + 1), f"expected at most {MAX_DOCUMENT_BYTES} bytes, found {MAX_DOCUMENT_BYTES + 1}"),
    ],
)  # fmt: skip
def test_what_is_no_such_json_is_refused(data, message):
    with pytest.raises(Fault) as caught:
        parse_document(data)
    assert str(caught.value) == message


def test_too_many_revoked_keys_are_refused():
    import base64
    import hashlib

    prints = {
        "SHA256:" + base64.b64encode(hashlib.sha256(bytes([one // 256, one % 256])).digest()).decode().rstrip("="): "x"
        for one in range(1001)
    }  # fmt: skip
    assert refusal(changed(["revoked"], prints)) == "revoked: expected 0 to 1000 entries, found 1001"
    prints.popitem()
    assert len(parsed(changed(["revoked"], prints)).revoked) == 1000


def test_the_largest_document_that_the_format_promises_fits():
    rsa = "ssh-rsa " + "A" * 716  # what a key of RSA-4096 takes
    assert 300 * (len(rsa) + 20) < MAX_DOCUMENT_BYTES


def test_the_version_that_a_document_claims_is_read_without_the_rest():
    assert claimed_version(b'{"version": 7, "anything": []}') == 7
    for data in (b"{}", b"[7]", b'{"version": "7"}', b'{"version": 0}', b"no"):
        with pytest.raises(Fault):
            claimed_version(data)


KEYS = [PublicKey(soft_key(kind, number).public.blob) for kind in ("ed25519", "nistp256", "sk-ed25519") for number in range(4)]  # fmt: skip
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,10}", fullmatch=True)


@st.composite
def documents(draw):
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique_by=str.casefold))
    keys = draw(st.permutations(KEYS))
    people, at = [], 0
    for name in sorted(names):
        many = draw(st.integers(1, 2))
        roles = draw(st.sampled_from([("root", "release"), ("root",), ("release",), ("release", "root")]))
        people.append(Person(name=name, keys=tuple(keys[at : at + many]), roles=roles))
        at += many
    able = {role: sum(role in one.roles for one in people) for role in ("root", "release")}
    if not all(able.values()):
        people[0] = replace(people[0], roles=("root", "release"))
        able = {role: sum(role in one.roles for one in people) for role in able}
    years = draw(st.integers(1, 9998))
    return TrustDocument(
        name=draw(st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True)),
        version=draw(st.integers(1, 2**31 - 1)),
        created=f"{years:04}-12-31T23:59:59Z",
        expires=draw(st.sampled_from([None, f"{years + 1:04}-01-01T00:00:00Z"])),
        algorithms=tuple(draw(st.permutations(KEY_TYPES))),
        signers=tuple(people),
        root_threshold=draw(st.integers(1, able["root"])),
        release_threshold=draw(st.integers(1, able["release"])),
        revoked=tuple((key.fingerprint, draw(st.text(min_size=1, max_size=9).filter(_encodable))) for key in sorted(keys[at : at + 2], key=lambda one: one.fingerprint)),
        policy=Policy(expiry=draw(st.sampled_from(EXPIRY)), first_install=draw(st.sampled_from(FIRST_INSTALL))),
    )  # fmt: skip


def _encodable(text):
    return not any("\ud800" <= char <= "\udfff" for char in text)


@settings(max_examples=50, deadline=None)
@given(documents())
def test_what_is_written_is_read_back(document):
    raw = document.to_bytes()
    assert parse_document(raw) == document
    assert parse_document(raw).to_bytes() == raw
    assert raw.isascii()
    assert claimed_version(raw) == document.version
