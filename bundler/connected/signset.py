"""`sign` of a bundle in any files: each is written anew with one signature more in its front (FORMAT.md §17).

They are replaced one after the other, each by one rename: what lies there in between is a set that every
reader takes. Run again after an interruption it signs those that are left, with the same signature.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bundler.arriving.cells import read_cells
from bundler.connected.addsignature import add_signature, refuse_again
from bundler.core.digest import hash_file
from bundler.core.durable import host_faults, read_own, whole_file
from bundler.core.fault import Fault
from bundler.core.index import SUMS_NAME
from bundler.errors import DamagedFault, UsageFault
from bundler.offline.folder import make_one_file
from bundler.offline.signedindex import parse_named
from bundler.signing.sshsig import verify_sshsig
from bundler.signing.trust import NAMESPACE
from bundler.volumes.choosing import choose
from bundler.volumes.fileset import whole_files
from bundler.volumes.source import Source
from bundler.volumes.survey import front_of, list_files, look, open_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bundler.core.progress import Progress
    from bundler.offline.signedindex import SignedIndex
    from bundler.signing.signer import SigningKey
    from bundler.volumes.survey import Seen

_CHUNK = 1 << 20  # bytes copied at a time
_MAX_SUMS = 4 << 20  # bytes of a list of sums: of 10 000 files, with names of 240 characters
_LINE = re.compile(rb"([0-9a-f]{64})  ([^\n]+)\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What was signed: the files that were written anew, and how many signatures each of them has now."""

    files: tuple[Path, ...]
    signatures: int


def sign_files(paths: Sequence[Path], key: SigningKey, *, progress: Progress) -> Signed:
    """Add a signature to every file of the one bundle that `paths` name, and renew lists of their sums.

    On the way each block is compared with the index, and each parity cell with its own digest. Raises
    `DamagedFault` where one differs, and leaves that file as it is; `UsageFault` where all files have a
    signature by this key or there are none; `HostFault` where a folder cannot be written.
    """
    name = " ".join(map(str, paths))
    seen = [look(one) for one in list_files(paths)]
    if not seen:
        raise UsageFault(
            f"{name}: expected a bundle's files in this folder, found none",
            hint=make_one_file(paths) or "name the bundle, or the folder of its volumes",
        )
    found = choose(seen, judge=None, name=name)
    index = parse_named(found.signed, name=name)
    fronts = _fronts(found.files)
    for line in (*found.notes, *(f"{one.path}: {one.fault}: left as it is" for one in found.doubtful)):
        progress.note(line)
    own = {digest: _own(front, key) for digest, front in fronts.items()}
    missing = [one for one in found.files if own[one.front] is None]
    if not missing:  # a run before this one may have been stopped between the last file and its list
        _renew_sums([one.path for one in found.files], {})
        refuse_again(found.signed, key, name=name)
    for one in missing:
        refuse_again(fronts[one.front], key, name=str(one.path))
    known = next(filter(None, own.values()), None)
    signature = known or key.sign(found.signed.raw, namespace=NAMESPACE)
    progress.stage("copy and check", sum(one.size for one in missing))
    most, digests = 0, {}
    for one in missing:
        front = fronts[one.front]
        signatures = (*front.signatures, signature)
        if one.head is None:
            add_signature(one.path, key, signature=signature, progress=progress)
        else:
            digests[one.path] = _rewrite(
                one, Source.of(replace(front, signatures=signatures), index), progress
            )
        most = max(most, len(signatures))
    _renew_sums([one.path for one in found.files], digests)
    return Signed(files=tuple(one.path for one in missing), signatures=most)


def _fronts(files: Iterable[Seen]) -> dict[str | None, SignedIndex]:
    """Return the fronts of the files by what `Seen.front` says: thousands of volumes share one, of MiB."""
    fronts: dict[str | None, SignedIndex] = {}
    for one in files:
        if not one.intact:
            raise _damaged(one, "its index is not the one that was signed")
        if one.front not in fronts:
            fronts[one.front] = front_of(one.path)
    return fronts


def _own(front: SignedIndex, key: SigningKey) -> bytes | None:
    """Return the good signature by this key that is there already."""
    for signature in front.signatures:
        try:
            if verify_sshsig(signature, front.raw, namespace=NAMESPACE) == key.public:
                return signature
        except Fault:
            continue
    return None


def _rewrite(seen: Seen, source: Source, progress: Progress) -> str:
    """Write a volume anew, with another front; return its sha256.

    What was written is read and checked before it takes its place.
    """
    with (
        whole_files(seen.path.parent) as files,
        host_faults(seen.path),
        open_regular(seen.path) as stream,
    ):
        made = files.create(seen.path.name, mode=seen.path.stat().st_mode & 0o777)
        assert seen.head is not None  # noqa: S101
        made.write(source.opening(seen.head))
        stream.seek(seen.start)
        while data := stream.read(_CHUNK):
            made.write(data)
            progress.advance(len(data))
        made.finish()
        written = look(made.temporary)
        if not (written.head == seen.head and read_cells(source.index, written).flawless):
            raise _damaged(seen, "not all of it is as it was written")
    return made.sha256


def _renew_sums(files: Iterable[Path], digests: dict[Path, str]) -> None:
    """Put the digests as they are now into the lists of sums that lie beside the files."""
    known = {(one.parent, os.fsencode(one.name)): one for one in files}
    for folder in sorted({folder for folder, _ in known}):
        with host_faults(folder):
            named = sorted(one for one in folder.iterdir() if one.name.endswith(SUMS_NAME))
            lists = [one for one in named if one.is_file() and not one.is_symlink()]  # no others are ours
        for listed in lists:
            with host_faults(listed):
                text = read_own(listed, limit=_MAX_SUMS)
            lines = _LINE.findall(text)
            if b"".join(b"%s  %s\n" % line for line in lines) != text:
                continue  # it is none of ours
            renewed = []
            for digest, name in lines:
                if (file := known.get((folder, name))) and file not in digests:
                    with host_faults(file):
                        digests[file] = hash_file(file)[0].hex
                renewed.append((digests[file].encode() if file else digest, name))
            if renewed != lines:
                with whole_file(listed) as out:
                    out.write(b"".join(b"%s  %s\n" % line for line in renewed))


def _damaged(seen: Seen, what: str) -> DamagedFault:
    return DamagedFault(
        f"{seen.path}: {what}, expected a file that is whole",
        hint="what is damaged is not signed: write good files first, with uv-bundler repair",
    )
