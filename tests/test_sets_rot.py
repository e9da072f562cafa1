"""Twelve of 120 volumes deleted and 200 sectors of the rest flipped: recovered, bit for bit (slow).

What is enough is a matter of arithmetic. With 96 + 24 volumes each row has 120 cells, of which 24 may be lost: the
twelve that are gone, and as many that were hit. A bundle of 8192 blocks, as the packer makes them, has 86 rows, so
the 200 sectors hit a row 2.3 times on average, and by Poisson a row is hit 13 times or more with a probability of
one in a million: in one of 10,000 journeys parity would be too little for some row. With 100 + 20 volumes that is
9 hits of 2.4, and happens in one of 13. What parity must do grows with the losses in a row, not with all of them.
"""

from __future__ import annotations

import random
import shutil

import giants
import pytest
from bundles import PACKER, tree
from cli import process

from bundler.core.digest import hash_file
from bundler.offline.reader import BundleReader

pytestmark = pytest.mark.slow
MIB = 1 << 20
DATA, PARITY, DELETED, FLIPPED, SECTOR = 96, 24, 12, 200, 512


def noise(mib):
    """Yield so many MiB, no two of whose blocks are the same."""
    for number in range(mib):
        yield random.Random(number).randbytes(MIB)


def make_set(folder, *, mib, block_size):
    """Write a bundle of so many MiB in `q.uvb`, and its volumes in `set`."""
    giants.write(
        folder / "q.uvb", [giants.plain(giants.program(0), lambda: noise(mib))], block_size=block_size
    )
    (folder / "trust").write_text(PACKER.line + "\n")
    (folder / "set").mkdir()
    with (folder / "q.uvb").open("rb") as stream:
        reader = BundleReader(stream, name="q.uvb")
        reader.read_signed_index()
        front = reader.payload_offset
    cells = -(-(mib * MIB // block_size + 1) // DATA)
    size = front + cells * (block_size + 512) + 4096
    done = process("split", "q.uvb", "-o", "set", "--volume-size", size, "--parity", PARITY, "-q", cwd=folder)
    assert done.code == 0, done.stderr
    assert len(list((folder / "set").glob("*.uvb"))) == DATA + PARITY


def spoil(source, target, *, seed):
    """Copy a set as a journey leaves it; return the names of the files that are left."""
    chance, files = random.Random(seed), sorted(source.glob("*.uvb"))
    gone = chance.sample(files, DELETED)
    left = [one for one in files if one not in gone]
    target.mkdir()
    for one in left:
        shutil.copy(one, target)
    sizes = [one.stat().st_size // SECTOR for one in left]
    for one in chance.choices(left, weights=sizes, k=FLIPPED):
        with (target / one.name).open("r+b") as stream:
            stream.seek(chance.randrange(one.stat().st_size // SECTOR) * SECTOR)
            found = stream.read(SECTOR)
            stream.seek(-len(found), 1)
            stream.write(bytes(byte ^ chance.randrange(1, 256) for byte in found))
    return [one.name for one in left]


def check_recovered(folder, *, seed):
    left = spoil(folder / "set", folder / "sick", seed=seed)
    done = process("join", "sick", "-o", "joined.uvb", "-q", cwd=folder)
    assert done.code == 0, done.stderr
    assert "recovered from parity" in done.stderr
    assert digest(folder / "joined.uvb") == digest(folder / "q.uvb")
    (folder / "joined.uvb").unlink()
    return left


def digest(path):
    return hash_file(path)


@pytest.mark.parametrize("seed", range(5))
def test_half_a_gib_comes_back_whatever_was_hit(small, seed):
    check_recovered(small, seed=seed)
    shutil.rmtree(small / "sick")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    if shutil.disk_usage(folder).free < 4 << 30:
        pytest.skip("needs 4 GiB of disk")
    make_set(folder, mib=512, block_size=1 << 16)
    yield folder
    shutil.rmtree(folder)


def test_two_gib_come_back_are_unpacked_and_repaired(tmp_path):
    if shutil.disk_usage(tmp_path).free < 16 << 30:
        pytest.skip("needs 16 GiB of disk")
    make_set(tmp_path, mib=2048, block_size=1 << 18)
    left = check_recovered(tmp_path, seed=120)
    before = {one.name: one.stat().st_mtime_ns for one in (tmp_path / "sick").iterdir()}
    for source, prefix in (("sick", "p"), ("q.uvb", "right")):
        done = process("unpack", source, "--trust", "trust", "--prefix", prefix, "-q", cwd=tmp_path)
        assert done.code == 0, done.stderr
    program = f"current/{giants.program(0)}"
    assert digest(tmp_path / "p" / program) == digest(tmp_path / "right" / program)
    done = process("repair", "sick", "--to", "good", "--trust", "trust", "-q", cwd=tmp_path)
    assert done.code == 0, done.stderr
    good = sorted((tmp_path / "good").glob("*.uvb"))
    assert {one.name for one in (tmp_path / "set").glob("*.uvb")} - set(left) <= {one.name for one in good}
    for one in good:
        assert digest(one) == digest(tmp_path / "set" / one.name)
    assert {one.name: one.stat().st_mtime_ns for one in (tmp_path / "sick").iterdir()} == before
    shutil.rmtree(tmp_path)


def test_what_parity_stands_no_more_is_told_and_changes_nothing(small):
    spoil(small / "set", small / "sick", seed=1)
    for one in sorted((small / "sick").glob("*.uvb"))[:DELETED]:
        one.unlink()
    before = tree(small / "sick").keys()
    done = process("join", "sick", "-o", "joined.uvb", "-q", cwd=small)
    assert done.code in (4, 5), done.stderr
    assert not (small / "joined.uvb").exists()
    assert tree(small / "sick").keys() == before
    shutil.rmtree(small / "sick")
