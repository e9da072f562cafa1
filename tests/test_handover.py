import subprocess
import sys
import threading

import pytest
from cli import environment

from bundler.offline.handover import Handover


def test_everything_given_is_taken_in_its_order():
    handover, taken = Handover(3), []
    thread = threading.Thread(target=lambda: taken.extend(handover.taken()))
    thread.start()
    for number in range(1000):
        handover.give(number)
    handover.wait()
    assert taken == list(range(1000))
    handover.end()
    thread.join(10)
    assert not thread.is_alive()


def test_no_more_than_a_few_wait():
    handover, given = Handover(3), []

    def give():
        for number in range(10):
            handover.give(number)
            given.append(number)

    thread = threading.Thread(target=give, daemon=True)
    thread.start()
    thread.join(0.1)
    assert given == [0, 1, 2]
    taken = handover.taken()
    assert next(taken) == 0
    thread.join(0.1)
    assert given == [0, 1, 2]  # what is being worked at is not done
    assert [next(taken) for _ in range(9)] == list(range(1, 10))
    thread.join(10)
    assert given == list(range(10))


INTERRUPTED = """
import random, signal, sys
from bundler.volumes.fileset import Beside
from bundler.offline.hashing import HashBeside

class Stop(BaseException):
    pass

def stop(*_):
    raise Stop

signal.signal(signal.SIGALRM, stop)
drawn, block, stopped = random.Random(1), bytes(1 << 18), 0
while stopped < 600:
    beside = Beside() if stopped % 2 else HashBeside()
    try:
        with beside:
            signal.setitimer(signal.ITIMER_REAL, drawn.uniform(0.0005, 0.004))
            while True:
                beside.call(lambda: bytes(1 << 12)) if stopped % 2 else beside.update(block)
    except Stop:
        stopped += 1
print(stopped)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no timers that signal")
def test_a_signal_at_any_moment_leaves_no_thread_that_waits_for_ever():
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("600\n", "")
