"""What a command does is in the audit log, however it ends."""

import pytest
from auditlogs import facts
from openedlogs import log_in

from bundler import errors


@pytest.fixture
def log(tmp_path):
    return log_in(tmp_path)


def outcomes(log):
    return [(one["event"], one["outcome"], one.get("exit_code")) for one in facts(log.path.read_bytes())]


def test_what_ends_well_is_done_with_all_that_was_told_by_then(log):
    with log.recording("unpack", serial_before=1) as recording:
        recording.facts(serial_after=2)
        recording.begin()
        assert outcomes(log) == [("unpack", "begun", None)]
        recording.facts(generation_after=7)
    begun, done = facts(log.path.read_bytes())
    assert (begun["serial_before"], begun["serial_after"], "generation_after" in begun) == (1, 2, False)
    assert (done["serial_before"], done["serial_after"], done["generation_after"]) == (1, 2, 7)
    assert outcomes(log) == [("unpack", "begun", None), ("unpack", "done", 0)]


def test_what_changed_nothing_says_so(log):
    with log.recording("unpack") as recording:
        recording.outcome = "nothing"
    assert outcomes(log) == [("unpack", "nothing", 0)]


@pytest.mark.parametrize(
    ("error", "outcome", "code", "message"),
    [
        (errors.BundlerError("b", hint="h"), "failed", 1, "b"),
        (errors.UsageFault("b"), "failed", 2, "b"),
        (errors.SignatureFault("b"), "refused", 3, "b"),
        (errors.IncompleteFault("b"), "refused", 4, "b"),
        (errors.DamagedFault("b"), "refused", 5, "b"),
        (errors.HostFault("b"), "failed", 6, "b"),
        (errors.SourceFault("b"), "failed", 7, "b"),
        (errors.PolicyFault("b"), "refused", 8, "b"),
        (errors.LockedFault("b"), "failed", 9, "b"),
        (KeyboardInterrupt(), "failed", 130, "stopped by Ctrl-C"),
        (SystemExit(143), "failed", 143, "stopped by signal 15"),
        (SystemExit("x"), "failed", 1, "stopped"),
        (KeyError("x"), "failed", 1, "KeyError: 'x'"),
        (
            OSError(28, "No space left on device", "f"),
            "failed",
            6,
            "OSError: [Errno 28] No space left on device: 'f'",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_what_ends_badly_is_told_with_its_code_and_goes_on(log, error, outcome, code, message):
    with pytest.raises(type(error)) as caught, log.recording("unpack", reason="r"):
        raise error
    assert caught.value is error
    (found,) = facts(log.path.read_bytes())
    assert (found["outcome"], found["exit_code"], found["message"], found["reason"]) == (
        outcome,
        code,
        message,
        "r",
    )


def test_the_error_of_the_block_is_told_even_where_the_log_cannot_take_it(log):
    log.path.mkdir()
    with pytest.raises(errors.PolicyFault, match="older"), log.recording("unpack"):
        raise errors.PolicyFault("older")


def test_a_good_end_that_the_log_cannot_take_is_no_good_end(log):
    with pytest.raises(errors.HostFault), log.recording("unpack"):
        log.path.mkdir()
