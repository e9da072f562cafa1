"""Archives as those of interpreters are, each member as the test wants it."""

from __future__ import annotations

import io
import tarfile

import zstandard


def member(name, *, kind=tarfile.REGTYPE, link="", mode=0o644, data=b"x"):
    """Return a member and its content."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    info.size = len(data) if kind == tarfile.REGTYPE else 0
    return info, data


def tar(*entries):
    """Return a tar of these members, not compressed."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def write(path, *entries):
    """Write the archive in the form that its name says, and return its path."""
    data = tar(*entries)
    if path.name.endswith(".zst"):
        path.write_bytes(zstandard.compress(data))
    else:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for info, content in entries:
                archive.addfile(info, io.BytesIO(content))
        path.write_bytes(packed.getvalue())
    return path
