"""Bundles for the tests of deltas: a base, a delta on it, a full one of the same state, and one of something else."""

import functools
import io

import pytest
from bundles import request, tree, unpack_bytes
from deflatedparts import NEW_TAR, OLD_TAR, gzip_of, joined, with_wheel
from recompressed import Box, delta_box, full_box

from bundler.errors import IncompleteFault
from bundler.offline.deciding import dry_run

OLD, WHEEL = joined(gzip_of(OLD_TAR)), joined(gzip_of(*with_wheel(OLD_TAR)))
NEW = joined(gzip_of(NEW_TAR))
HINT = "unpack that bundle here first, for these platforms, or a full one (packed without --since)"
FULL_HINT = (
    "unpack a newer full bundle (packed without --since); or remove the link `current` in the prefix, then "
    "unpack the earlier bundle again and this one after it"
)


def lacks(count):
    said = "1 file of it is" if count == 1 else f"{count} files of it are"
    return f"q4.uvb: builds on plant-7 2026Q4 (serial 7); {said} not on this host, expected all of what it builds on"


@functools.cache
def base(how="recipe"):
    return full_box(how=how).seal()


@functools.cache
def delta(serial=8):
    return delta_box(base(), serial=serial).seal()


@functools.cache
def full(serial=8):
    """The same state as the delta's, in a bundle that builds on nothing."""
    box = Box(serial=serial)
    box.archive(gzip_of(NEW_TAR), version=(3, 13, 6))
    box.archive(gzip_of(*with_wheel(OLD_TAR)), version=(3, 12, 1))
    return box.programs_of_uv().seal()


@functools.cache
def other(serial):
    """A bundle that has nothing of this."""
    box = Box(serial=serial)
    box.archive(gzip_of(b"something else"), version=(3, 9, 1))
    return box.programs_of_uv().seal()


def archives(prefix):
    return {one.read_bytes() for one in (prefix / "current" / "mirror").rglob("*.tar.gz")}


def refused(data, prefix, **changes):
    """Assert that nothing changes, and that a dry run says the same; return the fault."""
    before = tree(prefix)
    with pytest.raises(IncompleteFault) as caught:
        unpack_bytes(data, prefix, **changes)
    assert caught.value.exit_code == 4
    after = tree(prefix)
    if not before:  # the lock of a blank prefix stays
        assert after.keys() <= {"state", "state/lock"}
        after = before
    assert after == before
    with pytest.raises(IncompleteFault) as dry:
        dry_run(io.BytesIO(data), request(prefix, **changes), name="q4.uvb")
    assert str(dry.value) == str(caught.value)
    return caught.value
