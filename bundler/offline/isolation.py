"""Run programs where there is no network at all, if this machine lets us make such a place."""

from __future__ import annotations

import functools
import shutil
import subprocess


@functools.cache
def without_network() -> tuple[str, ...]:
    """Return the words that put a command into an empty network namespace; none where that is not possible.

    Linux only: `unshare -n` for root, with a user namespace for others.
    """
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    for words in ((unshare, "-n"), (unshare, "-r", "-n")):
        done = subprocess.run([*words, "true"], capture_output=True, check=False)
        if done.returncode == 0:
            return words
    return ()
