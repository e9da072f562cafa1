"""Bundles in memory, verified from a file or from what never goes back, such as a pipe."""

import io

from bundles import PACKER

from bundler.core.progress import Silent
from bundler.offline.verify import verify_bundle


def verified(data, *, trust=PACKER.trust, stream=io.BytesIO):
    """Verify the bytes of a bundle, read as that stream; raises as the command does."""
    return verify_bundle(stream(data), name="q4.uvb", trust=trust, progress=Silent())


class OneWay(io.RawIOBase):
    """A stream such as a pipe: it gives what it likes, and never goes back."""

    def __init__(self, data):
        self._inner = io.BytesIO(data)

    def readable(self):
        return True

    def seekable(self):
        return False

    def readinto(self, buffer):
        data = self._inner.read(min(len(buffer), 7001))
        buffer[: len(data)] = data
        return len(data)
