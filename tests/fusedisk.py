"""A disk that lies, as a file: it claims a size and keeps less of it. Run as a process of its own, it serves FUSE.

    python fusedisk.py FOLDER CLAIMED KEPT drop|wrap|fail

FOLDER/disk then has CLAIMED bytes. What lies past KEPT is taken and forgotten (`drop`), or lands on what lies at the
beginning (`wrap`), as cheap fakes do; or a write there is an error (`fail`). A loop device makes a drive of it. The
kernel's protocol is spoken directly (linux/fuse.h, version 7.31), for a disk needs ten of its requests.
"""

import errno
import os
import struct
import subprocess
import sys

_ROOT, _DISK = 1, 2
_LOOKUP, _FORGET, _GETATTR, _SETATTR, _OPEN, _READ, _WRITE = 1, 2, 3, 4, 14, 15, 16
_RELEASE, _FSYNC, _FLUSH, _INIT, _OPENDIR, _RELEASEDIR, _INTERRUPT, _BATCH_FORGET = (
    18,
    20,
    25,
    26,
    27,
    29,
    36,
    42,
)
_LARGEST = 1 << 17  # bytes of one write
_DIRECT = 1  # FOPEN_DIRECT_IO: the kernel keeps no copy of its own of what the disk forgot


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
    mode, size = (0o040755, 0) if node == _ROOT else (0o100600, disk.claimed)
    return struct.pack("<6Q10I", node, size, size >> 9, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(opcode, node, body, disk):  # noqa: PLR0911  # one for each kind of request
    """Return the body of the answer; raises `OSError`."""
    if opcode == _INIT:
        return struct.pack("<4I2H2I2H8I", 7, 31, 0, 0, 12, 10, _LARGEST, 1, 0, 0, *[0] * 8)
    if opcode == _LOOKUP:
        if body != b"disk\0":
            raise OSError(errno.ENOENT, "")
        return struct.pack("<4Q2I", _DISK, 0, 3600, 3600, 0, 0) + attributes(_DISK, disk)
    if opcode in (_GETATTR, _SETATTR):
        return struct.pack("<Q2I", 3600, 0, 0) + attributes(node, disk)
    if opcode in (_OPEN, _OPENDIR):
        return struct.pack("<Q2I", 0, _DIRECT, 0)
    if opcode == _READ:
        _, at, size = struct.unpack_from("<2QI", body)
        return disk.read(at, size)
    if opcode == _WRITE:
        _, at, size = struct.unpack_from("<2QI", body)
        disk.write(at, body[40 : 40 + size])
        return struct.pack("<2I", size, 0)
    if opcode in (_RELEASE, _RELEASEDIR, _FSYNC, _FLUSH):
        return b""
    raise OSError(errno.ENOSYS, "")


def main(folder, claimed, kept, mode):
    disk, handle = Disk(int(claimed), int(kept), mode), os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={handle},rootmode=40000,user_id=0,group_id=0"
    subprocess.run(
        ["mount", "-i", "-t", "fuse", "-o", options, "disk", folder], pass_fds=[handle], check=True
    )
    while True:
        try:
            request = os.read(handle, _LARGEST + 4096)
        except OSError as error:
            if error.errno == errno.ENODEV:  # it was unmounted
                return
            if error.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                continue
            raise
        _, opcode, unique, node = struct.unpack_from("<2I2Q", request)
        if opcode in (_FORGET, _BATCH_FORGET, _INTERRUPT):
            continue
        try:
            body, error = answer(opcode, node, request[40:], disk), 0
        except OSError as fault:
            body, error = b"", -fault.errno
        os.write(handle, struct.pack("<IiQ", 16 + len(body), error, unique) + body)


if __name__ == "__main__":
    main(*sys.argv[1:])
