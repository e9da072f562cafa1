"""Whether a bundle is taken, and what unpacking it would do (FORMAT.md §9, steps 2 to 4); writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from bundler.errors import SignatureFault
from bundler.offline import exporting, policy
from bundler.offline.clock import Clock, system_clock
from bundler.offline.generation import Generation, active_generation, missing_file
from bundler.offline.held import with_held
from bundler.offline.plan import Plan, check_space, choose_platforms, make_plan
from bundler.offline.policy import Wish
from bundler.offline.prefix import Prefix, check_prefix
from bundler.offline.reader import Reader, reader_of
from bundler.offline.serials import Marks, read_marks
from bundler.offline.signedindex import SignedIndex, VerifiedIndex, verify_index

if TYPE_CHECKING:
    from pathlib import Path

    from bundler.core.index import Index
    from bundler.core.platforms import Platform
    from bundler.offline.scan import ScanCommand
    from bundler.signing.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the administrator asks for: where, for which platforms, trusting whom, and what must scan it.

    The log gets `command`.
    """

    prefix: Path
    trust: Trust
    host: Platform
    platforms: tuple[str, ...] = ()
    wish: Wish = field(default_factory=Wish)
    verifier: str = "builtin"
    command: str = "unpack"
    scan: ScanCommand | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verified bundle that this host accepts, and what unpacking it would do; nothing was written.

    `warnings` are lines for a person: what is past its time, or a step back that was allowed.
    """

    verified: VerifiedIndex
    plan: Plan
    active: Generation | None
    already_active: bool
    marks: Marks
    warnings: tuple[str, ...]


def read_clock(marks: Marks) -> Clock:
    """Return this host's time, held up by the bundles that it took."""
    clock = system_clock()
    for name, mark in marks.names.items():
        clock = clock.not_before(mark.created, of=f"a bundle of {name} that this host took")
    return clock


def verify_signed(signed: SignedIndex, request: Request, clock: Clock, *, name: str) -> VerifiedIndex:
    """Check the signatures at this host's time, walking the trust documents that the bundle brings.

    Raises `SignatureFault`, which says where the time is not the clock's and keys have dates, or
    `DamagedFault`.
    """
    trust = request.trust
    try:
        return verify_index(signed, trust=trust, name=name, verifier=request.verifier, now=clock.now)
    except SignatureFault as fault:
        if clock.held_up_by is None or not any(rule.valid_before for rule in trust.rules):
            raise
        raise SignatureFault(
            f"{fault.message}; the time here is held up by {clock.held_up_by}",
            hint=f"{fault.hint}; if that bundle was dated wrongly: FORMAT.md, section 10, has the way back",
        ) from None


def decide(
    verified: VerifiedIndex, request: Request, prefix: Prefix, *, marks: Marks, clock: Clock, name: str
) -> Decision:
    """Check name, serial, expectation, expiry, platform, base and free space, in this order.

    Raises `PolicyFault`, `IncompleteFault` or `HostFault`, and `DamagedFault` where the active generation
    cannot be read.
    """
    index, digest, wish = verified.index, verified.signed.digest, request.wish
    document, active = verified.trust.document, active_generation(prefix)
    clock = clock.not_before_making(index, document)
    policy.check_name(index, active, wish, name=name)
    back = policy.check_serial(index, marks, active, wish, digest=digest)
    policy.check_expected(index, marks, document, wish, digest=digest)
    past = policy.check_expiry(index, document, clock, wish)
    platforms = choose_platforms(index, host=request.host, wanted=request.platforms, name=name)
    same = bool(active and active.index_sha256 == digest and active.platforms == platforms)
    already = bool(same and active and _is_whole(active, index))
    plan = make_plan(
        index, platforms=platforms, active=active, active_index=active.index() if active else None
    )
    if not already:
        plan = with_held(plan, index, prefix, active=active, name=name)
        check_space(plan, prefix.root)
    return Decision(
        verified=verified,
        plan=plan,
        active=active,
        already_active=already,
        marks=marks,
        warnings=(*back, *past),
    )


def _is_whole(active: Generation, index: Index) -> bool:
    programs = exporting.programs(active, index)
    return missing_file(active, index) is None and all((active.folder / one).is_file() for one in programs)


def dry_run(stream: BinaryIO | Reader, request: Request, *, name: str) -> Decision:
    """Decide, and write nothing at all."""
    prefix = check_prefix(request.prefix)
    marks = read_marks(prefix)
    reader = reader_of(stream, name=name)
    clock = read_clock(marks)
    verified = verify_signed(reader.read_signed_index(), request, clock, name=name)
    decision = decide(verified, request, prefix, marks=marks, clock=clock, name=name)
    if not decision.already_active:
        reader.begin(verified.index)
    return decision
