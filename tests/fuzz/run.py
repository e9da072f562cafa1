"""Fuzz with atheris: `python tests/fuzz/run.py TARGET|all [-runs=N | -max_total_time=SECONDS] [libFuzzer options]`.

What is found is kept below `build/fuzz/TARGET/` (or `$FUZZ_OUT/TARGET/`): inputs that reached something new in `corpus/`, inputs that broke
a property as `crash-…`, `timeout-…` or `oom-…`. The committed seeds are read, never written. To look at one input:
`python tests/fuzz/run.py TARGET build/fuzz/TARGET/crash-…`. With `all`, the targets run one after the other, and the
exit code says whether any of them found something.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
OUT = Path(os.environ.get("FUZZ_OUT") or ROOT / "build" / "fuzz")
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]


def main(arguments: list[str]) -> int:
    """Fuzz the target that is named first; atheris ends the process."""
    import atheris

    with atheris.instrument_imports(include=["bundler"]):
        from fuzz.target import ACCEPTED
        from fuzz.targets import TARGETS

    if not arguments or arguments[0] not in ("all", *TARGETS):
        sys.stderr.write(f"expected one of all, {', '.join(TARGETS)}\n")
        return 2
    name, *options = arguments
    if name == "all":
        codes = [subprocess.call([sys.executable, __file__, one, *options]) for one in TARGETS]
        return int(any(codes))
    target = TARGETS[name]
    folder = OUT / name
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))

    taken = [file.read_bytes() for file in sorted(target.corpus.glob(f"{ACCEPTED}*"))]

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.randrange(3) == 0:
            return atheris.Mutate(data, max_size)
        if rng.randrange(2):  # libFuzzer soon prefers small inputs that are broken at once
            data = rng.choice(taken)
        for _ in range(rng.choice((1, 1, 2, 4))):
            data = target.mutate(data, rng)
        return data[:max_size]

    def check(data: bytes) -> None:
        target.check(data)

    given = [option for option in options if not option.startswith("-")]
    places = given or [str(folder / "corpus"), str(target.corpus)]
    limits = [f"-max_len={target.max_len}", "-timeout=20", "-rss_limit_mb=1024", f"-dict={words}"]
    flags = [option for option in options if option.startswith("-")]
    command = [sys.argv[0], *limits, f"-artifact_prefix={folder}/", *flags, *places]
    atheris.Setup(command, check, custom_mutator=mutate)
    atheris.Fuzz()
    return 0


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
