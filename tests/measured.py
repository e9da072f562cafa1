"""The command line in a process whose memory is measured, and limited."""

from __future__ import annotations

import resource
import subprocess
import sys

from cli import Done, environment

MIB = 1 << 20
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


def run(*words, cwd, address_space=None) -> tuple[Done, float]:
    """Run the command line, in so many MiB of address space; return how it ended and its peak memory in MiB."""
    limit = (address_space or 0) * MIB

    def before():
        if limit:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    done = subprocess.run(
        [sys.executable, "-c", _WRAPPED, *map(str, words)], cwd=cwd, env=environment(), preexec_fn=before,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    *said, peak = done.stderr.splitlines()
    return Done(done.returncode, done.stdout, "".join(f"{line}\n" for line in said)), int(
        peak.split()[-1]
    ) / 1024
