"""Hostile input takes less than 200 MiB of memory, whatever it says of itself."""

from __future__ import annotations

import functools
import hashlib
import json
import random
import shutil
import sys

import giants
import pytest
import zstandard
from bundles import PACKER, Packer, archive, make_bundle, unpack_bytes
from cli import check_refusal
from faulthost import lean, outside_log
from measured import MIB, run
from recompressed import Box, Taken, gzip_of

from bundler.connected.bundlewriter import front
from bundler.core import ustar
from bundler.core.index import MAX_INDEX_BYTES
from bundler.core.metadata import MAX_BYTES, dump_rows
from bundler.core.uvnames import mirror_path
from bundler.offline.reader import BundleReader
from bundler.signing.trustdoc import MAX_CHAIN, MAX_DOCUMENT_BYTES, SignedDocument

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limits and its /proc")
BAR = 200  # MiB: of memory at the peak, and of address space in which everything works or is refused
NORMAL = 120  # MiB of address space in which a small bundle unpacks; 80 were enough where this was measured


def unpacking(bundle="q.uvb"):
    return ("unpack", bundle, "--trust", "trust", "--prefix", "p", "--shell", "sh", "-q")


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


@pytest.fixture
def site(tmp_path):
    (tmp_path / "trust").write_text(PACKER.line + "\n")
    return tmp_path


def with_active(site, index):
    """Unpack a small bundle and put a giant index into its place."""
    unpack_bytes(make_bundle(serial=1), site / "p")
    GIANTS[index][0](site / "other.uvb")
    with (site / "other.uvb").open("rb") as stream:
        raw = BundleReader(stream, name="other").read_signed_index().raw
    assert len(raw) > 6 * MIB
    (site / "p" / "generations" / "1" / "bundle.json").write_bytes(raw)


def check_verdict(done, code):
    if code:
        check_refusal(done, code, "")
    else:
        assert done.code == 0, done.stderr


@pytest.mark.parametrize(
    "kind",
    lean(
        GIANTS,
        "many texts beyond ASCII, chain of 32 MiB",
        "one long key beyond ASCII",
        "prefix of 95 MiB",
    ),
)
def test_a_giant_takes_less_than_200_mib(site, kind):
    write, code = GIANTS[kind]
    write(site / "q.uvb")
    done, peak = run(*unpacking(), cwd=site)
    check_verdict(done, code)
    assert peak < BAR
    shutil.rmtree(site / "p")
    limited, peak = run(*unpacking(), cwd=site, address_space=BAR)
    assert peak < BAR
    if limited.code == 6:
        check_refusal(limited, 6, "memory: this process may not have as much as it needs")
    else:
        check_verdict(limited, code)
    assert limited.code == 0 or set(outside_log(site / "p")) <= {"state", "state/serials.json"}
    for words in (
        ("verify", "q.uvb", "--trust", "trust"),
        ("inspect", "q.uvb"),
        ("inspect", "q.uvb", "--json"),
    ):
        done, peak = run(*words, cwd=site)
        assert done.code in (0, 3, 5), done.stderr
        assert peak < BAR, words


@pytest.mark.slow
@pytest.mark.parametrize(
    "bundle",
    [
        "index of digests, window",
        "index of members, window",
        "chain of 32 MiB, index of digests, window",
        "all at once",
    ],
)
@pytest.mark.parametrize(
    "active", ["index of digests, window", "index of members, window", "index of URLs, window"]
)
def test_a_giant_in_the_place_of_a_giant_takes_less_than_200_mib(site, active, bundle):
    with_active(site, active)
    GIANTS[bundle][0](site / "q.uvb")
    for limit in (None, BAR):
        done, peak = run(*unpacking(), cwd=site, address_space=limit)
        assert done.code in ((5,) if limit is None else (5, 6)), done.stderr
        check_refusal(done, done.code, "")
        assert peak < BAR
    for command in ("status", "env", "doctor"):
        done, peak = run(command, "--prefix", "p", cwd=site)
        assert "Traceback" not in done.stderr
        assert peak < BAR


@pytest.mark.slow
def test_a_whole_list_of_the_largest_size_unpacks_in_less_than_200_mib(site):
    giants.write(site / "q.uvb", [window(), *rows_of(MAX_BYTES)])
    done, peak = run(*unpacking(), cwd=site)
    assert done.code == 0, done.stderr
    assert peak < BAR


def endless_window():
    """A program that does not shrink, in a frame with the largest window: no two of its blocks are alike."""
    options = zstandard.ZstdCompressionParameters.from_level(
        1, window_log=26, write_checksum=True, write_content_size=True
    )
    packer = zstandard.ZstdCompressor(compression_params=options).compressobj(size=160 * MIB)
    state, stored = hashlib.sha256(), []
    for number in range(160):
        data = random.Random(number).randbytes(MIB)
        state.update(data)
        stored.append(packer.compress(data))
    stored.append(packer.flush())
    return giants.Piece(
        path=giants.program(0),
        stored=lambda: stored,
        size=160 * MIB,
        sha256=state.hexdigest(),
        encoding="zstd",
    )


@pytest.mark.slow
@pytest.mark.parametrize(("block_size", "size"), [(MIB, "3M"), (MIB, "9M"), (4 * MIB, "5M")])
def test_a_set_with_the_largest_window_that_lost_all_it_may_takes_less_than_200_mib(site, block_size, size):
    giants.write(site / "q.uvb", [endless_window()], block_size=block_size)
    (site / "set").mkdir()
    done, peak = run("split", "q.uvb", "-o", "set", "--volume-size", size, "--parity", "100%", "-q", cwd=site)
    assert done.code == 0, done.stderr
    assert peak < BAR
    for one in (site / "set").glob("*.0*.uvb"):
        one.unlink()
    for words in (
        ("verify", "set", "--trust", "trust"),
        ("repair", "set", "--trust", "trust", "--to", "good"),
        ("unpack", "set", "--trust", "trust", "--prefix", "p", "--shell", "sh", "-q"),
    ):
        done, peak = run(*words, cwd=site)
        assert done.code == 0, done.stderr
        assert peak < BAR, words


@pytest.mark.slow
def test_the_largest_trust_file_takes_less_than_200_mib(site):
    lines, size = [PACKER.line], 0
    for number in range(100_000):
        lines.append(Packer(number % 255 + 1, name=f"n{number}").line)
        size += len(lines[-1]) + 1
        if size > MIB - 400:
            break
    (site / "trust").write_text("\n".join(lines) + "\n")
    (site / "q.uvb").write_bytes(make_bundle())
    done, peak = run(*unpacking(), cwd=site)
    assert done.code == 0, done.stderr
    assert peak < BAR


@pytest.mark.slow
def test_a_small_bundle_unpacks_in_little_address_space(site):
    (site / "q.uvb").write_bytes(make_bundle())
    done, peak = run(*unpacking(), cwd=site, address_space=NORMAL)
    assert done.code == 0, done.stderr
    assert peak < 60


@pytest.mark.slow
def test_too_little_memory_is_told_and_changes_nothing(site):
    unpack_bytes(make_bundle(serial=1), site / "p")
    before = outside_log(site / "p")
    giants.write(
        site / "q.uvb",
        [giants.bomb(giants.program(0), 70, chunk=giants.noise_block(1), window_log=26)],
        serial=2,
    )
    done, _ = run(*unpacking(), cwd=site, address_space=110)
    check_refusal(
        done, 6, "memory: this process may not have as much as it needs, expected 200 MiB", "ulimit -v"
    )
    assert outside_log(site / "p") == before
