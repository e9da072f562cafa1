"""A disk that lies, as a file: it claims a size and keeps less of it. Run as a process of its own, it serves FUSE.

    python fusedisk.py FOLDER CLAIMED KEPT drop|wrap|fail

FOLDER/disk then has CLAIMED bytes. What lies past KEPT is taken and forgotten (`drop`), or lands on what lies at the
beginning (`wrap`), as cheap fakes do; or a write there is an error (`fail`). A loop device makes a drive of it.
"""

import errno
import struct
import sys

import fuseloop as fuse

_DISK = 2


class Disk:
    """What is kept, and what becomes of the rest."""

    def __init__(self, claimed, kept, mode):
        self.claimed, self.kept, self.mode = claimed, kept, mode
        self.content = bytearray(kept)

    def read(self, at, size):
        size = max(0, min(size, self.claimed - at))
        if self.mode == "wrap":
            at %= self.kept
            first = self.content[at : at + size]
            return bytes(first + self.content[: size - len(first)])
        return bytes(self.content[at : at + size]).ljust(size, b"\0")

    def write(self, at, data):
        if self.mode == "fail" and at + len(data) > self.kept:
            raise OSError(errno.EIO, "the disk ends here")
        if self.mode == "wrap":
            at %= self.kept
            fits = data[: self.kept - at]
            self.content[at : at + len(fits)] = fits
            self.content[: len(data) - len(fits)] = data[len(fits) :]
        elif at < self.kept:
            end = min(at + len(data), self.kept)
            self.content[at:end] = data[: end - at]


def attributes(node, disk):
    mode, size = (0o040755, 0) if node == fuse.ROOT else (0o100600, disk.claimed)
    return fuse.attributes(node, mode=mode, size=size)


def answer(disk, opcode, node, body):
    """Return the body of the answer; raises `OSError`."""
    if opcode == fuse.LOOKUP:
        if body != b"disk\0":
            raise OSError(errno.ENOENT, "")
        return struct.pack("<4Q2I", _DISK, 0, 3600, 3600, 0, 0) + attributes(_DISK, disk)
    if opcode in (fuse.GETATTR, fuse.SETATTR):
        return struct.pack("<Q2I", 3600, 0, 0) + attributes(node, disk)
    if opcode in (fuse.OPEN, fuse.OPENDIR):
        return struct.pack("<Q2I", 0, fuse.DIRECT, 0)  # the kernel has no copy of what the disk forgot
    if opcode == fuse.READ:
        _, at, size = struct.unpack_from("<2QI", body)
        return disk.read(at, size)
    if opcode == fuse.WRITE:
        _, at, size = struct.unpack_from("<2QI", body)
        disk.write(at, body[40 : 40 + size])
        return struct.pack("<2I", size, 0)
    if opcode in (fuse.RELEASE, fuse.RELEASEDIR, fuse.FSYNC, fuse.FLUSH):
        return b""
    raise OSError(errno.ENOSYS, "")


def main(folder, claimed, kept, mode):
    disk = Disk(int(claimed), int(kept), mode)
    fuse.serve(folder, lambda *request: answer(disk, *request), source="disk")


if __name__ == "__main__":
    main(*sys.argv[1:])
