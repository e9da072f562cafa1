"""Clean up what a run that was stopped left behind, before the next one begins (FORMAT.md §10, step 2)."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults, make_folder, sync_folder
from bundler.offline.serials import read_marks, write_marks
from bundler.offline.staging import sweep

if TYPE_CHECKING:
    from bundler.offline.prefix import Prefix
    from bundler.offline.serials import Marks


def recover(prefix: Prefix) -> tuple[Marks, tuple[str, ...]]:
    """Return the marks, and a line for each thing that had to be done.

    The caller holds the lock (`bundler.offline.prefix.locked`, which removes half-written records).
    Afterwards `staging` is gone, and every generation was active once. Raises `HostFault`, and `DamagedFault`
    where the marks are unreadable: then nothing is removed.
    """
    marks = read_marks(prefix)
    done = [f"{prefix.staging}: removed what an earlier run left"] if prefix.staging.exists() else []
    sweep(prefix.staging)
    if marks.switching is None:
        return marks, tuple(done)
    unused = prefix.generations / str(marks.switching)
    if os.path.realpath(prefix.current) == os.path.realpath(unused):
        done.append(f"{prefix.current}: an earlier run was stopped after the switch to {unused.name}")
    elif unused.exists():
        # Out of sight first: a generation that is removed must not be seen half there.
        make_folder(prefix.staging)
        with host_faults(unused):
            unused.rename(prefix.staging / unused.name)
            sync_folder(prefix.generations)
            shutil.rmtree(prefix.staging)
        done.append(f"{unused}: removed, an earlier run was stopped before the switch to it")
    marks = replace(marks, switching=None)
    write_marks(prefix, marks)
    return marks, tuple(done)
