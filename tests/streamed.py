"""Bundles of many GiB that exist only while they are read, and a disk that keeps no zeros."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import giants
from bundles import PACKER
from cli import Done, environment

from bundler.connected.bundlewriter import front
from bundler.core import ustar

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
GIB = 1 << 30
_KINDS = 251  # different blocks: prime, so that no row and no volume has the same ones at the same places
# What split and repair write has holes where it has zeros. Linux keeps the peak of this very program in VmHWM.
_WRAPPED = """
import os, resource, stat, sys
zeros = bytes(4096)
write, sync = os.write, os.fsync

def sparse(handle, data):
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        return write(handle, data)
    pages, begin = [data[at : at + 4096] for at in range(0, len(data), 4096)], 0
    for number, page in enumerate(pages):
        if page != zeros[:len(page)]:
            continue
        put(handle, b"".join(pages[begin:number]))
        os.lseek(handle, len(page), os.SEEK_CUR)
        begin = number + 1
    put(handle, b"".join(pages[begin:]))
    return len(data)

def put(handle, data):
    while data:
        data = data[write(handle, data):]

def sync_whole(handle):
    if stat.S_ISREG(os.fstat(handle).st_mode):
        os.ftruncate(handle, os.lseek(handle, 0, os.SEEK_CUR))
    sync(handle)

os.write, os.fsync = sparse, sync_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (int(os.environ["LARGEST"]),) * 2)
from bundler.__main__ import main
try:
    main()
finally:
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print("peak KiB", peak.split()[1], file=sys.stderr)
"""


@functools.cache
def block(kind):
    """Return 1 MiB, a page of noise and zeros behind it."""
    return random.Random(kind).randbytes(4096) + bytes(MIB - 4096)


class Streamed:
    """A signed bundle whose members have these sizes in bytes; no byte of it is kept."""

    def __init__(self, *sizes: int) -> None:
        self._sizes = dict(enumerate(sizes))
        members, artifacts, listing = [], [], []
        for number, size in self._sizes.items():
            path, whole, digests = giants.program(number), hashlib.sha256(), []
            for data in self._blocks(number):
                whole.update(data)
                digests.append(_digest(data))
            digest = whole.hexdigest()
            members.append(
                {"path": f"payload/{path}", "size": size, "sha256": digest, "encoding": "identity", "blocks": digests}
            )  # fmt: skip
            artifacts.append(
                {"path": path, "size": size, "sha256": digest, "role": "uv", "member": f"payload/{path}"}
            )
            listing.append(f"{digest}  payload/{path}\n")
        self._sums = "".join(listing).encode()
        digest = hashlib.sha256(self._sums).hexdigest()
        sums = {
            "path": "SHA256SUMS", "size": len(self._sums), "sha256": digest, "encoding": "identity", "blocks": [digest],
        }  # fmt: skip
        raw = giants.index(members=[sums, *members], artifacts=artifacts)
        self._front = b"".join(front(raw, [PACKER.sign(raw)]))
        self.size = sum(map(len, (self._front, ustar.END))) + sum(
            map(ustar.stored_size, (len(self._sums), *sizes))
        )

    def _blocks(self, number: int) -> Iterator[bytes]:
        size = self._sizes[number]
        for at in range(0, size, MIB):
            data = block((at // MIB + 7 * number) % _KINDS)
            yield data if size - at >= MIB else data[: size - at]

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes of the bundle."""
        yield self._front + ustar.header("SHA256SUMS", len(self._sums)) + self._sums
        yield ustar.padding(len(self._sums))
        for number, size in self._sizes.items():
            yield ustar.header(f"payload/{giants.program(number)}", size)
            yield from self._blocks(number)
            yield ustar.padding(size)
        yield ustar.END


@functools.lru_cache(maxsize=2 * _KINDS)
def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def run(*words, cwd, bundle=None, largest=None) -> tuple[Done, float]:
    """Run the command line with `bundle` as its stdin, on a disk that keeps no zeros; stdout is hashed.

    Files of more than `largest` bytes are refused by the system. Return how it ended, with the sha256 of what
    stdout had in place of it, and the peak memory in MiB.
    """
    found, words = hashlib.sha256(), [sys.executable, "-c", _WRAPPED, *map(str, words)]
    stdin = subprocess.PIPE if bundle else subprocess.DEVNULL
    with (
        (cwd / "stderr").open("w+") as said,
        subprocess.Popen(
            words,
            cwd=cwd,
            env=environment(LARGEST=largest or -1),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=said,
        ) as process,
    ):
        with contextlib.suppress(BrokenPipeError):  # it ended early, and says why
            for data in bundle.chunks() if bundle else ():
                process.stdin.write(data)
            if bundle:
                process.stdin.close()
        while data := process.stdout.read(MIB):
            found.update(data)
        process.wait()
        said.seek(0)
        *lines, peak = said.read().splitlines()
    return Done(process.returncode, found.hexdigest(), "".join(f"{line}\n" for line in lines)), int(
        peak.split()[-1]
    ) / 1024
