"""Giants that fill an unpack's memory as far as the limits let them: windows, prefixes, indexes, chains, JSON."""

from __future__ import annotations

import functools
import json

import giants
from bundles import PACKER, archive
from deflatedparts import Taken, gzip_of
from measured import MIB
from recompressed import Box

from bundler.connected.bundlewriter import front
from bundler.core import ustar
from bundler.core.index import MAX_INDEX_BYTES
from bundler.core.metadata import MAX_BYTES, dump_rows
from bundler.core.uvnames import mirror_path
from bundler.signing.trustdoc import MAX_CHAIN, MAX_DOCUMENT_BYTES, SignedDocument


@functools.cache
def window():
    """A program that does not shrink, in a frame with the largest window."""
    return giants.bomb(giants.program(0), 150, chunk=giants.noise_block(1), window_log=26)


@functools.cache
def bomb():
    """Half a GiB of zeros in 16 KiB."""
    return giants.bomb(giants.program(1), 512, window_log=26)


_ROOM = MAX_INDEX_BYTES - 180_000  # beside what the window's own digests and the rest take


def rows_of(size):
    """Return an archive, and a list of Pythons of almost `size` bytes that has its row."""
    content, row = archive(b"x" * 100)
    document = json.loads(dump_rows([row]))
    (key, sample), *_ = document.items()
    for number in range((size - 100_000) // 1285):
        document[f"k{number}"] = sample | {"url": f"{number:01000d}", "patch": number % 255}
    raw = json.dumps(document, separators=(",", ":")).encode()
    assert size - 400_000 < len(raw) <= size
    held = giants.plain(mirror_path(row.url), lambda: [content], role="archive", key=key)
    return [held, giants.plain("download-metadata.json", lambda: [raw], role="metadata")]


def of_json(text, *, chain=False):
    """Return what writes a bundle whose index is this text."""

    def write(path):
        raw, documents = text(), longest_chain() if chain else ()
        path.write_bytes(
            b"".join(front(raw, [PACKER.sign(raw)], documents)) + ustar.header("SHA256SUMS", 0) + ustar.END
        )

    return write


def filled(begin, unit, end):
    """Return what gives JSON of the largest size that is read."""
    return lambda: begin + unit * ((MAX_INDEX_BYTES - len(begin) - len(end)) // len(unit)) + end


def of_pieces(*makers, **options):
    """Return what writes a bundle of the pieces that these make."""
    return lambda path: giants.write(path, [make() for make in makers], **options)


@functools.cache
def longest_chain():
    """As many trust documents as are read, with as many signatures, all of the largest size."""
    signatures = (b"x" * (16 << 10),) * 16
    return tuple(
        SignedDocument(raw=bytes(MAX_DOCUMENT_BYTES), signatures=signatures, number=number + 2)
        for number in range(MAX_CHAIN)
    )


def of_box(*, before, content, claimed=0):
    """Return what writes a bundle of a stream of so many MiB with so many of another one as its prefix."""

    def write(path):
        box = Box(window_log=26)
        first, second = ("payload/a/text.tar.zst", "payload/b/text.tar.zst")
        box.contents[first] = b"".join(giants.noise(before or 1))
        parts = (Taken(second, 5, b"".join(giants.noise(content, seed=2))[5:3000]),)
        box.contents[second] = b"".join(giants.noise(content, seed=2))
        if before:
            box.prefixes[second] = [{"source": first, "offset": 0, "length": before * MIB}]
        else:
            parts = (*parts, Taken(first, 0, box.contents[first][:9]))
        box.rebuilt(giants.program(0), gzip_of(*parts), role="uv")
        members = giants.claimed_members(claimed) if claimed else ((), ())
        path.write_bytes(box.seal(claimed=members))

    return write


FACE = "\N{GRINNING FACE}".encode()
# What writes a bundle, and the exit code of its unpack.
GIANTS = {
    "window of 64 MiB": (of_pieces(window), 0),
    "bomb of zeros": (of_pieces(bomb), 0),
    "window in blocks of 4 MiB": (of_pieces(window, bomb, block_size=4 * MIB), 0),
    "window of 64 MiB in a stream": (of_box(before=0, content=150), 0),
    "prefix of 95 MiB": (of_box(before=95, content=1), 0),
    "prefix of 32 MiB, window": (of_box(before=32, content=100), 0),
    "prefix of 95 MiB, index of members": (of_box(before=95, content=1, claimed=16_400), 5),
    "window of 128 MiB": (of_pieces(lambda: giants.bomb(giants.program(0), 150, window_log=27)), 5),
    "index of digests, window": (
        lambda path: giants.write(path, [window()], block_size=1 << 16, claimed=giants.claimed_blocks(_ROOM)), 5),
    "index of members, window": (
        lambda path: giants.write(path, [window()], claimed=giants.claimed_members(16_900)), 5),
    "index of URLs, window": (
        lambda path: giants.write(path, [window()], claimed=giants.claimed_members(6400, origin=2048)), 5),
    "all at once": (
        lambda path: giants.write(
            path, [window(), *rows_of(MAX_BYTES)], block_size=1 << 16, claimed=giants.claimed_blocks(_ROOM - 80_000)), 5),
    "16 signatures of 16 KiB": (
        lambda path: giants.write(path, [window()], signatures=[b"x" * (16 << 10)] * 16), 3),
    "chain of 32 MiB, index of digests, window": (
        lambda path: giants.write(
            path, [window()], block_size=1 << 16, claimed=giants.claimed_blocks(_ROOM), chain=longest_chain()), 5),
    "one long text": (of_json(filled(b'{"a":"\\n', b"a", b'"}')), 5),
    "one long text beyond ASCII": (of_json(filled(b'{"a":"\\n', b"a", FACE + b'"}')), 5),
    "many texts beyond ASCII, chain of 32 MiB": (
        of_json(filled(b'{"a":[', b'"' + FACE + b"a" * 30 + b'",', b"0]}"), chain=True), 5),
    "one long key beyond ASCII": (of_json(filled(b'{"\\n', b"a", FACE + b'":1}')), 5),
    "escapes": (of_json(filled(b'{"a":"', b"\\ud83d\\ude00", b'"}')), 5),
    "deep": (of_json(lambda: b"[" * 499_990), 5),
    "500 000 texts": (of_json(lambda: b"[" + b'"aaaaaaaaaaaaaaaaaaaaaaaaaaaa",' * 499_000 + b"0]"), 5),
    "500 000 keys": (of_json(lambda: b"{" + b"".join(b'"%07d":"%015d",' % (n, n) for n in range(249_000)) + b'"a":0}'), 5),
}  # fmt: skip
