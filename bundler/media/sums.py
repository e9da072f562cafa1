"""`SHA256SUMS` in coreutils' form: what `sha256sum -c` compares, without any tool of ours."""

from __future__ import annotations

import re

from bundler.core.digest import Digest
from bundler.core.fault import Fault
from bundler.core.names import MAX_SEGMENT, check_distinct, portable_path

MAX_SUMS_BYTES = 4 << 20  # about 24 000 files with names of 100 characters
_LINE = re.compile(r"([0-9a-f]{64}) [ *]([\x21-\x7e]+)")


def parse_sums(data: bytes) -> dict[str, Digest]:
    """Read a list of flat, portable names with their digests; raises `Fault` for anything else."""
    if len(data) > MAX_SUMS_BYTES:
        raise Fault(f"expected at most {MAX_SUMS_BYTES} bytes, found more")
    found: dict[str, Digest] = {}
    for number, line in enumerate(data.decode("latin-1").removesuffix("\n").split("\n") if data else (), 1):
        fields = _LINE.fullmatch(line)
        if not fields:
            raise Fault(f"line {number}: expected a sha256, two blanks and a name, found {line[:100]!r}")
        name = fields[2]
        if len(name) > MAX_SEGMENT or "/" in portable_path(name) or name in found:
            raise Fault(f"line {number}: expected the name of a file beside it, once, found {name[:100]!r}")
        found[name] = Digest(fields[1])
    check_distinct(found)
    return found


def write_sums(digests: dict[str, Digest]) -> bytes:
    """Write the list, by name."""
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests)).encode("ascii")
