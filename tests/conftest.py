"""Which tests run by default, and what all of them may use."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


def pytest_configure():
    """Let Ctrl-C stop what tests start: a job in a shell's background ignores it, and its children would, too."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    """Leave the slow suites out, unless they are asked for with -m."""
    if config.getoption("-m"):
        return
    slow = [item for item in items if "slow" in item.keywords]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if "slow" not in item.keywords]


@pytest.fixture(autouse=True)
def _no_settings_of_the_person_who_runs_the_tests(monkeypatch):
    """Hide UV_ and UV_BUNDLER_ variables."""
    for name in list(os.environ):
        if name.startswith("UV_") and name != "UV_BUNDLER_TEST_CACHE":
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shared_vectors():
    """The attack and conformance data that lies beside the checkout where this project is developed."""
    folder = SHARED / "vectors"
    if not folder.is_dir():
        pytest.skip(f"needs the attack vectors in {folder.parent.name}/{folder.name}, which are not here")
    return folder


@pytest.fixture(scope="session")
def uv():
    """The real uv that the test requirements install."""
    from uv import find_uv_bin

    return find_uv_bin()
