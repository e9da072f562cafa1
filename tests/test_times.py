from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.core.fault import Fault
from bundler.core.times import read_time, utc_time, write_time


@given(st.datetimes(timezones=st.just(timezone.utc)))
def test_a_time_reads_back_as_it_was_written_to_the_second(moment):
    assert read_time(write_time(moment)) == moment.replace(microsecond=0)


@given(st.datetimes(), st.datetimes())
def test_texts_compare_as_the_times_do(one, other):
    one, other = (each.replace(tzinfo=timezone.utc, microsecond=0) for each in (one, other))
    assert (write_time(one) < write_time(other)) == (one < other)


def test_a_time_of_another_zone_is_written_in_utc():
    zone = timezone(timedelta(hours=2))
    assert write_time(datetime(2026, 11, 20, 1, 30, tzinfo=zone)) == "2026-11-19T23:30:00Z"


def test_a_time_stays_the_text_that_it_is():
    assert utc_time("2028-02-29T23:59:59Z") == "2028-02-29T23:59:59Z"


@pytest.mark.parametrize(
    "text",
    [
        "", "2026", "2026-11-20", "2026-11-20T00:00:00", "2026-11-20 00:00:00Z", "2026-11-20T00:00:00+00:00",
        "2026-11-20T00:00:00z", "2026-11-20T00:00:00.0Z", "2026-11-20T00:00:00Z\n", " 2026-11-20T00:00:00Z",
        "0000-01-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-31T00:00:00Z",
        "2027-02-29T00:00:00Z", "2026-11-20T24:00:00Z", "2026-11-20T00:60:00Z", "2026-11-20T00:00:60Z",
        "12026-11-20T00:00:00Z", "\u0662026-11-20T00:00:00Z", "\uff12026-11-20T00:00:00Z", "-026-11-20T00:00:00Z",
    ],
)  # fmt: skip
def test_what_is_no_such_time_is_refused(text):
    with pytest.raises(Fault) as caught:
        utc_time(text)
    assert str(caught.value) == f"expected a UTC time, YYYY-MM-DDThh:mm:ssZ, found {text!r}"
