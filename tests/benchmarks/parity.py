"""Encode parity and repair with it, beside what one would do otherwise: par2, and `sha256sum` for scale.

    python tests/benchmarks/parity.py [MIB [PAR2 ...]]      (default: 400, and the `par2` on PATH)

K files of MIB / K mebibytes get parity of M times their size; then M of them are deleted and recovered. Prints a
table: MB of data per second and per second of one core's time, the better of two runs in turn, and the peak memory.
par2 runs with one thread, once with as many blocks as files (which is the fastest, and loses a whole
block to one bad sector) and once with blocks of 1 MiB, as ours are. It hashes what it reads, by MD5; ours does not:
that is for the reader of volumes, whom `sha256sum` stands for.
Set UV_BUNDLER_BENCH_DIR to a folder with room for three times as much.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

RUNS = 2
SHAPES = ((100, 10), (20, 2), (40, 4))
CELL = 1 << 20


def encode(folder: Path, columns: int, parity: int) -> None:
    """Write the parity files of the data files in a folder, row by row."""
    from bundler.core.erasure import Encoder

    with ExitStack() as stack:
        data = [stack.enter_context((folder / f"d{column:03}").open("rb")) for column in range(columns)]
        made = [stack.enter_context((folder / f"p{number:03}").open("wb")) for number in range(parity)]
        for _ in range((folder / "d000").stat().st_size // CELL):
            encoder = Encoder(parity=range(parity), size=CELL)
            for column, source in enumerate(data):
                encoder.add(column, source.read(CELL))
            for target, cell in zip(made, encoder.finish(), strict=True):
                target.write(cell)


def repair(folder: Path, columns: int, parity: int) -> None:
    """Write the data files that are not there, row by row."""
    from bundler.core.erasure import Recovery

    names = {column: folder / f"d{column:03}" for column in range(columns)}
    lost = [column for column, name in names.items() if not name.exists()]
    with ExitStack() as stack:
        data = {c: stack.enter_context(names[c].open("rb")) for c in names if c not in lost}
        made = {c: stack.enter_context(names[c].open("wb")) for c in lost}
        helpers = [stack.enter_context((folder / f"p{n:03}").open("rb")) for n in range(parity)]
        for _ in range((folder / "p000").stat().st_size // CELL):
            recovery = Recovery(lost=lost, parity=range(len(lost)), size=CELL)
            for column, source in data.items():
                recovery.add_data(column, source.read(CELL))
            for number, source in enumerate(helpers):
                recovery.add_parity(number, source.read(CELL))
            for column, cell in recovery.finish().items():
                made[column].write(cell)


def measure(folder: Path, *words: object) -> tuple[float, float, float]:
    """Run a command in a folder; return seconds, seconds of one core, and peak memory in MiB."""
    begun = monotonic()
    process = subprocess.Popen([str(word) for word in words], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{words[0]} ended with {process.returncode}")
    return monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def digests(folder: Path) -> list[str]:
    """Return the digests of the data files, in their order; read in pieces, as a child's peak begins with ours."""
    found = []
    for path in sorted(folder.glob("d???")):
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            while data := stream.read(CELL):
                digest.update(data)
        found.append(digest.hexdigest())
    return found


def tools(
    columns: int, parity: int, size: int, par2: list[str]
) -> dict[str, tuple[list[object], list[object]]]:
    """Return for each tool the commands that encode and that repair; `size` is that of a file."""
    files = [f"d{column:03}" for column in range(columns)]
    ours = [sys.executable, Path(__file__).resolve()]
    found = {"uv-bundler": ([*ours, "encode", columns, parity], [*ours, "repair", columns, parity])}
    for program in par2:
        version = subprocess.run([program, "-V"], capture_output=True, text=True, check=True).stdout.strip()
        for block, blocks in ((size, parity), (CELL, parity * size // CELL)):
            create = [
                program,
                "create",
                "-q",
                "-q",
                "-t1",
                "-T1",
                f"-s{block}",
                f"-c{blocks}",
                "x.par2",
                *files,
            ]
            name = f"{version.replace(' version', '')}, blocks of {block / CELL:.0f} MiB"
            found[name] = (create, [program, "repair", "-q", "-q", "-t1", "-T1", "x.par2"])
    return found


def run(folder: Path, columns: int, parity: int, *, par2: list[str]) -> dict[str, tuple[float, float, float]]:
    """Return what each tool took to encode and to repair, the better of the runs; it must repair rightly."""
    best: dict[str, tuple[float, float, float]] = {}

    def note(what: str, found: tuple[float, float, float]) -> None:
        best[what] = tuple(map(min, zip(best.get(what, found), found, strict=True)))

    right = digests(folder)
    size = (folder / "d000").stat().st_size
    for _ in range(RUNS):
        note("sha256sum", measure(folder, "sha256sum", *sorted(folder.glob("d???"))))
        for name, (encoding, repairing) in tools(columns, parity, size, par2).items():
            note(f"{name}: encode", measure(folder, *encoding))
            for lost in range(parity):
                (folder / f"d{lost * columns // parity:03}").unlink()
            note(f"{name}: repair of {parity} lost", measure(folder, *repairing))
            if digests(folder) != right:
                sys.exit(f"{name}: the repaired files are not what they were")
            for made in (*folder.glob("p???"), *folder.glob("*.par2")):
                made.unlink()
    return best


def main() -> None:
    """Print the table."""
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    par2 = [word for word in sys.argv[2:] or ["par2"] if shutil.which(word)]
    if not par2:
        print("par2 is not on PATH: without it", file=sys.stderr)
    print(f"{'shape':<8} {'what':<52} {'MB/s':>6} {'per core':>9} {'peak MiB':>9}")
    for columns, parity in SHAPES:
        with tempfile.TemporaryDirectory(dir=os.environ.get("UV_BUNDLER_BENCH_DIR")) as scratch:
            folder = Path(scratch)
            for column in range(columns):
                with (folder / f"d{column:03}").open("wb") as stream:
                    for _ in range(mib // columns):
                        stream.write(os.urandom(CELL))
            os.sync()
            mb = mib // columns * columns * CELL / 1e6
            for what, (seconds, core, peak) in run(folder, columns, parity, par2=par2).items():
                shape = f"{columns:>3}+{parity:<4}"
                print(f"{shape} {what:<52} {mb / seconds:6.0f} {mb / core:9.0f} {peak:9.1f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] in (["encode"], ["repair"]):
        sys.path.insert(0, str(Path(__file__).parents[2]))
        {"encode": encode, "repair": repair}[sys.argv[1]](Path.cwd(), int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
