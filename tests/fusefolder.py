"""A stick that goes bad, as a folder to read from. Run as a process of its own, it serves FUSE.

    python fusefolder.py FOLDER SOURCE ILLS

FOLDER then has the files of SOURCE. ILLS is a file that is read anew with each request: a line `NAME FIRST LAST` makes
bytes of that file unreadable, `NAME -` the file itself; `pull COUNT` pulls the stick out after so
many reads from then on.
"""

import errno
import stat
import struct
import sys
from pathlib import Path

import fuseloop as fuse


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
        mode = 0o040755 if node == fuse.ROOT else stat.S_IFREG | 0o644
        size = 0 if node == fuse.ROOT else self.files[node - 2].stat().st_size
        return fuse.attributes(node, mode=mode, size=size)

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


def answer(stick, opcode, node, body):  # noqa: PLR0911  # one for each kind of request
    """Return the body of the answer; raises `OSError`."""
    if opcode in (fuse.RELEASE, fuse.RELEASEDIR, fuse.FLUSH):
        return b""
    stick.check()
    if opcode == fuse.LOOKUP:
        names = [one.name.encode() + b"\0" for one in stick.files]
        if body not in names:
            raise OSError(errno.ENOENT, "")
        found = names.index(body) + 2
        return struct.pack("<4Q2I", found, 0, 0, 0, 0, 0) + stick.attributes(found)
    if opcode == fuse.GETATTR:
        return struct.pack("<Q2I", 0, 0, 0) + stick.attributes(node)
    if opcode in (fuse.OPEN, fuse.OPENDIR):
        if opcode == fuse.OPEN:
            stick.check(stick.files[node - 2])
        return struct.pack("<Q2I", 0, fuse.DIRECT if opcode == fuse.OPEN else 0, 0)
    if opcode == fuse.READDIR:
        return stick.listing(*struct.unpack_from("<QI", body, 8))
    if opcode == fuse.READ:
        stick.reads += 1
        _, at, size = struct.unpack_from("<2QI", body)
        path = stick.files[node - 2]
        stick.check(path, at, at + size - 1)
        with path.open("rb") as stream:
            stream.seek(at)
            return stream.read(size)
    if opcode == fuse.STATFS:
        return struct.pack("<5Q4I24x", 1 << 20, 0, 0, 1000, 0, 4096, 255, 4096, 0)
    raise OSError(errno.ENOSYS, "")


def main(folder, source, ills):
    stick = Stick(source, ills)
    fuse.serve(folder, lambda *request: answer(stick, *request), source="stick", options="ro,")


if __name__ == "__main__":
    main(*sys.argv[1:])
