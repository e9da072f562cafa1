"""The content of an earlier archive, as a host will have it: inflated, and known by what lies where in it.

A host inflates gzip with Python's zlib and takes no archive that is anything but gzip members whose sums are
right (`bundler.offline.streams`). What is not exactly that is no reference, or one as it is.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bundler.connected import tarparts
from bundler.connected.cutting import mapped
from bundler.connected.gzipparts import Deflated, cut_gzip
from bundler.connected.streams import without_versions
from bundler.core.digest import hash_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import BinaryIO

    from bundler.connected.gzipparts import Part
    from bundler.core.digest import Digest

_WHEEL: Final = re.compile(r"[^/]+\.whl\.d/")
_TRAILER: Final = 8  # bytes of CRC32 and ISIZE (RFC 1952, 2.3.1)
_FHCRC: Final = 0x02
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldContent:
    """What a host has of an earlier artifact: its content, and where in it which file lies."""

    sha256: Digest
    size: int
    inflate: bool
    view: memoryview
    entries: Sequence[tarparts.Entry] = ()
    by_digest: dict[bytes, list[tarparts.Entry]] = field(default_factory=dict)
    by_path: dict[str, tarparts.Entry] = field(default_factory=dict)
    by_name: dict[str, tarparts.Entry] = field(default_factory=dict)  # without numbers of versions

    def old_version(self, name: str) -> tarparts.Entry | None:
        """Return the file that had this path, but for the numbers of versions in it.

        A file in a wheel was installed beside it: that is where its bytes can be had.
        """
        found = self.by_name.get(without_versions(name))
        if found is None and (inside := _WHEEL.search(name)):
            library = name[: inside.start()].partition("ensurepip/")[0]
            found = self.by_name.get(without_versions(f"{library}site-packages/{name[inside.end() :]}"))
        return found


def whole_content(sha256: Digest, file: Path) -> HeldContent:
    """Return a file's content as it is, for programs of uv."""
    view = mapped(file)
    return HeldContent(sha256=sha256, size=len(view), inflate=False, view=view)


def inflated_content(sha256: Digest, file: Path, spool: Path) -> HeldContent | None:
    """Return what an archive inflates to, in `spool`; None where it is not exactly gzip of a tar."""
    if hash_file(file)[0] != sha256:
        return None
    with file.open("rb") as source, spool.open("w+b") as out:
        parts = cut_gzip(source, out)
        out.flush()
        view = mapped(spool)
        size = source.seek(0, 2)
        if not _is_exact(parts, source, view):
            return None
    entries, _ = tarparts.cut_tar(view)
    if not entries:
        return None
    held = HeldContent(sha256=sha256, size=size, inflate=True, view=view, entries=entries)
    for entry in entries:
        held.by_path.setdefault(entry.name, entry)
        if entry.size:
            digest = hashlib.sha256(view[entry.data : entry.data + entry.size]).digest()
            held.by_digest.setdefault(digest, []).append(entry)
            held.by_name.setdefault(without_versions(entry.name), entry)
    return held


def _is_exact(parts: Sequence[Part], source: BinaryIO, view: memoryview) -> bool:
    """Tell whether the file is gzip members, each with the sum and size of its content, and nothing else."""
    members, between = parts[1::2], parts[::2]
    if not members or len(between) != len(members) + 1 or between[-1].length != _TRAILER:
        return False
    for number, member in enumerate(members):
        if not isinstance(member, Deflated):
            return False
        before, after = between[number], between[number + 1]
        source.seek(before.offset + (_TRAILER if number else 0) + 3)
        if source.read(1)[0] & _FHCRC:
            return False
        source.seek(after.offset)
        trailer = source.read(_TRAILER)
        crc = _crc(view[member.content : member.content + member.size])
        if trailer != crc.to_bytes(4, "little") + (member.size % 2**32).to_bytes(4, "little"):
            return False
    return True


def _crc(data: memoryview) -> int:
    state = 0
    for at in range(0, len(data), _CHUNK):
        state = zlib.crc32(data[at : at + _CHUNK], state)
    return state
