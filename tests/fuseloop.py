"""The loop of a FUSE server whose file system is a few lines: the kernel's protocol is spoken directly.

The messages are those of linux/fuse.h, version 7.31. What is built on this runs as a process of its own
(`fusedisk`, `fusefolder`) and answers the few requests that its test makes; all others are ENOSYS.
"""

import errno
import os
import struct
import subprocess

ROOT = 1  # the node of the folder at which it is mounted
LOOKUP, FORGET, GETATTR, SETATTR = 1, 2, 3, 4
OPEN, READ, WRITE, STATFS, RELEASE, FSYNC, FLUSH = 14, 15, 16, 17, 18, 20, 25
INIT, OPENDIR, READDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = 26, 27, 28, 29, 36, 42
DIRECT = 1  # FOPEN_DIRECT_IO: the kernel keeps no copy of its own and reads nothing ahead
_LARGEST = 1 << 17  # bytes of one write


def attributes(node, *, mode, size):
    """Return `struct fuse_attr` of a node."""
    return struct.pack("<6Q10I", node, size, size >> 9, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def serve(folder, answer, *, source, options=""):
    """Mount at `folder` and answer until it is unmounted.

    `answer(opcode, node, body)` returns the body of the answer, or raises `OSError`. `source` is the name that the
    list of mounts shows; `options` stand before those that FUSE needs.
    """
    handle = os.open("/dev/fuse", os.O_RDWR)
    options += f"fd={handle},rootmode=40000,user_id=0,group_id=0"
    subprocess.run(
        ["mount", "-i", "-t", "fuse", "-o", options, source, folder], pass_fds=[handle], check=True
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
        if opcode in (FORGET, BATCH_FORGET, INTERRUPT):  # no answer is expected
            continue
        try:
            body, error = _begun() if opcode == INIT else answer(opcode, node, request[40:]), 0
        except OSError as fault:
            body, error = b"", -fault.errno
        os.write(handle, struct.pack("<IiQ", 16 + len(body), error, unique) + body)


def _begun():
    """Return `struct fuse_init_out`."""
    return struct.pack("<4I2H2I2H8I", 7, 31, 0, 0, 12, 10, _LARGEST, 1, 0, 0, *[0] * 8)
