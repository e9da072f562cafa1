"""Sets of volumes, and what happens to them on the way."""

from __future__ import annotations

import functools
import io
import tempfile
from pathlib import Path

from bundles import PACKER
from hypothesis import strategies as st
from volumes import make_set, small_blocks

from bundler.connected.resend import write_supplement
from bundler.core.cut import Cut, Layout
from bundler.core.progress import Silent
from bundler.core.ticketfit import blocks_of
from bundler.offline.signedindex import verify_index
from bundler.offline.verify import verify_bundle
from bundler.volumes.inventory import gather, take_inventory
from bundler.volumes.opening import opened
from bundler.volumes.recutting import begin

CUTS = (
    Cut(volumes=5, parity=2),
    Cut(volumes=5),
    Cut(volumes=7, parity=1, groups=2),
    Cut(volumes=6, parity=2, whole=True),
)


@functools.cache
def bundle():
    """Return a bundle of some twenty small blocks."""
    return small_blocks(archives=3, blocks=4)


def files_of(cut):
    """Return name and content of each file of the bundle, cut so."""
    return dict(_files_of(cut))


@functools.cache
def _files_of(cut):
    with tempfile.TemporaryDirectory() as scratch:
        paths = make_set(
            bundle(), Path(scratch), volumes=cut.volumes, parity=cut.parity, groups=cut.groups, whole=cut.whole
        )  # fmt: skip
        return {path.name: path.read_bytes() for path in paths}


class Files(dict):
    """Content by name, which is shown by its size."""

    def __repr__(self):
        return repr({name: len(data) for name, data in self.items()})


@st.composite
def losses(draw, cuts=CUTS):
    """Return a cut, and the files of its set after a journey: missing, cut off, and with wrong bytes."""
    cut = draw(st.sampled_from(cuts))
    left = Files()
    for name, data in files_of(cut).items():
        fate = draw(st.sampled_from(("good", "good", "missing", "cut off", "rotten")))
        if fate == "missing":
            continue
        if fate == "cut off":
            data = data[: draw(st.integers(len(data) // 3, len(data) - 1))]  # noqa: PLW2901
        if fate == "rotten":
            rotten = bytearray(data)
            for at in draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=4)):
                rotten[at] ^= 0x20
            data = bytes(rotten)  # noqa: PLW2901
        left[name] = data
    return cut, left


def put(folder, files):
    """Write these files into `folder`."""
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def judge(signed, name):
    """Return the index where the test packer signed it."""
    return verify_index(signed, trust=PACKER.trust, name=name).index


def look_at(folder):
    """Return what is in the folder of the bundle, whose signature was checked, and its files' inventory."""
    found, name = gather([folder], judge=judge)
    index = judge(found.signed, name)
    return found, take_inventory(index, found, progress=Silent())


def supplement(path, ticket, *, source=None):
    """Write the supplement for a ticket, from the bundle in one file or from the folder `source`."""
    if source is None:
        given = begin(io.BytesIO(bundle()), name="q4.uvb")
        return _write(path, ticket, given)
    with opened([source]) as one:
        return _write(path, ticket, begin(one.source, name=one.name))


def _write(path, ticket, given):
    blocks = blocks_of(ticket, Layout(given.source.index, ticket.cut))
    write_supplement(path, given, ticket=ticket, blocks=blocks, progress=Silent())
    return path


def verify(*paths):
    """Verify the bundle that the paths name; raises as the command does."""
    with opened(paths, judge=judge) as one:
        return verify_bundle(one.source, name=one.name, trust=PACKER.trust, progress=Silent())
