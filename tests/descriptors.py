"""Which descriptors this process holds, for tests that nothing is left open."""

from __future__ import annotations

import os


def open_descriptors() -> set[int]:
    """The numbers of the open descriptors, where the system lists them in `/dev/fd`.

    A connection or a thread that an earlier test left behind may close its own at any moment. So
    a test asks whether numbers came (`open_descriptors() <= before`), not whether as many are open.
    """
    return {int(name) for name in os.listdir("/dev/fd")}
