"""How long re-encoding alone takes, which is the limit of packing and unpacking: native encoders on every core.

    python tests/benchmarks/encoding.py ARCHIVE...

Prints seconds and CPU seconds of encoding the contents, which are in memory, without reading, hashing or writing.
"""

from __future__ import annotations

import gzip
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bundler.deflate import catalog

_PIECE = 1 << 17


def encode(name: str, content: bytes) -> int:
    """Encode `content`; return the size of what comes out."""
    encoder = catalog.native(name)
    return sum(len(encoder.feed(content[at : at + _PIECE])) for at in range(0, len(content), _PIECE)) + len(
        encoder.finish()
    )


def encoder_of(archive: bytes, content: bytes) -> str:
    """Return the encoder whose first bytes are those of the archive."""
    for name in ("medium-17", "miniz-6", "medium-16", "zlib-6-8"):
        begun = catalog.native(name).feed(content[: 1 << 20])
        if begun and archive[10 : 10 + len(begun)] == begun:
            return name
    sys.exit("expected an archive by an encoder that is known")


def main() -> None:
    """Encode all archives once, the slowest encoder first."""
    archives = [Path(word).read_bytes() for word in sys.argv[1:]]
    contents = [gzip.decompress(one) for one in archives]
    jobs = [(encoder_of(*pair), pair[1]) for pair in zip(archives, contents, strict=True)]
    jobs.sort(key=lambda job: (job[0] == "miniz-6", len(job[1])), reverse=True)
    begun, used = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(lambda job: encode(*job), jobs))
    seconds, size = time.monotonic() - begun, sum(map(len, archives))
    print(f"{seconds:.2f} s, {size / 1e6 / seconds:.1f} MB/s, {time.process_time() - used:.2f} CPU s")


if __name__ == "__main__":
    main()
