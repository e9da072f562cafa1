"""Whether this host takes a verified bundle: name, serial, expectation, expiry (FORMAT.md §9 and §10).

Pure: what the host knows comes in, and `PolicyFault` goes out. An administrator overrides with a reason,
which the audit log keeps; nothing here overrides a signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.errors import PolicyFault, UsageFault

if TYPE_CHECKING:
    from bundler.core.index import Index
    from bundler.offline.clock import Clock
    from bundler.offline.generation import Generation
    from bundler.offline.serials import Marks
    from bundler.signing.trustdoc import TrustDocument

_REASON = 'say why, for the audit log: --reason "TEXT"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the administrator says beside naming the bundle: what to expect, and what to put up with.

    In a `rehearsal` nobody was told what to expect.
    """

    accept_name: str | None = None
    expect_serial: int | None = None
    expect_index: str | None = None
    allow_downgrade: bool = False
    allow_expired: bool = False
    reason: str | None = None
    rehearsal: bool = False

    def is_for(self, index: Index, digest: str) -> bool:
        """Tell whether nothing that is said here speaks against the bundle with this index and sha256."""
        return (
            self.accept_name in (None, index.name)
            and self.expect_serial in (None, index.serial)
            and (self.expect_index is None or self.expect_index.lower() == digest)
        )

    def __post_init__(self) -> None:
        """Refuse an override without a reason."""
        for given, option in (
            (self.allow_downgrade, "--allow-downgrade"),
            (self.allow_expired, "--allow-expired"),
        ):
            if given and not (self.reason or "").strip():
                raise UsageFault(f"{option}: no reason given, expected one", hint=_REASON)


def check_name(index: Index, active: Generation | None, wish: Wish, *, name: str) -> None:
    """Refuse a bundle of another name than the active one; raises `PolicyFault`."""
    if active and index.name not in (active.name, wish.accept_name):
        raise PolicyFault(
            f"{name}: is a bundle of {index.name!r}, expected {active.name!r}, active in "
            f"{active.folder.parent.parent}",
            hint=f"choose another --prefix, or say --accept-name {index.name} to replace it",
        )


def check_serial(
    index: Index, marks: Marks, active: Generation | None, wish: Wish, *, digest: str
) -> tuple[str, ...]:
    """Refuse a serial below the highest seen, and an equal one of another index; raises `PolicyFault`.

    The index that is active already is no step back, whatever the mark says; where the marks were lost, what
    is active is the mark. Returns a line for a step back that was allowed.
    """
    known = active if active and active.name == index.name else None
    mark = marks.names.get(index.name) or known
    if mark is None or (active and active.index_sha256 == digest):
        return ()
    if index.serial < mark.serial and not wish.allow_downgrade:
        raise PolicyFault(
            f"{index.name}: serial is {index.serial}, expected at least {mark.serial}, which this host "
            "has seen",
            hint="this is an older bundle: to bring its content back, have it packed again (a new serial), "
            'use `uv-bundler rollback`, or say --allow-downgrade --reason "TEXT"',
        )
    if index.serial == mark.serial and digest != mark.index_sha256:
        raise PolicyFault(
            f"{index.name}: serial {index.serial} was another bundle on this host (index "
            f"{mark.index_sha256[:16]}…, now {digest[:16]}…)",
            hint="two bundles must not share a serial: have this one packed again (a new serial)",
        )
    if index.serial < mark.serial:
        return (
            f"{index.name}: serial {index.serial} is older than {mark.serial}, which stays the highest seen",
        )
    return ()


def check_expected(
    index: Index, marks: Marks, document: TrustDocument | None, wish: Wish, *, digest: str
) -> None:
    """Compare the bundle with what the administrator was told by another road; raises `PolicyFault`."""
    form = "compare with the transfer form; if it says the same as the command line, this is the wrong bundle"
    if wish.expect_serial not in (None, index.serial):
        raise PolicyFault(
            f"{index.name}: serial is {index.serial}, expected {wish.expect_serial} (--expect-serial)",
            hint=form,
        )
    if wish.expect_index is not None and wish.expect_index.lower() != digest:
        raise PolicyFault(
            f"{index.name}: index sha256 is {digest}, expected {wish.expect_index} (--expect-index)",
            hint=form,
        )
    wanted = document is not None and document.policy.first_install == "expected" and not wish.rehearsal
    if wanted and index.name not in marks.names and (wish.expect_serial, wish.expect_index) == (None, None):
        raise PolicyFault(
            f"{index.name}: the first bundle of this name here, expected --expect-serial or --expect-index, "
            "as the trust document asks",
            hint="take the serial or the index sha256 from the packer's transfer form, not from the medium",
        )


def check_expiry(index: Index, document: TrustDocument | None, clock: Clock, wish: Wish) -> tuple[str, ...]:
    """Return what is past its time, each as a line; raises `PolicyFault` where the policy enforces expiry."""
    past = past_its_time(index, document, clock)
    if past and document and document.policy.expiry == "enforce" and not wish.allow_expired:
        raise PolicyFault(
            past[0],
            hint=f"check this machine's clock; bring a newer {_newer(index, clock)}, or say --allow-expired "
            '--reason "TEXT"',
        )
    return past


def _newer(index: Index, clock: Clock) -> str:
    return "bundle" if index.expires and clock.is_past(index.expires) else "version of the trust document"


def past_its_time(index: Index, document: TrustDocument | None, clock: Clock) -> tuple[str, ...]:
    """Return a line for each of the bundle and the trust document that has expired."""
    ends = [(index.title, index.expires)]
    if document:
        ends.append((f"the trust document {document.title}", document.expires))
    at = f"{clock}, by {clock.held_up_by}" if clock.held_up_by else str(clock)
    return tuple(f"{what} expired {end}, and it is {at}" for what, end in ends if end and clock.is_past(end))
