"""A set of volumes on drives that come one after the other, and the folder in which `collect` brings it together."""

from __future__ import annotations

import os
import shutil

from bundles import PACKER
from cli import bundler
from volumes import make_set

from bundler.core import ustar

STEM = "plant-7-7"


class Desk:
    """Volumes as they were written, drives with some of them, and the folder in which they come together."""

    def __init__(self, folder, bundle, **cut):
        self.folder, self.into, self.bundle = folder, folder / "into", bundle
        self.trust = folder / "packer.pub"
        self.trust.write_text(f"{PACKER.key} packer@site\n")
        self.files = make_set(bundle, folder / "set", **cut)

    def name(self, number):
        """Return what `collect` calls the file with this place in the set."""
        return self.files[number].name.replace("q4", STEM, 1)

    def drive(self, name, *numbers):
        """Return a drive with these files of the set, by their places, from 0."""
        drive = self.folder / name
        drive.mkdir(exist_ok=True)
        for number in numbers:
            shutil.copy(self.files[number], drive)
        return drive

    def collect(self, *words, **env):
        """Collect into the folder from the drives that are named."""
        return bundler("collect", *words, "--into", self.into, "--trust", self.trust, **env)

    def there(self):
        """Return the names of the files in the folder."""
        return sorted(one.name for one in self.into.iterdir() if one.name[0] != ".")

    def same(self, number):
        """Tell whether the folder has this file of the set, byte for byte."""
        return (self.into / self.name(number)).read_bytes() == self.files[number].read_bytes()


def spoil(path, at, count=1):
    """Change bytes of a file; its time stays, as rot leaves it."""
    facts, data = path.stat(), bytearray(path.read_bytes())
    at = range(len(data))[at]
    for place in range(at, min(at + count, len(data))):
        data[place] ^= 0xFF
    path.write_bytes(data)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def content_of(path, number):
    """Return where the content of that block of a volume lies, by the headers of `tar`."""
    data, at, found = path.read_bytes(), 0, []
    while data[at] != 0:
        name, size = ustar.parse_header(data[at : at + 512])
        if name.startswith(("blocks/", "parity/")):
            found.append(at + 512)
        at += ustar.stored_size(size)
    return found[number]
