"""The payload of a bundle into staging: kept, copied or rebuilt, and verified (FORMAT.md §9, step 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundler.core import metadata
from bundler.core.fault import Fault
from bundler.core.index import SUMS_NAME, Artifact, Index, Member
from bundler.core.text import counted
from bundler.core.text import size as show_size
from bundler.deflate import catalog
from bundler.errors import DamagedFault, IncompleteFault
from bundler.offline.members import by_member, check_sums, copy_member
from bundler.offline.needs import needs_of
from bundler.offline.rebuild import slow_encoders
from bundler.offline.rebuilder import Rebuilder
from bundler.offline.spool import Spool
from bundler.offline.streams import AFRESH, add_held, add_member

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bundler.core.progress import Progress
    from bundler.core.recipe import Held
    from bundler.offline.plan import Plan
    from bundler.offline.reader import Reader
    from bundler.offline.staging import Staging

SPOOL_NAME = "0"  # in `staging`, where generations count from 1; a stopped run's is removed with it


def copy_payload(reader: Reader, index: Index, plan: Plan, staging: Staging, progress: Progress) -> None:
    """Put every artifact of the plan into staging; afterwards the bundle was read to its end.

    Raises `DamagedFault`, `HostFault`, and `IncompleteFault` where what an earlier bundle brought changed.
    """
    write = (*plan.write, *_adopt(plan, staging))
    rebuilt = [one for one in write if one.recipe]
    if note := slow_note(rebuilt):
        progress.note(note)
    needs, size = needs_of(index, write), index.block_size
    read = {SUMS_NAME, *needs.members}
    stored = sum(one.size for one in index.members if one.path in read)
    progress.stage("unpack", stored + sum(one.size for one in rebuilt))
    with (
        Spool(staging.folder.parent / SPOOL_NAME) as spool,
        Rebuilder(rebuilt, spool=spool, staging=staging, progress=progress) as rebuilder,
    ):
        for held in index.held:
            if held.sha256 in needs.contents:
                add_held(spool, held, _place(held, plan))
                rebuilder.start(held.sha256)
        copied = {one.member: one for one in write if one.member is not None}
        artifacts = by_member(index)
        for member in index.members:
            artifact = artifacts.get(member.path)
            if member.path == SUMS_NAME:
                listing = bytearray()
                copy_member(reader, member, None, block_size=size, write=listing.extend, progress=progress)
                check_sums(index, bytes(listing))
            elif member.path not in needs.members:
                reader.skip(member, block_size=size)
            elif artifact is None:
                add_member(spool, reader, member, block_size=size, progress=progress)
                rebuilder.start(member.path)
            else:
                _copy(
                    reader,
                    member,
                    copied[member.path],
                    block_size=size,
                    plan=plan,
                    staging=staging,
                    progress=progress,
                )
        reader.expect_end()
        rebuilder.finish()
    for one in plan.artifacts:
        for path in one.links:
            staging.link(staging.folder / one.path, path)


def _adopt(plan: Plan, staging: Staging) -> tuple[Artifact, ...]:
    """Link what the generation keeps; return what has changed on disk and has to be written."""
    changed = []
    for one, source in plan.keep:
        if not staging.adopt(source, one):
            if one.member is None and one.recipe is None:
                raise IncompleteFault(
                    f"{source}: is not what was unpacked any more, nor does the bundle bring it, expected "
                    f"sha256 {one.sha256}",
                    hint=AFRESH,
                )
            changed.append(one)
    return tuple(changed)


def _place(held: Held, plan: Plan) -> Path:
    if held.sha256 in plan.held:
        return plan.held[held.sha256]
    raise IncompleteFault(  # it was needed only because something changed on the disk since it was unpacked
        f"{held.sha256}: is not on this host, expected it to rebuild a file that is not what was unpacked",
        hint=AFRESH,
    )


def _copy(
    reader: Reader,
    member: Member,
    artifact: Artifact,
    *,
    block_size: int,
    plan: Plan,
    staging: Staging,
    progress: Progress,
) -> None:
    """Copy the next member, which is the artifact; the metadata loses the rows of what is not unpacked."""
    if artifact.role != "metadata":
        with staging.file(artifact.path, executable=artifact.executable) as append:
            copy_member(reader, member, artifact, block_size=block_size, write=append, progress=progress)
        return
    whole = bytearray()
    copy_member(reader, member, artifact, block_size=block_size, write=whole.extend, progress=progress)
    staging.write(artifact.path, filtered_rows(bytes(whole), plan.artifacts))


def slow_note(artifacts: Iterable[Artifact]) -> str:
    """Say how many of these take minutes, and which wheels would change that; nothing where none does."""
    artifacts = [one for one in artifacts if one.recipe]
    slow = slow_encoders(artifacts)
    if not slow:
        return ""
    many = [one for one in artifacts if one.recipe and slow.keys() & set(one.recipe.encoders)]
    wheels = sorted({catalog.WHEELS[name] for name in slow if name in catalog.WHEELS})
    cure = f"; install {' and '.join(wheels)} beside uv-bundler to make it fast" if wheels else ""
    reasons = "; ".join(dict.fromkeys(slow.values()))
    return (
        f"{counted(len(many), 'file')}, {show_size(sum(one.size for one in many))}, will be encoded "
        f"in pure Python, which takes minutes: {reasons}{cure}"
    )


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
