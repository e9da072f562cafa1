"""Hostile input takes less than 200 MiB of memory, whatever it says of itself."""

from __future__ import annotations

import hashlib
import random
import shutil
import sys

import giants
import pytest
import zstandard
from boundgiants import GIANTS, rows_of, window
from bundles import PACKER, Packer, make_bundle, unpack_bytes
from cli import check_refusal
from faulthost import lean, outside_log
from measured import MIB, run

from bundler.core.metadata import MAX_BYTES
from bundler.offline.reader import BundleReader

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limits and its /proc")
BAR = 200  # MiB: of memory at the peak, and of address space in which everything works or is refused
NORMAL = 120  # MiB of address space in which a small bundle unpacks; 80 were enough where this was measured


def unpacking(bundle="q.uvb"):
    return ("unpack", bundle, "--trust", "trust", "--prefix", "p", "--shell", "sh", "-q")


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
