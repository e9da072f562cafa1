"""Bundles that bring trust documents, taken apart into the members of their front and put together again."""

import io

from bundles import Packer, archive, make_bundle, make_document, trust_by

from bundler.core import ustar
from bundler.core.progress import Silent
from bundler.offline.reader import BundleReader
from bundler.offline.verify import verify_bundle

ANN, BOB, EVE = Packer(1, "ann"), Packer(2, "bob"), Packer(3, "eve")
FIRST = make_document(1, people={"ann": ANN, "bob": BOB}, root=2, release=2)
SECOND = make_document(2, people={"ann": ANN, "eve": EVE}, root=2, release=2, by=[ANN, BOB, EVE])
THIRD = make_document(3, people={"ann": ANN, "eve": EVE}, root=2, release=2)
CHAIN = (SECOND, THIRD)


def tiny(content=b"x" * 40, **facts):
    """Return a bundle of one archive that ann and eve have signed, which only their document lets count."""
    facts = {"packers": (ANN, EVE), "chain": CHAIN, **facts}
    return make_bundle(archives=[archive(content)], uv_for=(), **facts)


BUNDLE = tiny()


def verified(data, *, trust=None):
    return verify_bundle(io.BytesIO(data), name="q4.uvb", trust=trust or trust_by(FIRST), progress=Silent())


def front_size(data):
    """Return where `SHA256SUMS` begins."""
    reader = BundleReader(io.BytesIO(data), name="x")
    reader.read_signed_index()
    return reader.payload_offset


def front_of(data):
    """Return the members before `SHA256SUMS` as names and contents, and all that follows."""
    members, at, end = [], 0, front_size(data)
    while at < end:
        name, size = ustar.parse_header(data[at : at + ustar.BLOCK])
        members.append((name, data[at + ustar.BLOCK : at + ustar.BLOCK + size]))
        at += ustar.stored_size(size)
    assert at == end
    return members, data[at:]


def packed(members, rest):
    return (
        b"".join(ustar.header(name, len(one)) + one + ustar.padding(len(one)) for name, one in members) + rest
    )
