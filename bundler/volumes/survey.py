"""Which files belong to which bundle, told by their fronts; nothing signed is parsed (FORMAT.md §17).

Of each file the headers, the bytes of the front, the first line of `VOLUME` and the size are looked at.
What a file claims here is proved later, block by block.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bundler.core import ustar
from bundler.core.durable import host_faults
from bundler.core.fault import Fault
from bundler.core.index import INDEX_NAME, SUMS_NAME
from bundler.core.volumehead import (
    MAX_VOLUME_BYTES,
    RESEND,
    VOLUME_NAME,
    Head,
    number_in_name,
    volume_name,
)
from bundler.errors import BundlerError, HostFault, UsageFault
from bundler.offline.reader import BundleReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bundler.offline.signedindex import SignedIndex

MAX_FILES = 20_000  # in one folder: more is no medium that a bundle was written to
_HEADER = ustar.header(INDEX_NAME, 0)[:100]  # the field of the name, by which a file is looked at closer


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A file that may be part of a bundle; sizes and places are in bytes from its beginning.

    `index` is the digest of the index that it claims to belong to, `front` what tells one front from others,
    `start` where the payload or the cells begin. Where the front cannot be read `fault` says why,
    and `unread` whether the system says so.
    """

    path: Path
    size: int
    index: str | None = None
    front: str | None = None
    start: int = 0
    head: Head | None = None  # None for a bundle in one file
    volume: str | None = None  # the sha256 of all of `VOLUME`
    fault: str | None = None
    intact: bool = False  # the index is the one that the file claims to belong to
    unread: bool = False

    @property
    def title(self) -> str:
        """What the file says that it is: `volume 3 of 40`, `the whole bundle`."""
        return self.head.title if self.head else "the whole bundle"

    @property
    def is_supplement(self) -> bool:
        """Whether the file says that it holds blocks which were sent once more."""
        return self.head is not None and self.head.kind == RESEND

    @property
    def misnamed(self) -> bool:
        """Whether the file has a volume's name, but another one's than it is."""
        named = number_in_name(self.path.name)
        if named is None or self.is_supplement:
            return False
        if self.head is None:
            return self.fault is None
        return number_in_name(volume_name("x", self.head)) != named


def list_files(paths: Iterable[Path], *, by_name: bool = False) -> Iterator[Path]:
    """Yield the files that `paths` name: themselves, and in folders what may be part of a bundle.

    In a folder that is each regular file which is called .uvb, or begins as a bundle does, but no `._`
    companion of macOS; those called .uvb alone where it goes `by_name`, and no file is opened. Raises
    `UsageFault` for a path that is not there or a folder of too many entries, and `HostFault`.
    """
    seen: set[Path] = set()
    for path in paths:
        with host_faults(path):
            if not path.exists():
                raise UsageFault(
                    f"{path}: no such file or folder, expected a bundle",
                    hint="check the path, and `ls` the medium",
                )
            found = _in_folder(path, by_name=by_name) if path.is_dir() else [path]
            for one in found:
                if (real := one.resolve()) not in seen:
                    seen.add(real)
                    yield one


def companions(folder: Path) -> list[str]:
    """Return the names of `._` files in a folder, which macOS puts beside each file of a foreign medium.

    Raises `HostFault`.
    """
    with host_faults(folder):
        return sorted(one.name for one in folder.iterdir() if _called(one.name) and one.name[:2] == "._")


def _called(name: str) -> bool:
    return name.lower().endswith(".uvb")


def _in_folder(folder: Path, *, by_name: bool) -> list[Path]:
    found = []
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number == MAX_FILES:
                raise UsageFault(
                    f"{folder}: has more than {MAX_FILES} entries, expected a folder of a bundle's files",
                    hint="name the files themselves",
                )
            if not entry.is_file(follow_symlinks=False) or entry.name.startswith((".", "_.")):
                continue  # a half-written file of ours begins with a dot, too
            if _called(entry.name) or (not by_name and _begins_as_bundle(Path(entry.path))):
                found.append(Path(entry.path))
    return sorted(found, key=lambda one: one.name)


def _begins_as_bundle(path: Path) -> bool:
    try:
        with open_regular(path, follow=False) as stream:
            return stream.read(len(_HEADER)) == _HEADER
    except (OSError, BundlerError):
        return False  # it is not called as one of ours: what it is does not matter


