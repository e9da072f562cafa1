"""Pack and unpack Python archives against what people do otherwise: `tar | zstd`, `xz -9`, plain copying.

    python tests/benchmarks/recompression.py ARCHIVE... [--since ARCHIVE...]

Packs the archives at each level and unpacks the result; with `--since` also a delta on a bundle of those. Prints a
table: bytes and their ratio to the archives, seconds of one run, MB of archives a second, CPU seconds, peak memory.
`file names` tell versions, see packset.py; neighbours.py makes archives that cannot be had. UV_BUNDLER_BENCH_DIR is
where it works.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LEVELS = ("fast", "default", "best")
_PACKSET = Path(__file__).parent / "packset.py"


class Table:
    """Runs commands one after the other, and prints a line for each."""

    def __init__(self, archives: list[Path]) -> None:
        self._size = sum(one.stat().st_size for one in archives)
        print(f"{len(archives)} archives, {self._size} bytes: {', '.join(one.name for one in archives)}")
        print(
            f"{'what':<34} {'bytes':>10} {'ratio':>7} {'seconds':>8} {'MB/s':>6} {'CPU s':>7} {'peak MiB':>9}"
        )

    def run(self, what: str, *command: object, made: Path | None = None) -> None:
        """Run the command, which makes the file `made`."""
        os.sync()
        begun = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{what} ended with {process.returncode}")
        seconds = time.monotonic() - begun
        count = made.stat().st_size if made else 0
        ratio = f"{count:>10} {count / self._size:7.4f}" if made else f"{'':>10} {'':>7}"
        print(
            f"{what:<34} {ratio} {seconds:8.2f} {self._size / 1e6 / seconds:6.1f} "
            f"{usage.ru_utime + usage.ru_stime:7.2f} {usage.ru_maxrss / 1024:9.1f}",
            flush=True,
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("archives", nargs="+", type=Path)
    parser.add_argument("--since", nargs="+", type=Path, default=[])
    parser.add_argument("--levels", nargs="+", default=list(LEVELS), choices=LEVELS)
    parser.add_argument("--ours", action="store_true", help="leave out tar, zstd, xz and cp")
    asked = parser.parse_args()
    ours, python = [sys.executable, "-m", "bundler"], sys.executable
    with tempfile.TemporaryDirectory(dir=os.environ.get("UV_BUNDLER_BENCH_DIR")) as scratch:
        folder = Path(scratch)
        key, before = folder / "key", folder / "before.uvb"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        trust = key.with_suffix(".pub")
        table = Table(asked.archives)
        if not asked.ours:
            names, raws = shlex.join(map(str, asked.archives)), folder / "raw.tar"
            pipe = f"for one in {names}; do gunzip -c $one; done"
            copy = f"sha256sum {names} && cp {names} {folder} && sync"
            table.run("sha256sum + cp + sync", "sh", "-c", copy)
            subprocess.run(["sh", "-c", f"{{ {pipe}; }} > {raws}"], check=True)
            for how in ("zstd -3 -T2", "zstd -19 --long=27 -T2", "xz -9 -T2"):
                made = folder / "stock"
                table.run(f"raw tars | {how}", "sh", "-c", f"{how} -c {raws} > {made}", made=made)
        if asked.since:
            subprocess.run(
                [python, _PACKSET, before, "fast", key, *asked.since], check=True, stdout=subprocess.DEVNULL
            )
        for level in asked.levels:
            for what, more in (("full", ()), *([("delta", ("--since", before))] if asked.since else [])):
                bundle, prefix = folder / f"{what}-{level}.uvb", folder / "prefix"
                table.run(
                    f"pack --level {level}, {what}",
                    python, _PACKSET, bundle, level, key, *asked.archives, *more,
                    made=bundle,
                )  # fmt: skip
                unpack = [*ours, "unpack", "--trust", trust, "--prefix", prefix, "-q"]
                if what == "delta":
                    subprocess.run([*unpack, before], check=True, stdout=subprocess.DEVNULL)
                table.run(f"unpack it, {what}", *unpack, bundle)
                shutil.rmtree(prefix)


if __name__ == "__main__":
    main()
