"""`unpack`: from a stream to the active generation, in the order of FORMAT.md §9 and §10."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, BinaryIO

from bundler.core.durable import make_folder
from bundler.core.index import INDEX_NAME
from bundler.errors import HostFault, LockedFault, PolicyFault
from bundler.offline import activate, exporting
from bundler.offline.actor import whoami
from bundler.offline.audit import Log, bundle_facts, signer_facts
from bundler.offline.deciding import decide, read_clock, verify_signed
from bundler.offline.generation import RECORD_NAME, Generation
from bundler.offline.payload import copy_payload
from bundler.offline.prefix import Prefix, check_prefix, locked
from bundler.offline.reader import reader_of
from bundler.offline.recover import recover
from bundler.offline.serials import write_marks
from bundler.offline.signedindex import signature_name
from bundler.offline.staging import Staging, sweep

if TYPE_CHECKING:
    from pathlib import Path

    from bundler.core.progress import Progress
    from bundler.offline.audit import Recording
    from bundler.offline.deciding import Decision, Request
    from bundler.offline.reader import Reader
    from bundler.offline.signedindex import VerifiedIndex
    from bundler.signing.trustdoc import TrustDocument


def unpack(
    stream: BinaryIO | Reader, request: Request, *, name: str, progress: Progress
) -> tuple[Generation, Decision]:
    """Verify the bundle and make it the active generation; return what is active now and what was decided.

    Stopped anywhere, it leaves the old state or the new one. The same bundle again changes nothing. Each run
    is in the audit log, a refusal too. Raises every class of `bundler.errors`; after any of them the active
    generation is what it was, or the new one where what failed came after the switch.
    """
    prefix = check_prefix(request.prefix)
    reader = reader_of(stream, name=name)
    with locked(prefix):
        log = Log(prefix.log, who=whoami(), command=request.command)
        with log.recording("unpack", reason=request.wish.reason) as entry:
            marks, recovered = recover(prefix)
            for line in recovered:
                log.append("recover", "done", message=line)
                progress.note(line)
            clock = read_clock(marks)
            verified = verify_signed(reader.read_signed_index(), request, clock, name=name)
            entry.facts(
                bundle=bundle_facts(verified.index, index_sha256=verified.signed.digest, file=name),
                signers=signer_facts(verified.signers),
            )
            decision = decide(verified, request, prefix, marks=marks, clock=clock, name=name)
            if not decision.already_active:
                reader.begin(verified.index)
            generation = _install(
                decision, reader=reader, request=request, prefix=prefix, entry=entry, progress=progress
            )
    return generation, decision


def _install(
    decision: Decision,
    *,
    reader: Reader,
    request: Request,
    prefix: Prefix,
    entry: Recording,
    progress: Progress,
) -> Generation:
    """Build, record, publish, switch: the order that a crash cannot spoil (FORMAT.md §10, steps 3 to 7)."""
    index, digest = decision.verified.index, decision.verified.signed.digest
    marks = decision.marks.raised(index, index_sha256=digest)
    active = decision.active
    entry.facts(
        serial_before=active.serial if active else None,
        generation_before=active.number if active else None,
    )
    if decision.already_active and active:
        entry.outcome = "nothing"
        _keep_trust(decision.verified, request.trust.document, entry, progress)
        if marks != decision.marks:
            write_marks(prefix, marks)
        if request.scan:
            progress.note("nothing new is installed: --scan-cmd was not run")
        return active
    entry.begin()
    number = activate.next_number(prefix)
    try:
        generation = _build(
            decision, number, reader=reader, request=request, prefix=prefix, progress=progress
        )
        _scan(prefix.staging / str(number), request, entry, progress)
        _keep_trust(decision.verified, request.trust.document, entry, progress)
        write_marks(prefix, replace(marks, switching=number))
        activate.publish(prefix, prefix.staging / str(number), number)
    finally:
        # A failure gives the space back at once; where even that fails, the next run sweeps first.
        with contextlib.suppress(HostFault):
            sweep(prefix.staging)
    activate.activate(prefix, number)
    write_marks(prefix, marks)
    entry.facts(serial_after=index.serial, generation_after=number)
    return generation


def _scan(folder: Path, request: Request, entry: Recording, progress: Progress) -> None:
    """Let the administrator's scanner look at what is complete and not visible yet."""
    if request.scan:
        from bundler.offline.scan import scan

        scan(folder, request.scan, record=lambda result: entry.facts(scan=result), progress=progress)


def _keep_trust(
    verified: VerifiedIndex, walked_from: TrustDocument | None, entry: Recording, progress: Progress
) -> None:
    """Store the newest trust document that the bundle brought, where this user may."""
    if not verified.steps:
        return
    from bundler.signing.documentstore import describe, installed_in, save_document

    newest, store = verified.steps[-1], verified.trust.store
    said = f"trust document version {newest.version}, signed by {', '.join(map(str, newest.new_signers))}"
    for_now = f"{said}: used for this bundle only"
    if store is None:
        for_now += ", because --trust names a file"
    else:
        try:
            before = installed_in(store)
            save_document(store, newest.raw, after=walked_from)
        except (HostFault, LockedFault, PolicyFault) as fault:
            for_now += f", it could not be stored: {fault.message}"
        else:
            progress.note(f"{store}: {said}, is installed")
            entry.facts(
                trust_before=asdict(before) if before else None, trust_after=asdict(describe(newest.raw))
            )
            return
    progress.note(for_now)
    entry.facts(message=for_now)  # the log tells whose word it was, but not that it was stored


def _build(
    decision: Decision,
    number: int,
    *,
    reader: Reader,
    request: Request,
    prefix: Prefix,
    progress: Progress,
) -> Generation:
    """Build the generation in staging, every byte verified and synced."""
    index, signed = decision.verified.index, decision.verified.signed
    generation = Generation(
        folder=prefix.generations / str(number),
        number=number,
        name=index.name,
        release=index.release,
        serial=index.serial,
        index_sha256=signed.digest,
        platforms=decision.plan.platforms,
        uv=index.uv,
        host=request.host,
    )
    make_folder(prefix.staging)
    with Staging(prefix.staging / str(number)) as staging:
        copy_payload(reader, index, decision.plan, staging, progress)
        staging.write(INDEX_NAME, signed.raw)
        for place, signature in enumerate(signed.signatures):
            staging.write(signature_name(place), signature)
        exporting.write_settings(staging, generation, prefix, index)
        staging.write(RECORD_NAME, generation.record())
        progress.stage("sync to disk", None)
        staging.finish()
    return generation
