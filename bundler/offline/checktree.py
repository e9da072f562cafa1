"""`doctor` on the files of a generation: present, whole, readable by all, writable by their owner only."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from bundler.core import metadata
from bundler.core.digest import Digest, hash_file
from bundler.core.durable import read_own
from bundler.core.fault import Fault
from bundler.core.index import INDEX_NAME, MAX_INDEX_BYTES, METADATA_NAME
from bundler.core.uvnames import mirror_path
from bundler.offline.exporting import host_uv
from bundler.offline.findings import command, ok, problem, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundler.core.index import Artifact, Index
    from bundler.core.progress import Progress
    from bundler.offline.findings import Finding
    from bundler.offline.generation import Generation
    from bundler.offline.prefix import Prefix

SHOWN = 5  # findings of one kind that are shown, the others are counted
AGAIN = "unpack the bundle again: what is missing is written anew"


def check_tree(
    generation: Generation, index: Index, *, prefix: Prefix, check_digests: bool, progress: Progress
) -> list[Finding]:
    """Compare the generation with its index; with `check_digests`, read and hash every file too."""
    artifacts = generation.artifacts(index)
    found = [*_first(_files(generation, artifacts), "files")]
    found += _first(_modes(generation, artifacts, prefix), "modes")
    found += [*_records(generation), *_metadata(generation, artifacts), *_binaries(generation, index)]
    if check_digests:
        found += _first(_digests(generation, artifacts, progress), "digests")
    if not found:
        count = sum(1 + len(one.links) for one in artifacts)
        checked = "digests" if check_digests else "sizes"
        found = [ok(f"{generation.folder}: {count} files, {checked} and modes as the index says")]
    return found + _reachable(prefix)


def _anew(generation: Generation) -> str:
    """Say how to replace a generation of which unpack would find that it is active already."""
    return f"remove the link {generation.folder.parent.parent / 'current'}, then unpack the bundle again"


def _first(findings: Iterator[Finding], what: str) -> list[Finding]:
    every = list(findings)
    if len(every) <= SHOWN:
        return every
    more = problem(f"{what}: {len(every) - SHOWN} more of this kind", fix="mend these, then run doctor again")
    return [*every[:SHOWN], more]


def _files(generation: Generation, artifacts: tuple[Artifact, ...]) -> Iterator[Finding]:
    for artifact in artifacts:
        for path in (artifact.path, *artifact.links):
            place = generation.folder / path
            try:
                state = place.lstat()
            except OSError as error:
                closed = isinstance(error, PermissionError)
                fix = (
                    f"as its owner: {command('chmod', '-R', 'a+rX', generation.folder)}" if closed else AGAIN
                )
                yield problem(f"{place}: {error.strerror}, expected a file", fix=fix)
                continue
            if not stat.S_ISREG(state.st_mode):
                yield problem(f"{place}: is no regular file", fix=AGAIN)
            elif artifact.role != "metadata" and state.st_size != artifact.size:
                yield problem(f"{place}: {state.st_size} bytes, expected {artifact.size}", fix=AGAIN)


def _modes(generation: Generation, artifacts: tuple[Artifact, ...], prefix: Prefix) -> Iterator[Finding]:
    if os.name == "nt":  # rights are inherited from the prefix there
        return
    executables = {path for one in artifacts if one.executable for path in (one.path, *one.links)}
    for folder in (prefix.root, prefix.generations):
        yield from _mode(folder, needed=0o555)
    yield from _mode(generation.folder, needed=0o555)
    for top, folders, names in os.walk(generation.folder):
        for name in folders:  # here, because the walk leaves out silently what it cannot enter
            yield from _mode(Path(top, name), needed=0o555)
        for name in names:
            place = Path(top, name)
            path = place.relative_to(generation.folder).as_posix()
            executable = path in executables or path.startswith("bin/")
            yield from _mode(place, needed=0o555 if executable else 0o444)


def _mode(place: Path, *, needed: int) -> Iterator[Finding]:
    try:
        state = place.lstat()
    except OSError:
        return
    if stat.S_ISLNK(state.st_mode):
        return
    mode = stat.S_IMODE(state.st_mode)
    if mode & needed != needed:
        right = "a+rx" if needed & 0o111 else "a+r"
        yield problem(
            f"{place}: mode is {mode:04o}, expected that everybody may "
            + ("read and search it" if place.is_dir() else "run it" if needed & 0o111 else "read it"),
            fix=command("chmod", right, place),
        )
    if mode & 0o022:
        yield problem(
            f"{place}: mode is {mode:04o}, expected that only its owner may write to it",
            fix=command("chmod", "go-w", place),
        )


def _records(generation: Generation) -> Iterator[Finding]:
    if (
        Digest.of(read_own(generation.folder / INDEX_NAME, limit=MAX_INDEX_BYTES)).hex
        != generation.index_sha256
    ):
        yield problem(
            f"{generation.folder / INDEX_NAME}: is not the index that was verified when it was unpacked",
            fix=f"find out who changed it; {_anew(generation)}",
        )
    for name in (f"{INDEX_NAME}.sig", "uv.toml"):
        if not os.path.isfile(generation.folder / name):  # noqa: PTH113  # Path's raises in closed folders
            yield problem(f"{generation.folder / name}: missing", fix=_anew(generation))


def _metadata(generation: Generation, artifacts: tuple[Artifact, ...]) -> Iterator[Finding]:
    held = {path for one in artifacts for path in (one.path, *one.links)}  # the files were looked at already
    place = generation.folder / METADATA_NAME
    try:
        rows = metadata.parse_rows(read_own(place, limit=metadata.MAX_BYTES))
    except FileNotFoundError:
        return  # said by the files already, where the bundle has one
    except (OSError, Fault) as error:
        yield problem(f"{place}: {error}, expected rows that uv reads", fix=_anew(generation))
        return
    for row in rows:
        try:
            there = mirror_path(row.url) in held
        except Fault:
            there = False
        if not there:
            yield problem(
                f"{place}: lists {row.key}, whose archive is not in the mirror tree", fix=_anew(generation)
            )


def _binaries(generation: Generation, index: Index) -> Iterator[Finding]:
    for artifact in host_uv(generation.artifacts(index), uv=generation.uv, host=generation.host):
        place = generation.folder / "bin" / artifact.path.rpartition("/")[2]
        there = os.path.isfile(place)  # noqa: PTH113  # Path's raises in closed folders
        if not there or place.stat().st_size != artifact.size:
            yield problem(f"{place}: is not the uv of the bundle", fix=_anew(generation))


def _digests(
    generation: Generation, artifacts: tuple[Artifact, ...], progress: Progress
) -> Iterator[Finding]:
    progress.stage("check digests", sum(one.size for one in artifacts))
    for artifact in artifacts:
        if artifact.role == "metadata":  # filtered when it was unpacked
            continue
        hashed: set[tuple[int, int]] = set()
        for path in (artifact.path, *artifact.links):
            place = generation.folder / path
            try:
                state = place.stat()
                if not stat.S_ISREG(state.st_mode):
                    continue
                if (state.st_dev, state.st_ino) in hashed:  # a hard link to what was just read
                    continue
                digest, _ = hash_file(place, progress=progress)
            except OSError:
                continue  # said by the files already
            hashed.add((state.st_dev, state.st_ino))
            if digest != artifact.sha256:
                yield problem(
                    f"{place}: sha256 is {digest}, expected {artifact.sha256}", fix=_anew(generation)
                )


def _reachable(prefix: Prefix) -> list[Finding]:
    """Look at the folders above the prefix, where it belongs to root and so is meant for everybody."""
    if os.name == "nt" or prefix.root.stat().st_uid != 0:
        return []
    closed = [one for one in prefix.root.parents if not one.stat().st_mode & 0o001]
    return [
        warn(
            f"{folder}: mode is {stat.S_IMODE(folder.stat().st_mode):04o}, others cannot reach {prefix.root}",
            fix=command("chmod", "a+x", folder),
        )
        for folder in closed
    ]
