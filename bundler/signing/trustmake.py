"""A new version of a trust document, from what a person wishes (FORMAT.md §13, "Trust documents").

Pure: keys and words in, value out. Whatever comes out can be parsed again; a successor takes everything over
that is not wished otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bundler.core.fault import Fault
from bundler.errors import UsageFault
from bundler.signing.publickey import PublicKey
from bundler.signing.schemes import KEY_TYPES
from bundler.signing.trustdoc import RELEASE, ROLES, ROOT, Person, Policy, TrustDocument, parse_document

if TYPE_CHECKING:
    from collections.abc import Sequence

USUAL_THRESHOLD = 2  # where as many people have the role: one stolen key is not enough
_MEND = "change the options; --help shows how, with an example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Somebody who is to sign: a name, one key, and what for."""

    name: str
    key: PublicKey
    roles: tuple[str, ...] = (ROOT, RELEASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the next version is to say; None and empty mean: as before, or the default."""

    signers: tuple[Wish, ...] = ()
    remove: tuple[str, ...] = ()
    revoke: tuple[tuple[str, str], ...] = ()
    root_threshold: int | None = None
    release_threshold: int | None = None
    algorithms: tuple[str, ...] = ()
    expires: str | None = None
    never_expires: bool = False
    expiry: str | None = None
    first_install: str | None = None


def first_document(name: str, wishes: Wishes, *, created: str) -> TrustDocument:
    """Return version 1; raises `UsageFault` for wishes that contradict each other.

    Thresholds are 2 by default, and 1 where only one person has the role. All key types are allowed.
    """
    empty = TrustDocument(
        name=name,
        version=0,
        created=created,
        expires=None,
        algorithms=KEY_TYPES,
        signers=(),
        root_threshold=0,
        release_threshold=0,
        revoked=(),
        policy=Policy(),
    )
    return _next(empty, wishes, created=created)


def successor(old: TrustDocument, wishes: Wishes, *, created: str) -> TrustDocument:
    """Return the version after `old`; `UsageFault` for wishes that contradict it or each other."""
    if created < old.created:
        raise UsageFault(
            f"the clock: it is {created}, expected a time after {old.created}, when {old.title} was made",
            hint="correct this machine's clock",
        )
    return _next(old, wishes, created=created)


def _next(old: TrustDocument, wishes: Wishes, *, created: str) -> TrustDocument:
    signers = _people(old, wishes)
    policy = Policy(
        expiry=wishes.expiry or old.policy.expiry,
        first_install=wishes.first_install or old.policy.first_install,
    )
    made = TrustDocument(
        name=old.name,
        version=old.version + 1,
        created=created,
        expires=None if wishes.never_expires else wishes.expires or old.expires,
        algorithms=tuple(dict.fromkeys(wishes.algorithms)) or old.algorithms,
        signers=signers,
        root_threshold=wishes.root_threshold or old.root_threshold or _usual(signers, ROOT),
        release_threshold=wishes.release_threshold or old.release_threshold or _usual(signers, RELEASE),
        revoked=tuple(sorted({**dict(wishes.revoke), **dict(old.revoked)}.items())),
        policy=policy,
    )
    try:
        return parse_document(made.to_bytes())
    except Fault as fault:
        raise UsageFault(f"the new version: {fault}", hint=fault.hint or _MEND) from None


def _usual(signers: Sequence[Person], role: str) -> int:
    return min(USUAL_THRESHOLD, max(1, sum(role in person.roles for person in signers)))


def _people(old: TrustDocument, wishes: Wishes) -> tuple[Person, ...]:
    people = {person.name: person for person in old.signers}
    for name in wishes.remove:
        if people.pop(name, None) is None:
            raise UsageFault(
                f"--remove: {name} is nobody in {old.title}, expected one of {', '.join(people) or 'nobody'}",
                hint="uv-bundler trust list FILE shows the names",
            )
    revoked = dict(wishes.revoke)
    for person in people.values():
        kept = tuple(key for key in person.keys if key.fingerprint not in revoked)
        people[person.name] = replace(person, keys=kept)
    for wish in wishes.signers:
        person = people.get(wish.name, Person(name=wish.name, keys=(), roles=()))
        keys = person.keys if wish.key in person.keys else (*person.keys, _bare(wish.key))
        held = {*person.roles, *wish.roles}
        people[wish.name] = replace(person, keys=keys, roles=tuple(role for role in ROLES if role in held))
    for person in people.values():
        if not person.keys:
            raise UsageFault(
                f"--revoke: {person.name} has no key left, expected a new one, or nobody of that name",
                hint=f"add --signer {person.name}=NEW.pub, or --remove {person.name}",
            )
    return tuple(people[name] for name in sorted(people))


def _bare(key: PublicKey) -> PublicKey:
    return PublicKey(key.blob)
