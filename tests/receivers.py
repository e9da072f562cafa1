"""The far side of a diode: a folder where files arrive, a receiver, and a clock that tests move."""

from __future__ import annotations

import shutil
import time

from bundles import PACKER, Packer, make_bundle
from volumes import make_set, small_blocks

from bundler.arriving.receivespool import Spool
from bundler.arriving.receiving import Receiver, Receiving
from bundler.core.progress import Silent
from bundler.offline.signedindex import verify_index
from bundler.offline.verify import verify_bundle
from bundler.volumes.survey import list_files

DAY = 86400  # seconds


def make_sets(folder):
    """Write sets into `folder`, and return their files by what they are.

    These are 4 volumes with one of parity, 3 without, one file with its parity, and others.
    """
    bundle = small_blocks(archives=2, blocks=4)
    sets = {
        "parity": make_set(bundle, folder / "parity", volumes=4, parity=1),
        "plain": make_set(bundle, folder / "plain", volumes=3),
        "halves": make_set(bundle, folder / "halves", volumes=2, parity=1),
        "whole": make_set(bundle, folder / "whole", volumes=5, parity=2, whole=True),
        "older": make_set(small_blocks(archives=1, serial=5), folder / "older", volumes=2),
        "newer": make_set(small_blocks(archives=1, serial=9), folder / "newer", volumes=2, stem="x"),
        "other": make_set(small_blocks(archives=1, name="lab"), folder / "other", volumes=2, stem="y"),
        "twin": make_set(small_blocks(archives=1), folder / "twin", volumes=2, stem="z"),
        "eve": make_set(make_bundle(packers=(Packer(5, "eve"),)), folder / "eve", volumes=2, stem="q4"),
    }
    one = folder / "one.uvb"
    one.write_bytes(make_bundle())
    return {**sets, "one": [one]}


def rotten(path, target, *places):
    """Copy a file with these bytes of it flipped, counted from its end where they are negative."""
    data = bytearray(path.read_bytes())
    for place in places:
        data[place] ^= 0x40
    target.write_bytes(data)
    return target


def cut_off(path, target, keep):
    """Copy the beginning of a file."""
    data = path.read_bytes()
    target.write_bytes(data[: int(len(data) * keep)])
    return target


def states(report):
    """Return name, serial and state of each bundle in a report."""
    return [(one.name, one.serial, one.state) for one in report.bundles]


class Far:
    """A watched folder and a spool in `folder`; `poll` looks once, ten seconds later."""

    def __init__(self, folder, *, trust=PACKER.trust, **how):
        self.watch, self.root = folder / "in", folder / "spool"
        self.watch.mkdir(exist_ok=True)
        self.announced, self.notes, self.judged = [], [], []
        self.now, self.wall, self.trust = 1000.0, time.time(), trust
        self._how = {"settle": 1, **how}
        self._receiver = self._lock = None
        self.start()

    def start(self):
        """Begin anew, as after a crash: what was in memory is gone."""
        self.stop()
        spool = Spool(self.root)
        self._lock = spool.locked()
        self._lock.__enter__()
        progress = Silent()
        progress.note = self.notes.append
        self._receiver = Receiver(
            spool,
            Receiving(watch=self.watch, clock=lambda: self.now, wall=lambda: self.wall, **self._how),
            judge=self._judge, announce=self.announced.append, command=lambda folder: f"unpack {folder.name}",
            progress=progress,
        )  # fmt: skip

    def stop(self):
        """Give the lock back."""
        if self._lock:
            self._lock.__exit__(None, None, None)
            self._lock = None

    def _judge(self, signed, name):
        self.judged.append(name)
        return verify_index(signed, trust=self.trust, name=name)

    def poll(self, *, after=10.0):
        """Look once; return the report."""
        self.now += after
        self.wall += after
        self.report = self._receiver.poll()
        return self.report

    def settle(self):
        """Look until what is there was seen twice."""
        self.poll()
        return self.poll()

    def put(self, *paths, name=None):
        """Let files arrive, whole."""
        for path in paths:
            shutil.copyfile(path, self.watch / (name or path.name))

    def bring(self, *paths):
        """Let files arrive, and settle."""
        self.put(*paths)
        return self.settle()

    def folder(self, name="plant-7-7"):
        return self.root / name

    def verify(self, name="plant-7-7"):
        """Verify what lies in the spool with the reader that unpack uses."""
        from bundler.volumes.opening import opened

        with opened([self.folder(name)]) as found:
            return verify_bundle(found.source, name=name, trust=self.trust, progress=Silent())

    def here(self, name="plant-7-7"):
        """Return the names of the files in a bundle's folder, without its stem."""
        return [one.name.removeprefix(f"{name}.") for one in list_files([self.folder(name)])]

    @property
    def waiting(self):
        """The names of what lies in the watched folder."""
        return sorted(one.name for one in self.watch.iterdir())
