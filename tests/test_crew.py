"""Several threads, one answer for each item, and a quick end."""

from __future__ import annotations

import threading

import pytest

from bundler.connected.crew import each


def test_answers_come_in_the_order_of_the_items():
    assert each(lambda item, _: item * 2, range(50), workers=4) == [item * 2 for item in range(50)]
    assert each(lambda item, _: item, [], workers=4) == []


def test_no_more_threads_than_asked_for_are_at_work():
    barrier, most, busy, lock = threading.Barrier(3), [0], [0], threading.Lock()

    def work(_item, _stop):
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        barrier.wait(10)  # three are at work at once
        with lock:
            busy[0] -= 1

    each(work, range(9), workers=3)
    assert most == [3]


def test_the_first_failure_ends_all_of_it():
    done = []

    def work(item, stop):
        if item == 0:
            raise ZeroDivisionError
        assert stop.wait(10)  # told to leave
        done.append(item)

    with pytest.raises(ZeroDivisionError):
        each(work, range(100), workers=2)
    assert len(done) <= 2  # what the two threads had begun
