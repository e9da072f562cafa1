"""Trust documents: which people may sign bundles, and which may say so (FORMAT.md §13).

Bytes in, value out. A `TrustDocument` that was parsed can be satisfied: no threshold asks for more people
than have the role, no key stands twice, has a type that does not count, or is revoked in the same document.
Nothing here says that anybody signed it: `bundler.signing.trustwalk` does.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from bundler.core import strictjson
from bundler.core.fault import Fault, KeyPath
from bundler.core.index import FORMAT, NAME_PATTERN
from bundler.core.shapes import Either, Key, Nothing, Record, Seq, Table, Text, Whole
from bundler.core.times import utc_time
from bundler.signing.publickey import PublicKey, parse_fingerprint
from bundler.signing.schemes import KEY_TYPES

TRUST_FORMAT = "uv-bundler.trust.v1"  # the same string is the SSHSIG namespace
TRUST_NAME = "trust.json"
MAX_DOCUMENT_BYTES = 256 << 10
MAX_CHAIN = 64  # documents that one bundle may bring
MAX_SIGNERS = 64
MAX_KEYS = 8  # of one person
MAX_REVOKED = 1000
MAX_REASON = 200  # characters
MAX_VERSION = 2**31 - 1
ROOT, RELEASE = "root", "release"
ROLES = {ROOT: TRUST_FORMAT, RELEASE: FORMAT}  # each role, and the one namespace that it signs in
EXPIRY = ("warn", "enforce")
FIRST_INSTALL = ("any", "expected")
PERSON_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}"


def _parse_key(text: str) -> PublicKey:
    key = PublicKey.parse(text)
    if _bare(key) != text:
        raise Fault("expected a key as TYPE BASE64, without a comment")
    return key


_TIME = Text(what="a UTC time", max_chars=20, parse=utc_time)
_PERSON = Record(
    keys={
        "keys": Key(
            shape=Seq(
                item=Text(what="a key: TYPE BASE64", parse=_parse_key), min_items=1, max_items=MAX_KEYS
            ),
            required=True,
        ),
        "roles": Key(shape=Seq(item=Text(options=tuple(ROLES)), min_items=1, max_items=2), required=True),
    }
)
_PERSON_NAME = Text(what="a name of letters, digits and ._@+-", pattern=PERSON_PATTERN, max_chars=64)
_FINGERPRINT = Text(max_chars=50, parse=parse_fingerprint)
_REASON = Text(what="a reason", pattern=r"(?s:.+)", max_chars=MAX_REASON)
_COUNT = Whole(minimum=1, maximum=MAX_SIGNERS)
SHAPE = Record(
    keys={
        "format": Key(shape=Text(options=(TRUST_FORMAT,)), required=True),
        "name": Key(
            shape=Text(what="a name of a-z, 0-9 and -, at most 40 characters", pattern=NAME_PATTERN),
            required=True,
        ),
        "version": Key(shape=Whole(minimum=1, maximum=MAX_VERSION), required=True),
        "created": Key(shape=_TIME, required=True),
        "expires": Key(
            shape=Either(kinds=((str, _TIME), (type(None), Nothing())), what="a UTC time or null"),
            required=True,
        ),
        "algorithms": Key(
            shape=Seq(item=Text(options=KEY_TYPES), min_items=1, max_items=len(KEY_TYPES)), required=True
        ),
        "signers": Key(
            shape=Table(value=_PERSON, name=_PERSON_NAME, min_items=1, max_items=MAX_SIGNERS), required=True
        ),
        "thresholds": Key(
            shape=Record(keys={role: Key(shape=_COUNT, required=True) for role in ROLES}), required=True
        ),
        "revoked": Key(shape=Table(value=_REASON, name=_FINGERPRINT, max_items=MAX_REVOKED), required=True),
        "policy": Key(
            shape=Record(
                keys={
                    "expiry": Key(shape=Text(options=EXPIRY), required=True),
                    "first_install": Key(shape=Text(options=FIRST_INSTALL), required=True),
                }
            ),
            required=True,
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who signs: a name, keys that are this person's alone, and what they are for."""

    name: str
    keys: tuple[PublicKey, ...]
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What hosts do about an expired bundle, and about the first one of a name."""

    expiry: str = EXPIRY[0]
    first_install: str = FIRST_INSTALL[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustDocument:
    """One version of who is trusted; `signers` are sorted by name, `revoked` by fingerprint."""

    name: str
    version: int
    created: str
    expires: str | None
    algorithms: tuple[str, ...]
    signers: tuple[Person, ...]
    root_threshold: int
    release_threshold: int
    revoked: tuple[tuple[str, str], ...]
    policy: Policy

    def people(self, role: str) -> tuple[Person, ...]:
        """Return those who have the role, sorted by name."""
        return tuple(person for person in self.signers if role in person.roles)

    def threshold(self, role: str) -> int:
        """Return how many different people with the role must sign."""
        return {ROOT: self.root_threshold, RELEASE: self.release_threshold}[role]

    @property
    def title(self) -> str:
        """The document as people speak of it: `plant-7 version 3`."""
        return f"{self.name} version {self.version}"

    def to_bytes(self) -> bytes:
        """Write the document; the same value always gives the same bytes."""
        return strictjson.dump(
            {
                "format": TRUST_FORMAT,
                "name": self.name,
                "version": self.version,
                "created": self.created,
                "expires": self.expires,
                "algorithms": list(self.algorithms),
                "signers": {
                    person.name: {"keys": [_bare(key) for key in person.keys], "roles": list(person.roles)}
                    for person in self.signers
                },
                "thresholds": {ROOT: self.root_threshold, RELEASE: self.release_threshold},
                "revoked": dict(self.revoked),
                "policy": {
                    "expiry": self.policy.expiry,
                    "first_install": self.policy.first_install,
                },
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDocument:
    """A document and its signatures as bytes: nothing checked, nothing parsed.

    `number` is the version that its place says (`trust/3.json`); the document must say the same.
    """

    raw: bytes
    signatures: tuple[bytes, ...]
    number: int

    @property
    def digest(self) -> str:
        """The sha256 of the document."""
        return hashlib.sha256(self.raw).hexdigest()


def parse_document(data: bytes) -> TrustDocument:
    """Read a trust document; raises `Fault` with the key path for what FORMAT.md §13 does not allow."""
    read = SHAPE.read(strictjson.parse(data, max_bytes=MAX_DOCUMENT_BYTES))
    document = TrustDocument(
        name=read["name"],
        version=read["version"],
        created=read["created"],
        expires=read["expires"],
        algorithms=read["algorithms"],
        signers=tuple(Person(name=name, **read["signers"][name]) for name in sorted(read["signers"])),
        root_threshold=read["thresholds"][ROOT],
        release_threshold=read["thresholds"][RELEASE],
        revoked=tuple(sorted(read["revoked"].items())),
        policy=Policy(**read["policy"]),
    )
    check_document(document)
    return document


def check_document(document: TrustDocument) -> None:
    """Raise `Fault` where the parts of a document contradict each other."""
    if document.expires is not None and document.expires <= document.created:
        raise Fault(f"expected a time later than created, {document.created}", path=("expires",))
    _check_once(document.algorithms, ("algorithms",))
    _check_people(document)
    for role in ROLES:
        able = len(document.people(role))
        if document.threshold(role) > able:
            raise Fault(
                f"expected at most {able}, which is how many people have the role, "
                f"found {document.threshold(role)}",
                path=("thresholds", role),
            )


def _check_people(document: TrustDocument) -> None:
    revoked = dict(document.revoked)
    folded: dict[str, str] = {}
    owners: dict[tuple[str, bytes], str] = {}
    for person in document.signers:
        at: KeyPath = ("signers", person.name)
        if (same := folded.setdefault(person.name.casefold(), person.name)) != person.name:
            raise Fault(f"expected names that differ also when case is ignored, found {same} too", path=at)
        _check_once(person.roles, (*at, "roles"))
        for number, key in enumerate(person.keys):
            where = (*at, "keys", number)
            if key.key_type not in document.algorithms:
                raise Fault(f"expected one of algorithms, found {key.key_type}", path=where)
            if (owner := owners.get(key.material)) is not None:
                raise Fault(f"expected each key once, found it with {owner} too", path=where)
            if key.fingerprint in revoked:
                raise Fault(f"{key.fingerprint} is revoked too, expected a key that counts", path=where)
            owners[key.material] = person.name


def _check_once(items: tuple[str, ...], at: KeyPath) -> None:
    for number, item in enumerate(items):
        if item in items[:number]:
            raise Fault(f"expected each once, found {item} twice", path=(*at, number))


def _bare(key: PublicKey) -> str:
    return " ".join(str(key).split(" ")[:2])


def claimed_version(data: bytes) -> int:
    """Return what a document says its version is, checking nothing else; raises `Fault` for no JSON."""
    document = strictjson.parse(data, max_bytes=MAX_DOCUMENT_BYTES)
    return Whole(minimum=1, maximum=MAX_VERSION).read(
        document.get("version") if isinstance(document, dict) else None, ("version",)
    )
