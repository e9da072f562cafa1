"""Volumes and parity as commands, beside what one would do otherwise: `split`, `cat`, `sha256sum`.

    python tests/benchmarks/volumesets.py [MIB ...]      (default: 2180, of which 40 and 100 volumes can be made)

Prints a table: the median of three runs in seconds, MiB of the bundle per second, the spread of the runs, the median
of the seconds of a core's time, and the peak memory. The rows of a round run one after the other, those of the next round the other way round, all with a
warm cache and an empty write-back queue. A loss is ten of the hundred volumes, deleted.
Set UV_BUNDLER_BENCH_DIR to a folder with room for six times as much.
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

ROUNDS = 3
BLOCK = 1 << 20
BAR = 200  # MiB of memory
OURS = f"{sys.executable} -m bundler"
_WRITE = (
    "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import bigbundle, bundles; "
    "bigbundle.write_bundle(Path(sys.argv[2]), size=int(sys.argv[3])); "
    "Path(sys.argv[4]).write_text(bundles.PACKER.line + chr(10))"
)


def measure(folder: Path, script: str, *, may_end_with: int) -> tuple[float, float, float]:
    """Run a line of shell in a folder; return seconds, seconds of a core, and peak memory in MiB of one process."""
    os.sync()
    begun = time.monotonic()
    process = subprocess.Popen(
        ["sh", "-c", script], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    said = process.stderr.read() if process.stderr else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, may_end_with):
        sys.exit(f"{script} ended with {process.returncode}\n{said}")
    return time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def commands(size: int, made: dict[str, str]) -> dict[str, tuple[str, int]]:
    """Return lines of shell by what they do, and the exit code that each may end with beside 0.

    `made` are the sets, folders by what they are called, and `size` is that of the bundle in bytes.
    """
    one, many, spare = made
    trust, quiet = "--trust trust", "-q"
    prefix = f"--prefix p {trust} {quiet}"
    fresh = "rm -rf out p && mkdir out"
    pieces = _volume_size(size, 40)
    rows = {
        "sha256sum": ("sha256sum q.uvb", 0),
        "verify one file": (f"{OURS} verify q.uvb {trust} {quiet}", 0),
        f"verify {one}": (f"{OURS} verify {made[one]} {trust} {quiet}", 0),
        f"verify {many}": (f"{OURS} verify {made[many]} {trust} {quiet}", 0),
        f"verify --strict {many}": (f"{OURS} verify {made[many]} --strict {trust} {quiet}", 0),
        f"verify {spare}": (f"{OURS} verify {made[spare]} {trust} {quiet}", 4),
        "split -b, sha256sum, sync": (
            f"split -b {pieces} -d -a 4 q.uvb out/x. && sha256sum out/x.* > out/SUMS && sync",
            0,
        ),
        f"split into {one}": (f"{OURS} split q.uvb -o out --volume-size {pieces} {quiet}", 0),
        f"split into {many}": (
            f"{OURS} split q.uvb -o out --volume-size {_volume_size(size, 100)} --parity 10 {quiet}",
            0,
        ),
        f"repair {spare}": (f"{OURS} repair {made[spare]} --to out {trust} {quiet}", 0),
        "cat, sync": (f"cat {made[one]}/*.uvb > out/x && sync", 0),
        f"join {one}": (f"{OURS} join {made[one]} -o out/x.uvb {quiet}", 0),
        f"join {spare}": (f"{OURS} join {made[spare]} -o out/x.uvb {quiet}", 0),
        "sha256sum, cp, sync": ("sha256sum q.uvb && cp q.uvb out/x && sync", 0),
        "unpack one file": (f"{OURS} unpack q.uvb {prefix}", 0),
        f"unpack {one}": (f"{OURS} unpack {made[one]} {prefix}", 0),
        f"unpack {spare}": (f"{OURS} unpack {made[spare]} {prefix}", 0),
    }
    return {what: (f"{fresh} && {line}", code) for what, (line, code) in rows.items()}


def _volume_size(size: int, volumes: int) -> int:
    """Return a size of volumes that makes at most so many of a bundle, and as many where it is large."""
    blocks = -(-size // BLOCK) + 10  # each member ends with a short one
    return -(-blocks // volumes) * (BLOCK + 512) + (BLOCK >> 1)  # and the front, which each volume has


def make_sets(folder: Path, size: int) -> dict[str, str]:
    """Write the sets into folders; return these by what the sets are called."""

    def split(place: str, volumes: int, *more: str) -> int:
        (folder / place).mkdir()
        words = ["split", "q.uvb", "-o", place, "--volume-size", str(_volume_size(size, volumes)), *more]
        subprocess.run([*OURS.split(" "), *words, "-q"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return len(list((folder / place).glob("*.0*.uvb")))

    one, many = split("one", 40), split("many", 100, "--parity", "10")
    shutil.copytree(folder / "many", folder / "spare", copy_function=os.link)
    for number in range(10):
        (folder / "spare" / f"bench-1.{1 + number * many // 10:04}-of-{many:04}.uvb").unlink()
    return {
        f"{one} volumes": "one",
        f"{many}+10 volumes": "many",
        f"{many}+10 volumes, 10 lost": "spare",
    }


def main() -> None:
    """Print the table for the sizes that were asked for."""
    print(f"{'MiB':>6} {'what':<36} {'seconds':>8} {'MiB/s':>7} {'spread':>7} {'core':>7} {'peak MiB':>9}")
    for mib in [int(word) for word in sys.argv[1:]] or [2180]:
        with tempfile.TemporaryDirectory(dir=os.environ.get("UV_BUNDLER_BENCH_DIR")) as scratch:
            folder = Path(scratch)
            # In a process of its own: a child's peak memory would begin with ours.
            subprocess.run(
                [sys.executable, "-c", _WRITE, Path(__file__).parent, folder / "q.uvb", str(mib << 20), folder / "trust"],
                check=True,
            )  # fmt: skip
            size = (folder / "q.uvb").stat().st_size
            rows = commands(size, make_sets(folder, size))
            found: dict[str, list[tuple[float, float, float]]] = {what: [] for what in rows}
            for number in range(ROUNDS):
                for what in list(rows)[:: -1 if number % 2 else 1]:
                    line, code = rows[what]
                    found[what].append(measure(folder, line, may_end_with=code))
            for what, runs in found.items():
                seconds = statistics.median(one for one, _, _ in runs)
                core = statistics.median(one for _, one, _ in runs)
                spread = (max(runs)[0] - min(runs)[0]) / seconds
                peak = max(one for _, _, one in runs)
                mark = "  too much" if peak > BAR else ""
                print(
                    f"{mib:>6} {what:<36} {seconds:8.2f} {mib / seconds:7.0f} {spread:7.0%} {core:7.2f} {peak:9.1f}{mark}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
