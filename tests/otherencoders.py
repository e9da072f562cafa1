"""Encoders that are installed and are not the ones that they claim to be, and a progress that remembers."""

from deflatedparts import encoded, tar_of

from bundler.core.progress import Silent
from bundler.deflate import catalog

TAR = tar_of(a_py=b"import os\n" * 500, b_txt=b"text " * 300)


class Changed:
    """A native encoder that sings its canary, and encodes other content at another level."""

    def __init__(self, name):
        self._data, self._name = bytearray(), name

    def feed(self, data):
        self._data += data
        return b""

    def finish(self):
        canary = catalog.canary()
        return encoded(self._name if self._data == canary else "zlib-1-8", bytes(self._data))


class Failing(Changed):
    """A native encoder that sings its canary, and fails with other content."""

    def finish(self):
        if self._data != catalog.canary():
            raise RuntimeError("out of order")
        return super().finish()


def installed(monkeypatch, singer, name="zlib-6-8"):
    """Let `singer` be what is installed for this name."""
    encoded(name, catalog.canary())
    encoded(name, TAR)  # by what is really there
    catalog._shortcut.cache_clear()
    real = catalog._maker
    monkeypatch.setattr(catalog, "_maker", lambda one: (lambda: singer(one)) if one == name else real(one))


class Told(Silent):
    """A progress that remembers what was said, and adds up what was done."""

    def __init__(self):
        self.notes, self.advanced = [], 0

    def note(self, line):
        self.notes.append(line)

    def advance(self, count):
        self.advanced += count
