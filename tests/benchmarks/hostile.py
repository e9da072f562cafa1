"""Verify hostile bundles of 1 GiB beside what hashes the same file: `sha256sum` and OpenSSL.

    python tests/benchmarks/hostile.py [MIB]      (default: 1024)

Prints a table: how `verify` ended, its seconds and peak memory, and the seconds of the others, each the best of
two runs in turn. Set UV_BUNDLER_BENCH_DIR to a folder with room for one such bundle.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 2
_MAKE = (
    "import sys; sys.path[:0] = [sys.argv[1], sys.argv[2]]; from pathlib import Path; import giantkinds; "
    "giantkinds.KINDS[sys.argv[3]](Path(sys.argv[4]), int(sys.argv[5]))"
)


def timed(*words: object) -> tuple[float, int, float, str]:
    """Run a command; return its seconds, exit code, peak memory in MiB and first line on stderr."""
    begun = time.monotonic()
    process = subprocess.Popen(
        [str(word) for word in words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    said = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.stderr:
        process.stderr.close()
    line = (said.decode().splitlines() or [""])[0]
    return time.monotonic() - begun, process.returncode, usage.ru_maxrss / 1024, line


def main() -> None:
    """Print the table."""
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    tests = Path(__file__).parents[1]
    sys.path[:0] = [str(tests), str(tests.parent)]
    from bundles import PACKER
    from giantkinds import KINDS

    print(
        f"{'kind':<28} {'code':>4} {'verify s':>9} {'peak MiB':>9} {'sha256sum s':>12} {'openssl s':>10}  verdict"
    )
    for kind in KINDS:
        with tempfile.TemporaryDirectory(dir=os.environ.get("UV_BUNDLER_BENCH_DIR")) as scratch:
            bundle, trust = Path(scratch, "q.uvb"), Path(scratch, "trust")
            trust.write_text(PACKER.line + "\n")
            # In a process of its own: a child's peak memory would begin with ours.
            subprocess.run(
                [sys.executable, "-c", _MAKE, tests, tests.parent, kind, bundle, str(mib)], check=True
            )
            os.sync()
            best = {"verify": float("inf"), "sha256sum": float("inf"), "openssl": float("inf")}
            for _ in range(RUNS):
                seconds, _, _, _ = timed("sha256sum", bundle)
                best["sha256sum"] = min(best["sha256sum"], seconds)
                seconds, code, peak, line = timed(
                    sys.executable, "-m", "bundler", "verify", bundle, "--trust", trust, "-q"
                )
                best["verify"] = min(best["verify"], seconds)
                seconds, _, _, _ = timed("openssl", "dgst", "-sha256", bundle)
                best["openssl"] = min(best["openssl"], seconds)
            said = line.replace(f"uv-bundler: error: {bundle}: ", "")[:70]
            print(
                f"{kind:<28} {code:>4} {best['verify']:9.2f} {peak:9.1f} {best['sha256sum']:12.2f} "
                f"{best['openssl']:10.2f}  {said}"
            )


if __name__ == "__main__":
    main()
