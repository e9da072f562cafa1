"""An audit log is verified from its start, against a head that was noted, and read as it was verified."""

import os

import pytest
from auditlogs import follow
from openedlogs import log_in, verified

from bundler import errors
from bundler.offline.auditread import opened, read_verified, verify_log


@pytest.fixture
def log(tmp_path):
    return log_in(tmp_path)


@pytest.fixture
def used(log):
    for number in range(1, 4):
        log.append("unpack", "done", serial_after=number)
    return log


def heads(log):
    lines = log.path.read_bytes().splitlines(keepends=True)
    return [follow(b"".join(lines[:count]))[1].head for count in range(len(lines) + 1)]


def test_an_intact_log_is_verified_and_read(used):
    with opened(used.path) as stream:
        found = verify_log(stream, used.path)
        lines = list(read_verified(stream, found))
    assert (found.entries, found.stumps, found.last_stump, found.head) == (3, 0, None, heads(used)[-1])
    assert b"".join(line.raw + b"\n" for line in lines) == used.path.read_bytes()


def test_every_head_that_was_noted_while_the_log_grew_is_found_again(used):
    for head in heads(used):
        verified(used.path, noted=head)


def test_a_head_that_was_noted_before_a_crash_left_a_stump_is_found_again(used):
    noted = heads(used)[-1]
    used.path.write_bytes(used.path.read_bytes() + b"stump")
    verified(used.path, noted=noted)
    used.append("unpack", "done")
    verified(used.path, noted=noted)


def test_a_log_that_was_cut_off_or_changed_no_longer_has_the_head_that_was_noted(used):
    noted, whole = heads(used)[-1], used.path.read_bytes()
    message = f"{used.path}: the sha256 {noted} stands behind none of its "
    for changed in (
        b"",
        whole[: whole.index(b"\n") + 1],
        whole[:-2],
        whole[:-1] + b" \n",
        whole.replace(b": 3}", b": 4}"),
    ):
        used.path.write_bytes(changed)
        with pytest.raises(errors.DamagedFault) as caught:
            verified(used.path, noted=noted)
        assert str(caught.value).startswith(message)


def test_a_broken_chain_is_told_with_line_and_both_digests(used):
    changed = used.path.read_bytes().replace(b'"serial_after": 1', b'"serial_after": 9')
    expected = follow(changed.splitlines(keepends=True)[0])[1].head
    found = heads(used)[1]
    used.path.write_bytes(changed)
    with pytest.raises(errors.DamagedFault) as caught:
        verified(used.path)
    assert str(caught.value) == f"{used.path}: line 2: previous is {found}, expected {expected}"
    assert caught.value.hint == (
        "this line, or one before it, was changed, removed or inserted: find out who did it, "
        "then move the file away, and the next run begins a new one"
    )


def test_what_is_appended_after_the_look_is_neither_verified_nor_read(used):
    with opened(used.path) as stream:
        found = verify_log(stream, used.path)
        with used.path.open("ab") as more:
            more.write(b"half a li")
        assert len(list(read_verified(stream, found))) == 3


def test_a_log_that_is_exchanged_between_the_look_and_the_reading_is_told(used):
    with opened(used.path) as stream:
        found = verify_log(stream, used.path)
        with used.path.open("r+b") as other:
            other.write(used.path.read_bytes().replace(b": 3}", b": 4}"))
        with pytest.raises(errors.DamagedFault, match="which it was a moment ago"):
            list(read_verified(stream, found))


def test_a_long_log_is_read_in_flat_memory(used):
    import tracemalloc

    with used.path.open("ab") as stream:
        stream.write(b"\n".join([b"x" * 999] * 30_000))
    with opened(used.path) as stream:
        tracemalloc.start()
        found = verify_log(stream, used.path)
        for _ in read_verified(stream, found):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert found.stumps == 30_000
    assert peak < 1 << 20


def test_reading_changes_nothing(used):
    before = used.path.stat()
    verified(used.path)
    after = used.path.stat()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
    assert os.listdir(used.path.parent) == ["log.jsonl"]
