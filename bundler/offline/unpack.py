"""`unpack`: from a stream to the active generation, in the order of FORMAT.md §9 and §10."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from bundler.core import metadata
from bundler.core.fault import Fault
from bundler.core.index import INDEX_NAME, SUMS_NAME, Artifact, Index
from bundler.errors import DamagedFault, HostFault, PolicyFault
from bundler.offline import activate, exporting
from bundler.offline.generation import RECORD_NAME, Generation, active_generation, missing_file
from bundler.offline.members import by_member, check_sums, copy_member
from bundler.offline.plan import Plan, check_space, choose_platforms, make_plan
from bundler.offline.prefix import Prefix, check_prefix, locked, make_folder
from bundler.offline.reader import BundleReader, VerifiedIndex, signature_name, verify_index
from bundler.offline.serials import check_serial, record_serial
from bundler.offline.staging import Staging, sweep

if TYPE_CHECKING:
    from pathlib import Path

    from bundler.core.platforms import Platform
    from bundler.core.progress import Progress
    from bundler.signing.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the administrator asks for: where, for which platforms, trusting whom."""

    prefix: Path
    trust: Trust
    host: Platform
    platforms: tuple[str, ...] = ()
    accept_name: str | None = None
    verifier: str = "builtin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verified bundle that this host accepts, and what unpacking it would do; nothing was written."""

    verified: VerifiedIndex
    plan: Plan
    active: Generation | None
    already_active: bool


def decide(reader: BundleReader, request: Request, prefix: Prefix, *, name: str) -> Decision:
    """Check signature, name, serial, platform and free space, in this order (FORMAT.md §9, steps 1 to 4).

    Raises `SignatureFault`, `DamagedFault`, `PolicyFault` or `HostFault`.
    """
    signed = reader.read_signed_index()
    verified = verify_index(signed, trust=request.trust, name=name, verifier=request.verifier)
    index, active = verified.index, active_generation(prefix)
    if active and index.name not in (active.name, request.accept_name):
        raise PolicyFault(
            f"{name}: is a bundle of {index.name!r}, expected {active.name!r}, active in {prefix.root}",
            hint=f"choose another --prefix, or say --accept-name {index.name} to replace it",
        )
    check_serial(prefix, index, index_sha256=signed.digest)
    platforms = choose_platforms(index, host=request.host, wanted=request.platforms, name=name)
    same = bool(active and active.index_sha256 == signed.digest and active.platforms == platforms)
    already = bool(same and active and _is_whole(active, index))
    plan = make_plan(
        index,
        platforms=platforms,
        active=active,
        active_index=active.index() if active else None,
    )
    if not already:
        check_space(plan, prefix.root)
    return Decision(verified=verified, plan=plan, active=active, already_active=already)


def _is_whole(active: Generation, index: Index) -> bool:
    programs = exporting.programs(active, index)
    return missing_file(active, index) is None and all((active.folder / one).is_file() for one in programs)


def dry_run(stream: BinaryIO, request: Request, *, name: str) -> Decision:
    """Decide, and write nothing at all."""
    return decide(BundleReader(stream, name=name), request, check_prefix(request.prefix), name=name)


def unpack(
    stream: BinaryIO, request: Request, *, name: str, progress: Progress
) -> tuple[Generation, Decision]:
    """Verify the bundle and make it the active generation; return what is active now and what was decided.

    Stopped anywhere, it leaves the old state or the new one. The same bundle again changes nothing.
    Raises every class of `bundler.errors`; after any of them the active generation is what it was.
    """
    prefix = check_prefix(request.prefix)
    reader = BundleReader(stream, name=name)
    with locked(prefix):
        sweep(prefix.staging)
        decision = decide(reader, request, prefix, name=name)
        if decision.already_active and decision.active:
            return decision.active, decision
        try:
            generation = _build(reader, decision, request, prefix, progress)
        finally:
            # A failure gives the space back at once; where even that fails, the next run sweeps first.
            with contextlib.suppress(HostFault):
                sweep(prefix.staging)
        record_serial(prefix, decision.verified.index, index_sha256=decision.verified.signed.digest)
        activate.activate(prefix, generation.number)
        return generation, decision


def _build(
    reader: BundleReader, decision: Decision, request: Request, prefix: Prefix, progress: Progress
) -> Generation:
    index, signed = decision.verified.index, decision.verified.signed
    number = activate.next_number(prefix)
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
        _copy_payload(reader, index, decision.plan, staging, progress)
        staging.write(INDEX_NAME, signed.raw)
        for place, signature in enumerate(signed.signatures):
            staging.write(signature_name(place), signature)
        exporting.write_settings(staging, generation, prefix, index)
        staging.write(RECORD_NAME, generation.record())
        progress.stage("sync to disk", None)
        staging.finish()
        activate.publish(prefix, staging.folder, number)
    return generation


def _copy_payload(
    reader: BundleReader, index: Index, plan: Plan, staging: Staging, progress: Progress
) -> None:
    artifacts, kept = by_member(index), {one.path: source for one, source in plan.keep}
    chosen = {one.path for one in plan.artifacts}
    progress.stage(
        "unpack", sum(one.size for one in index.members if one.path in {a.member for a in plan.write})
    )
    for member in index.members:
        artifact = artifacts.get(member.path)
        whole = bytearray()
        if artifact and artifact.path not in chosen:
            reader.skip(member, block_size=index.block_size)
            continue
        if artifact and artifact.path in kept and staging.adopt(kept[artifact.path], artifact):
            reader.skip(member, block_size=index.block_size)
        elif artifact is None or artifact.role == "metadata":
            copy_member(
                reader, member, artifact, block_size=index.block_size, write=whole.extend, progress=progress
            )
        else:
            with staging.file(artifact.path, executable=artifact.executable) as append:
                copy_member(
                    reader, member, artifact, block_size=index.block_size, write=append, progress=progress
                )
        if member.path == SUMS_NAME:
            check_sums(index, bytes(whole))
        elif artifact and artifact.role == "metadata":
            staging.write(artifact.path, filtered_rows(bytes(whole), plan.artifacts))
        if artifact:
            for path in artifact.links:
                staging.link(staging.folder / artifact.path, path)
    reader.expect_end()


def filtered_rows(data: bytes, artifacts: tuple[Artifact, ...]) -> bytes:
    """Return the metadata of exactly the archives in `artifacts`; raises `DamagedFault` where rows differ.

    uv installs what this file says, so each archive must have its row, with the digest that was verified.
    """
    held = {one.key or one.path: one.sha256 for one in artifacts if one.role == "archive"}
    try:
        return metadata.dump_rows(metadata.select_rows(metadata.parse_rows(data), held))
    except Fault as fault:
        raise DamagedFault(
            f"download-metadata.json: {fault}", hint="the packer signed a wrong list: have it packed again"
        ) from None
