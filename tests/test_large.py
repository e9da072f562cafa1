"""More than 4 GiB, and more rows than anybody has: slow, run with -m slow."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

from bigbundle import write_bundle
from bundles import HOST, PACKER, archive, make_bundle, unpack_bytes

GIB = 1 << 30
# Linux keeps the peak of this very program in VmHWM; ru_maxrss would be that of whoever started it.
_WRAPPED = """
import sys
from bundler.__main__ import main
try:
    main()
finally:
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print("peak KiB", peak.split()[1], file=sys.stderr)
"""


def run(*words, cwd):
    """Run the command line; return its stdout and its peak memory in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", _WRAPPED, *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, int(done.stderr.split()[-1]) / 1024


@pytest.fixture
def roomy(tmp_path):
    """A folder with room for a bundle of 6 GiB, its making and its unpacking."""
    if sys.platform != "linux":
        pytest.skip("needs Linux's /proc to see the peak of memory")
    folder = Path(os.environ.get("UV_BUNDLER_BENCH_DIR", tmp_path)) / "large"
    folder.mkdir(parents=True)
    if shutil.disk_usage(folder).free < 20 * GIB:
        pytest.skip("needs 20 GiB of disk, or UV_BUNDLER_BENCH_DIR that has them")
    yield folder
    shutil.rmtree(folder)


@pytest.mark.slow
def test_six_gibibytes_with_a_member_over_four_pass_in_flat_memory(roomy):
    peaks = {}
    for name, size, archives in (("small", 50 << 20, 1), ("large", 6 * GIB - (1 << 20), 1)):
        bundle = roomy / f"{name}.uvb"
        write_bundle(bundle, size=size, archives=archives)
        (roomy / "trust").write_text(PACKER.line + "\n")
        _, verify = run("verify", bundle, "--trust", "trust", "-q", cwd=roomy)
        _, unpack = run(
            "unpack", bundle, "--trust", "trust", "--prefix", roomy / f"{name}-p", "-q", cwd=roomy
        )
        peaks[name] = (verify, unpack)
        held = next((roomy / f"{name}-p" / "current" / "mirror").rglob("*.tar.gz"))
        assert held.stat().st_size == size
        listed = subprocess.run(["tar", "-tf", bundle], capture_output=True, text=True, check=True)
        assert held.name in listed.stdout
        bundle.unlink()
        shutil.rmtree(roomy / f"{name}-p")
    assert max(peaks["large"]) < 200
    assert max(peaks["large"]) < max(peaks["small"]) + 20


@pytest.mark.slow
def test_a_thousand_archives_with_their_rows_unpack(tmp_path):
    made = [
        archive(bytes([n % 251]) * 40 + str(n).encode(), version=(3, n // 100, n % 100)) for n in range(1000)
    ]
    generation, _ = unpack_bytes(make_bundle(archives=made, platforms=(HOST,)), tmp_path / "p")
    assert len(list((generation.folder / "python-cache").iterdir())) == 1000
