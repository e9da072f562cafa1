"""How long a fetch waits before it tries again."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from bundler.connected.patience import Patience

PATIENCE = Patience(first_wait=1.0, longest_wait=10.0, longest_asked_wait=60.0)


@pytest.mark.parametrize(
    ("failures", "longest"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 10.0), (50, 10.0)]
)
def test_waits_double_up_to_a_limit_and_are_spread(failures, longest):
    waits = {PATIENCE.wait_after(failures) for _ in range(20)}
    assert all(longest / 2 <= wait <= longest for wait in waits)
    assert len(waits) > 1


@pytest.mark.parametrize(
    ("asked", "wait"), [("0", 0.0), ("7", 7.0), (" 60 ", 60.0), ("61", None), ("9" * 50, None)]
)
def test_a_server_may_ask_for_a_time_that_is_not_too_long(asked, wait):
    assert PATIENCE.wait_after(1, asked) == wait


def test_a_server_may_name_a_date():
    def at(seconds):
        return format_datetime(datetime.now(timezone.utc) + timedelta(seconds=seconds), usegmt=True)

    assert 28 <= PATIENCE.wait_after(1, at(30)) <= 30
    assert PATIENCE.wait_after(1, at(-30)) == 0
    assert PATIENCE.wait_after(1, at(3600)) is None


@pytest.mark.parametrize("asked", ["soon", "", "-1", "1.5"])
def test_what_cannot_be_read_is_as_if_nothing_was_asked(asked):
    assert 0.5 <= PATIENCE.wait_after(1, asked) <= 1.0
