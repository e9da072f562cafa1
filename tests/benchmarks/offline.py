"""Verify and unpack against what an admin would do otherwise, side by side: `sha256sum`, `cp`, `sync`.

    python tests/benchmarks/offline.py [MIB ...]      (default: 50 2048)

Prints a table: the median of three runs each in seconds, the ratio, and the peak memory of our process.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 3
_WRITE = (
    "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import bigbundle, bundles; "
    "bigbundle.write_bundle(Path(sys.argv[2]), size=int(sys.argv[3])); "
    "Path(sys.argv[4]).write_text(bundles.PACKER.line + chr(10))"
)


def measure(*command: object, before=lambda: None) -> tuple[float, float, float]:
    """Run a command three times; return the median seconds, median CPU seconds and peak memory in MiB."""
    seconds, cpu, peak = [], [], 0.0
    for _ in range(RUNS):
        before()
        begun = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{command[0]} ended with {process.returncode}")
        seconds.append(time.monotonic() - begun)
        cpu.append(usage.ru_utime + usage.ru_stime)
        peak = max(peak, usage.ru_maxrss / 1024)
    return statistics.median(seconds), statistics.median(cpu), peak


def main() -> None:
    """Print the table for the sizes that were asked for."""
    sizes = [int(word) for word in sys.argv[1:]] or [50, 2048]
    ours = [sys.executable, "-m", "bundler"]
    print(f"{'MiB':>6} {'what':<34} {'seconds':>8} {'MiB/s':>7} {'peak MiB':>9}")
    _, cpu, peak = measure(*ours, "--version")
    print(f"{'':>6} {'uv-bundler --version (CPU seconds)':<34} {cpu:8.3f} {'':>7} {peak:9.1f}")
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=os.environ.get("UV_BUNDLER_BENCH_DIR")) as scratch:
            folder = Path(scratch)
            bundle, trust, prefix = folder / "q.uvb", folder / "trust", folder / "prefix"
            # In a process of its own: a child's peak memory would begin with ours.
            subprocess.run(
                [sys.executable, "-c", _WRITE, Path(__file__).parent, bundle, str(size << 20), trust],
                check=True,
            )
            os.sync()

            def clean(prefix=prefix, folder=folder) -> None:
                shutil.rmtree(prefix, ignore_errors=True)
                (folder / "copy").unlink(missing_ok=True)
                os.sync()

            rows = {
                "sha256sum": measure("sha256sum", bundle, before=clean),
                "uv-bundler verify": measure(*ours, "verify", bundle, "--trust", trust, "-q", before=clean),
                "sha256sum + cp + sync": measure(
                    "sh", "-c", f"sha256sum {bundle} && cp {bundle} {folder}/copy && sync", before=clean
                ),
                "uv-bundler unpack": measure(
                    *ours, "unpack", bundle, "--trust", trust, "--prefix", prefix, "-q", before=clean
                ),
                "cp + sync": measure("sh", "-c", f"cp {bundle} {folder}/copy && sync", before=clean),
            }
            for what, (seconds, _, peak) in rows.items():
                print(f"{size:>6} {what:<34} {seconds:8.2f} {size / seconds:7.0f} {peak:9.1f}")


if __name__ == "__main__":
    main()
