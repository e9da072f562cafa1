"""Files that anybody can make for a bundle that others signed: volumes, parity that lies, false signatures."""

from __future__ import annotations

import hashlib

from bundles import Packer, small_content
from losing import bundle, files_of
from volumes import small_blocks, source_of

from bundler.core import ustar
from bundler.core.cut import Cut, Layout, parity_name
from bundler.core.volumehead import DATA, PARITY, RESEND, Head

CUT = Cut(volumes=5, parity=2)


def volume(head, cells=b""):
    """Return a file with the true front, and a `VOLUME` and cells that anybody can make."""
    return source_of(bundle()).opening(head) + cells + ustar.END


def head(kind, number, cut=CUT):
    """Return a `VOLUME` that names the true index."""
    return Head(kind=kind, number=number, cut=cut, index=source_of(bundle()).digest)


def false_parity(number, *, cut=CUT, byte=7):
    """Return a parity volume whose cells have right digests of their own, and recover nothing."""
    layout, cells = Layout(source_of(bundle()).index, cut), []
    for group, row, column in layout.parity_cells(number - 1):
        data = bytes([byte]) * layout.row_size(group, row)
        name = parity_name(group, row, column, hashlib.sha256(data).hexdigest())
        cells += [ustar.header(name, len(data)), data, ustar.padding(len(data))]
    return volume(head(PARITY, number, cut), b"".join(cells))


def with_a_false_signature(data):
    """Return a file with one bit of the first signature in its front changed."""
    at = data.index(b"BEGIN SSH SIGNATURE") + 60
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def hostile_files():
    """Return files that anybody can put on a medium, by what they are."""
    good = files_of(CUT)
    first = good["q4.0001-of-0005.uvb"]
    front = source_of(bundle()).front
    other = {"serial": 8, "packers": (Packer(9, name="mallory@site"),)}
    return {
        "not signed by anybody trusted, and newer": small_blocks(archives=1, blocks=1, **other),
        "a false signature": with_a_false_signature(first),
        "another cut": volume(head(DATA, 3, Cut(volumes=9)), bytes(100_000)),
        "thousands of volumes": volume(head(DATA, 1, Cut(volumes=9999))),
        "much parity": volume(head(PARITY, 1, Cut(volumes=9999, groups=99, parity=100)), bytes(100_000)),
        "beside one file": volume(head(PARITY, 1, Cut(volumes=128, parity=100, whole=True)), bytes(100_000)),
        "a supplement of zeros": volume(head(RESEND, 1), bytes(100_000)),
        "the whole bundle, of zeros": front + bytes(1_000_000),
        "the whole bundle, cut off": bundle()[:70_000],
        "the same volume, of zeros": volume(head(DATA, 2), bytes(300_000)),
        "parity that lies": false_parity(1),
        "an index that is not that of VOLUME": small_blocks(archives=1, blocks=1, serial=3)[:9000]
        + first[len(front) :],
        "only the beginning": first[:600],
        "no more than a name": b"",
        "noise": small_content(5, size=50_000),
    }
