"""A stick that goes bad, as a folder to read from. Run as a process of its own, it serves FUSE.

    python fusefolder.py FOLDER SOURCE ILLS

FOLDER then has the files of SOURCE. ILLS is a file that is read anew with each request: a line `NAME FIRST LAST` makes
bytes of that file unreadable, `NAME -` the file itself; `pull COUNT` pulls the stick out after so
many reads from then on.
"""

import errno
import os
import stat
import struct
import subprocess
import sys
from pathlib import Path

_ROOT = 1
_LOOKUP, _FORGET, _GETATTR, _OPEN, _READ, _STATFS, _RELEASE = 1, 2, 3, 14, 15, 17, 18
_FLUSH, _INIT, _OPENDIR, _READDIR, _RELEASEDIR, _INTERRUPT, _BATCH_FORGET = 25, 26, 27, 28, 29, 36, 42
_LARGEST = 1 << 17
_DIRECT = 1  # FOPEN_DIRECT_IO: what cannot be read is told, and nothing is read ahead


class Stick:
    """The files, by their node from 2."""

    def __init__(self, source, ills):
        self.files, self.ills = sorted(Path(source).iterdir()), Path(ills)
        self.said, self.reads = "", 0

    def check(self, path=None, first=0, last=-1):
        """Raise the error of a medium that is gone, or cannot give these bytes."""
        if (said := self.ills.read_text()) != self.said:
            self.said, self.reads = said, 0
        for line in said.splitlines():
            name, *places = line.split()
            if name == "pull" and self.reads >= int(places[0]):
                raise OSError(errno.ENODEV, "")
            if path and name == path.name:
                if places == ["-"]:
                    raise OSError(errno.EIO, "")
                if int(places[0]) <= last and first <= int(places[1]):
                    raise OSError(errno.EIO, "")

    def attributes(self, node):
        mode = 0o040755 if node == _ROOT else stat.S_IFREG | 0o644
        size = 0 if node == _ROOT else self.files[node - 2].stat().st_size
        return struct.pack("<6Q10I", node, size, size >> 9, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def listing(self, begin, room):
        found = b""
        for number, path in enumerate(self.files[begin:], begin + 1):
            name = path.name.encode()
            entry = struct.pack("<2Q2I", number + 1, number, len(name), 8) + name
            entry += bytes(-len(entry) % 8)
            if len(found) + len(entry) > room:
                break
            found += entry
        return found


def answer(opcode, node, body, stick):  # noqa: C901, PLR0911  # one for each kind of request
    """Return the body of the answer; raises `OSError`."""
    if opcode == _INIT:
        return struct.pack("<4I2H2I2H8I", 7, 31, 0, 0, 12, 10, _LARGEST, 1, 0, 0, *[0] * 8)
    if opcode in (_RELEASE, _RELEASEDIR, _FLUSH):
        return b""
    stick.check()
    if opcode == _LOOKUP:
        names = [one.name.encode() + b"\0" for one in stick.files]
        if body not in names:
            raise OSError(errno.ENOENT, "")
        found = names.index(body) + 2
        return struct.pack("<4Q2I", found, 0, 0, 0, 0, 0) + stick.attributes(found)
    if opcode == _GETATTR:
        return struct.pack("<Q2I", 0, 0, 0) + stick.attributes(node)
    if opcode in (_OPEN, _OPENDIR):
        if opcode == _OPEN:
            stick.check(stick.files[node - 2])
        return struct.pack("<Q2I", 0, _DIRECT if opcode == _OPEN else 0, 0)
    if opcode == _READDIR:
        return stick.listing(*struct.unpack_from("<QI", body, 8))
    if opcode == _READ:
        stick.reads += 1
        _, at, size = struct.unpack_from("<2QI", body)
        path = stick.files[node - 2]
        stick.check(path, at, at + size - 1)
        with path.open("rb") as stream:
            stream.seek(at)
            return stream.read(size)
    if opcode == _STATFS:
        return struct.pack("<5Q4I24x", 1 << 20, 0, 0, 1000, 0, 4096, 255, 4096, 0)
    raise OSError(errno.ENOSYS, "")


def main(folder, source, ills):
    stick, handle = Stick(source, ills), os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={handle},rootmode=40000,user_id=0,group_id=0"
    subprocess.run(
        ["mount", "-i", "-t", "fuse", "-o", f"ro,{options}", "stick", folder], pass_fds=[handle], check=True
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
            body, error = answer(opcode, node, request[40:], stick), 0
        except OSError as fault:
            body, error = b"", -fault.errno
        os.write(handle, struct.pack("<IiQ", 16 + len(body), error, unique) + body)


if __name__ == "__main__":
    main(*sys.argv[1:])
