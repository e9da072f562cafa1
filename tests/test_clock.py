from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.core.times import write_time
from bundler.offline.clock import Clock, system_clock

NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)


def test_a_clock_that_stands_at_1970_is_held_up_by_what_was_seen():
    clock = Clock(now=datetime(1970, 1, 1, tzinfo=timezone.utc)).not_before(
        "2026-11-20T00:00:00Z", of="a bundle"
    )
    assert str(clock) == "2026-11-20T00:00:00Z"
    assert clock.held_up_by == "a bundle (2026-11-20T00:00:00Z)"


def test_a_clock_that_is_right_is_left_alone():
    clock = Clock(now=NOON).not_before("2026-11-20T00:00:00Z", of="a bundle")
    assert (clock.now, clock.held_up_by) == (NOON, None)


@pytest.mark.parametrize(
    ("end", "past"),
    [("2026-11-21T11:59:59Z", True), ("2026-11-21T12:00:00Z", False), ("2026-11-21T12:00:01Z", False)],
)
def test_the_last_second_still_holds(end, past):
    assert Clock(now=NOON).is_past(end) is past


@given(st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)), max_size=5))  # noqa: DTZ001  # given a zone below
def test_floors_only_raise_the_clock_in_any_order(moments):
    floors = [write_time(one.replace(tzinfo=timezone.utc)) for one in moments]
    there, back = Clock(now=NOON), Clock(now=NOON)
    for floor in floors:
        there = there.not_before(floor, of="x")
    for floor in reversed(floors):
        back = back.not_before(floor, of="x")
    assert (
        there.now
        == back.now
        == max([NOON, *(one.replace(tzinfo=timezone.utc, microsecond=0) for one in moments)])
    )


def test_the_clock_of_this_machine_runs():
    assert system_clock().now <= datetime.now(timezone.utc)
