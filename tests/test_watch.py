"""Lines of progress in a log."""

import pytest

from bundler.commands import watch


@pytest.fixture
def lines(monkeypatch, capsys):
    """A progress without a terminal, and a clock that a test moves."""
    now = [100.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: now[0])
    with watch.watch(quiet=False) as progress:
        progress.stage("unpack", 10 << 20)

        def after(seconds, count):
            now[0] += seconds
            progress.advance(count)
            return capsys.readouterr().err

        yield after


def test_a_line_comes_every_five_seconds_with_rate_and_time_left(lines):
    assert lines(4.9, 1 << 20) == ""
    assert lines(0.1, 4 << 20) == "uv-bundler: unpack 50 % 5.0 MiB of 10.0 MiB, 1.0 MiB/s, 5.0 s left\n"
    assert lines(4.9, 1) == ""


def test_where_nothing_is_done_yet_or_all_of_it_again_nobody_knows_how_long_it_takes(lines):
    assert lines(5, 0) == "uv-bundler: unpack 0 % 0 B of 10.0 MiB\n"
    assert lines(1, 1 << 20) == ""
    assert lines(4, -(1 << 20)) == "uv-bundler: unpack 0 % 0 B of 10.0 MiB\n"
