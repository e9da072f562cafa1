"""What people write behind the options of `trust new`: somebody and a key, a key and a reason, a day."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bundler.core.fault import Fault
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from bundler.signing.trustmake import Wish

PERSON = "NAME=KEY.pub"


def people(option: str, texts: list[str] | None, roles: tuple[str, ...]) -> list[Wish]:
    """Return the people of one option, each with the key of their file; raises `UsageFault` for more keys."""
    from bundler.signing.trustfile import read_rules
    from bundler.signing.trustmake import Wish

    wishes = []
    for text in texts or ():
        person, equals, file = text.partition("=")
        if not equals or not person or not file:
            raise UsageFault(
                f"{option}: expected {PERSON}, found {text!r}", hint=f"such as {option} anna=anna.pub"
            )
        rules = read_rules(Path(file))
        if len(rules) != 1:
            raise UsageFault(
                f"{option}: {file} holds {len(rules)} keys, expected one",
                hint=f"name the key's own .pub file: {option} {person}=KEY.pub",
            )
        wishes.append(Wish(name=person, key=rules[0].key, roles=roles))
    return wishes


def revocation(text: str) -> tuple[str, str]:
    """Return the fingerprint that never counts again, and the reason; raises `UsageFault` without either."""
    from bundler.signing.publickey import parse_fingerprint

    key, equals, reason = text.partition("=")
    try:
        parse_fingerprint(key)
    except Fault as fault:
        raise UsageFault(f"--revoke: {fault.message}", hint="ssh-keygen -lf KEY.pub prints it") from None
    if not equals or not reason.strip():
        raise UsageFault(
            f"--revoke: expected FINGERPRINT=REASON, found {text!r}",
            hint=f'such as --revoke "{key}=laptop lost"',
        )
    return key, reason.strip()


def expiry_time(text: str | None) -> str | None:
    """Return the UTC time, of a day its beginning; None for never, and where nothing was said."""
    from bundler.core.times import utc_time

    if text is None or text == "never":
        return None
    try:
        return utc_time(text if "T" in text else f"{text}T00:00:00Z")
    except Fault:
        raise UsageFault(
            f"--expires: expected a day or a UTC time, found {text!r}",
            hint="such as 2027-06-30, 2027-06-30T12:00:00Z, or never",
        ) from None
