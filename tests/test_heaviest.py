import threading

import pytest

from bundler.connected.heaviest import Heaviest, Left


def test_of_those_that_wait_the_heaviest_goes_first_and_of_equal_ones_the_first():
    done, gate = [], threading.Event()
    with Heaviest(1) as pool:
        first = pool.submit(0, gate.wait)
        for name, weight in [("light", 1), ("heavy", 9), ("also heavy", 9), ("heavier", 10)]:
            pool.submit(weight, lambda name=name: done.append(name))
        gate.set()
        assert first.result()
    assert done == ["heavier", "heavy", "also heavy", "light"]


def test_a_job_may_submit_another():
    with Heaviest(1) as pool:
        inner = pool.submit(1, lambda: pool.submit(1, lambda: "inner")).result()
        assert inner.result() == "inner"


def test_what_goes_wrong_is_raised_where_the_result_is_asked_for():
    def wrong():
        raise ValueError("no")

    with Heaviest(2) as pool:
        failed, good = pool.submit(1, wrong), pool.submit(1, lambda: 5)
        assert good.result() == 5
        with pytest.raises(ValueError, match="no"):
            failed.result()


def test_an_exception_in_the_block_leaves_what_waits_undone():
    done, gate = [], threading.Event()

    def leave():
        with Heaviest(1) as pool:
            pool.submit(2, gate.wait)
            pool.submit(1, lambda: done.append("waited"))
            threading.Timer(0.1, gate.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    assert done == []


def test_a_job_that_runs_for_long_ends_when_the_block_is_left():
    jobs, begun = [], threading.Event()

    def long(pool):
        pool.go_on()
        begun.set()
        while True:
            pool.go_on()

    def leave():
        with Heaviest(1) as pool:
            jobs.append(pool.submit(1, lambda: long(pool)))
            begun.wait()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    assert isinstance(jobs[0].exception(), Left)


def test_a_job_that_was_cancelled_is_not_run():
    gate = threading.Event()
    with Heaviest(1) as pool:
        pool.submit(2, gate.wait)
        job = pool.submit(1, lambda: pytest.fail("was run"))
        assert job.cancel()
        gate.set()
