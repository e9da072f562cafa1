"""Two unpacks that begin at the same moment, over and over."""

from __future__ import annotations

import os
import sys
import time
import warnings

import pytest
from bundles import archive, make_bundle, small_content, tree, unpack_bytes

from bundler.errors import BundlerError, LockedFault, PolicyFault
from bundler.offline.auditread import opened, verify_log
from bundler.offline.generation import active_generation, missing_file
from bundler.offline.prefix import Prefix

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
BUNDLES = {serial: make_bundle(serial=serial, archives=[archive(small_content(serial))]) for serial in (1, 2)}


def contender(serial, prefix, start):
    """Fork a process that unpacks a bundle at the time `start` and ends with its exit code."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # Python 3.12 on: other tests may have left threads
        child = os.fork()
    if child:
        return child
    code = 1
    try:
        time.sleep(max(0.0, start - time.monotonic()))
        unpack_bytes(BUNDLES[serial], prefix)
        code = 0
    except BundlerError as error:
        code = error.exit_code
    finally:
        os._exit(code)


@pytest.mark.parametrize("rounds", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_of_two_at_once_one_goes_ahead_and_the_other_is_told(tmp_path, rounds):
    turned_away = 0
    for number in range(rounds):
        root = tmp_path / str(number)
        (root / "state").mkdir(parents=True, mode=0o755)
        start = time.monotonic() + 0.02
        children = [contender(serial, root, start) for serial in (1, 2)]
        first, second = (os.waitstatus_to_exitcode(os.waitpid(one, 0)[1]) for one in children)
        assert 0 in (first, second)
        assert first in (
            0,
            LockedFault.exit_code,
            PolicyFault.exit_code,
        )  # refused as older where 2 came first
        assert second in (0, LockedFault.exit_code)
        turned_away += LockedFault.exit_code in (first, second)
        generation = active_generation(Prefix(root))
        assert generation.serial == (2 if second == 0 else 1)
        assert missing_file(generation, generation.index()) is None
        assert not (root / "staging").exists()
        assert {name for name in tree(root) if name.startswith("state/")} == {
            "state/lock",
            "state/serials.json",
        }
        assert len(list((root / "generations").iterdir())) == (first, second).count(0)
        with opened(Prefix(root).log) as stream:
            verify_log(stream, Prefix(root).log)
    assert turned_away, "they never met"
