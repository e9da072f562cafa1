"""Make the seeds of all targets anew: `python tests/fuzz/seeds.py`.

Each target's folder holds exactly its seeds afterwards. They are the same bytes every time, with one release of
zstd and of cryptography.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from fuzz.targets import TARGETS  # noqa: E402


def main() -> None:
    """Write every corpus."""
    for target in TARGETS.values():
        target.corpus.mkdir(parents=True, exist_ok=True)
        seeds = target.seeds()
        for file in target.corpus.iterdir():
            if file.name not in seeds:
                file.unlink()
        for name, data in seeds.items():
            (target.corpus / name).write_bytes(data)


if __name__ == "__main__":
    main()