def look_at(paths: Iterable[Path]) -> list[Seen]:
    """Look at each of the files; of one that cannot be read the others may have what it has.

    Raises `HostFault` where none of them can be, and `UsageFault` for what is no regular file.
    """
    seen, first = [], None
    for path in paths:
        try:
            one = look(path)
        except HostFault as fault:
            first = first or fault
            one = Seen(path=path, size=0, fault=fault.message.removeprefix(f"{path}: "), unread=True)
        seen.append(one)
    if seen and all(one.unread for one in seen):
        raise first or HostFault(
            f"{seen[0].path}: {seen[0].fault}",
            hint="is the medium still plugged in? look at `dmesg`, and try another port or another reader",
        )
    return seen


def look(path: Path, *, follow: bool = True) -> Seen:
    """Look at one file; what is no part of any bundle comes back with its `fault`.

    Without `follow` a symbolic link is refused. Raises `UsageFault` for what is no regular file, `HostFault`.
    """
    with open_regular(path, follow=follow) as stream, host_faults(path):
        size = stream.seek(0, os.SEEK_END)
        try:
            return _look(stream, path, size)
        except HostFault as fault:  # a bad sector in the front: other files have it, too
            said = fault.message.removeprefix(f"{path}: ")
            return Seen(path=path, size=size, fault=said, unread=True)
        except OSError as error:
            return Seen(path=path, size=size, fault=error.strerror or str(error), unread=True)
        except BundlerError as fault:
            return Seen(path=path, size=size, fault=fault.message.removeprefix(f"{path}: "))
        except Fault as fault:
            return Seen(path=path, size=size, fault=str(fault))


def _look(stream: BinaryIO, path: Path, size: int) -> Seen:
    """Return what a file of this size says that it is. Raises `BundlerError`, `Fault`, `OSError`."""
    stream.seek(0)
    reader = BundleReader(stream, name=str(path))
    signed = reader.read_front()
    start, name, count = reader.payload_offset, *reader.next_member
    digest = signed.digest
    front = _front_digest(signed, digest)
    if name == SUMS_NAME:
        return Seen(path=path, size=size, index=digest, front=front, start=start, intact=True)
    if name != VOLUME_NAME or count > MAX_VOLUME_BYTES:
        raise Fault(f"expected {SUMS_NAME} or {VOLUME_NAME} after the front, found {name!r}")
    stream.seek(start + ustar.BLOCK)
    volume = stream.read(count)
    head = Head.parse(volume)
    return Seen(
        path=path,
        size=size,
        index=head.index,
        front=front,
        start=start + ustar.stored_size(count),
        head=head,
        volume=hashlib.sha256(volume).hexdigest(),
        intact=digest == head.index,
    )


def _front_digest(signed: SignedIndex, digest: str) -> str:
    """Return what tells this front from others: all of it but the index comes after the index's digest.

    The headers between are functions of the sizes, so two fronts with one digest are the same bytes.
    """
    parts = [digest.encode(), *signed.signatures]
    for document in signed.chain:
        parts += [b"%d" % document.number, document.raw, *document.signatures]
    state = hashlib.sha256()
    for part in parts:
        state.update(b"%d:" % len(part) + part)
    return state.hexdigest()


def front_of(path: Path, *, follow: bool = True) -> SignedIndex:
    """Return what stands before the payload or the cells of a bundle or a volume; nothing of it is verified.

    Without `follow` a symbolic link is refused. Raises `DamagedFault`, `SignatureFault`, `UsageFault` for
    what is no regular file, `HostFault`.
    """
    with open_regular(path, follow=follow) as stream:
        return BundleReader(stream, name=str(path)).read_front()


def open_regular(path: Path, *, follow: bool = True) -> BinaryIO:
    """Open a regular file for reading, unbuffered; never waits for a FIFO.

    Raises `UsageFault` for anything else than a regular file, and `HostFault`.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not follow:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    with host_faults(path):
        handle = os.open(path, flags)
        stream = os.fdopen(handle, "rb", buffering=0)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            stream.close()
            raise UsageFault(f"{path}: is no regular file, expected a volume", hint="name files or folders")
        return stream
