"""Sets of 20 GiB, volumes and members beyond 4 GiB, and systems that take no larger file: slow, run with -m slow.

What is written has holes where it has zeros: the set takes some hundred MiB of disk.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import sys
from time import monotonic

import pytest
from bundles import PACKER
from cli import check_refusal
from streamed import GIB, MIB, Streamed, run

from bundler.core.ustar import MAX_SIZE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limits and its /proc"),
]
BAR = 200  # MiB of memory
FAT32 = (1 << 32) - 1  # bytes of its largest file


@functools.cache
def twenty():
    """Return 20 GiB, with two members of the largest size that there is."""
    return Streamed(MAX_SIZE, MAX_SIZE, 4 * GIB)


@functools.cache
def five():
    """Return 5 GiB in one member."""
    return Streamed(5 * GIB)


@pytest.fixture
def site(tmp_path):
    if shutil.disk_usage(tmp_path).free < 2 * GIB:
        pytest.skip("needs 2 GiB of disk")
    (tmp_path / "trust").write_text(PACKER.line + "\n")
    (tmp_path / "set").mkdir()
    yield tmp_path
    shutil.rmtree(tmp_path / "set")


def volume_size(bundle, volumes):
    """Return a size of which so many volumes are enough, and fewer are not."""
    return (bundle.size // MIB // volumes + 1) * (MIB + 512) + 4 * MIB


@pytest.mark.parametrize(("volumes", "parity"), [(20, 2), (4, 1)], ids=["20+2", "volumes of 5 GiB"])
def test_20_gib_pass_in_flat_memory_and_without_extra_disk(site, volumes, parity, capsys):
    bundle, whole = twenty(), hashlib.sha256()
    for data in bundle.chunks():
        whole.update(data)
    size = volume_size(bundle, volumes)

    def timed(*words, **more):
        begun = monotonic()
        done, peak = run(*words, cwd=site, **more)
        with capsys.disabled():
            sys.stdout.write(f"\n{words[0]} of 20 GiB: {monotonic() - begun:.0f} s, {peak:.0f} MiB")
        assert peak < BAR
        return done

    done = timed("split", "-", "-o", "set", "--volume-size", size, "--parity", parity, "-q", bundle=bundle)
    assert done.code == 0, done.stderr
    files = sorted((site / "set").glob("*.uvb"))
    assert len(files) == volumes + parity
    assert sum(one.stat().st_size for one in files) > bundle.size * (volumes + parity) // volumes
    assert volumes > 4 or max(one.stat().st_size for one in files) > 5 * GIB
    assert sum(one.stat().st_blocks * 512 for one in (site / "set").iterdir()) < 2 * GIB
    for one in files[1 : 1 + parity]:
        one.unlink()
    done = timed("verify", "set", "--trust", "trust", "-q")
    assert done.code == 0, done.stderr
    assert f"{parity} of {volumes} volumes" in done.stderr
    assert "recovered from parity" in done.stderr
    done = timed("join", "set", "-o", "-", "-q")
    assert (done.code, done.stdout) == (0, whole.hexdigest()), done.stderr


def test_volumes_for_fat32_are_written_where_no_file_may_be_larger(site):
    done, peak = run(
        "split", "-", "-o", "set", "--volume-size", "fat32", "--parity", "1", "-q",
        cwd=site, bundle=five(), largest=FAT32,
    )  # fmt: skip
    assert done.code == 0, done.stderr
    assert peak < BAR
    files = sorted((site / "set").glob("*.uvb"))
    assert len(files) == 3
    assert all(2 * GIB < one.stat().st_size <= FAT32 for one in files)
    done, _ = run("verify", "set", "--trust", "trust", "-q", cwd=site)
    assert done.code == 0, done.stderr


def test_one_file_that_is_too_large_is_refused_and_leaves_nothing(site):
    done, peak = run(
        "split", "-", "-o", "set", "--parity", "10%", "-q", cwd=site, bundle=five(), largest=FAT32
    )
    assert done.stdout == hashlib.sha256().hexdigest()
    done = type(done)(done.code, "", done.stderr)
    check_refusal(done, 6, "set/plant-7-7.uvb: File too large", "takes no such size")
    assert list((site / "set").iterdir()) == []
    assert peak < BAR
