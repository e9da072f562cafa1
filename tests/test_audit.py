import os
import resource
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest
from auditlogs import facts, follow
from cli import environment

from bundler import __version__, errors
from bundler.offline import actor
from bundler.offline.actor import Actor, whoami
from bundler.offline.audit import Log, open_log
from bundler.offline.auditlog import START, Stump
from bundler.offline.auditread import opened, read_verified, verify_log

ROOT = Actor(user="root", uid=0, sudo_user="alice", host="plant7")


@pytest.fixture
def log(tmp_path):
    return Log(
        tmp_path / "log.jsonl", who=ROOT, command="uv-bundler unpack q4.uvb",
        now=lambda: datetime(2026, 11, 20, 20, 48, 40, 999, tzinfo=timezone.utc),
    )  # fmt: skip


def outcomes(log):
    return [(one["event"], one["outcome"], one.get("exit_code")) for one in facts(log.path.read_bytes())]


def verified(path, **options):
    with opened(path) as stream:
        return verify_log(stream, path, **options)


# --- appending ------------------------------------------------------------------------------------------------


def test_the_first_line_is_exactly_this(log):
    log.append("unpack", "begun", serial_before=None, serial_after=2)
    assert log.path.read_bytes() == (
        b'{"number": 1, "previous": "'
        + START.encode()
        + b'", "time": "2026-11-20T20:48:40Z", "event": "unpack", '
        b'"outcome": "begun", "user": "root", "uid": 0, "sudo_user": "alice", "host": "plant7", '
        b'"tool": "uv-bundler '
        + __version__.encode()
        + b'", "command": "uv-bundler unpack q4.uvb", "serial_after": 2}\n'
    )


def test_lines_are_chained_and_nothing_before_is_changed(log):
    before = b""
    for number in range(1, 5):
        log.append("unpack", "done", serial_after=number)
        now = log.path.read_bytes()
        assert now.startswith(before)
        before = now
    assert [one["serial_after"] for one in facts(now)] == [1, 2, 3, 4]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_everybody_may_read_it_whatever_the_umask(log, umask):
    before = os.umask(umask)
    try:
        log.append("unpack", "begun")
    finally:
        os.umask(before)
    assert log.path.stat().st_mode & 0o7777 == 0o644


class Calls:
    """Counts system calls of the appending module by name."""

    def __init__(self, monkeypatch):
        self.done = []
        for name in ("write", "fsync", "open"):
            monkeypatch.setattr(os, name, self._counting(name, getattr(os, name)))

    def _counting(self, name, real):
        def call(*words):
            self.done.append(name)
            return real(*words)

        return call


def test_an_append_is_one_write_and_one_sync_and_a_new_file_is_synced_into_its_folder_before(
    log, monkeypatch
):
    calls = Calls(monkeypatch)
    log.append("unpack", "begun")
    assert calls.done == ["open", "open", "fsync", "write", "fsync"]  # the file, the folder
    calls.done.clear()
    log.append("unpack", "done")
    assert calls.done == ["open", "write", "fsync"]


def test_two_appends_are_two_writes_to_it_and_two_syncs_of_it_as_strace_sees_them(tmp_path):
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    (tmp_path / "log.jsonl").touch()
    code = (
        "import sys, pathlib; from bundler.offline.audit import Log; from bundler.offline.actor import whoami; "
        "log = Log(pathlib.Path(sys.argv[1]), who=whoami(), command='c'); log.append('unpack', 'begun'); log.append('unpack', 'done')"
    )
    trace = tmp_path / "trace"
    done = subprocess.run(
        ["strace", "-f", "-y", "-s", "0", "-o", trace, sys.executable, "-c", code, tmp_path / "log.jsonl"],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode and "ptrace" in done.stderr:
        pytest.skip("tracing is not allowed here")
    assert done.returncode == 0, done.stderr
    lines = trace.read_text(errors="replace").splitlines()
    on_log = [line.split()[1].split("(")[0] for line in lines if "log.jsonl>" in line]
    assert [name for name in on_log if name in ("write", "fsync")] == ["write", "fsync", "write", "fsync"]
    opening = [line for line in lines if "openat(" in line and "log.jsonl" in line]
    assert len(opening) == 2
    assert all("O_APPEND" in line and "O_NOFOLLOW" in line and "O_TRUNC" not in line for line in opening)
    assert not [line for line in lines if " socket(" in line or " connect(" in line]


def test_the_end_is_found_without_reading_the_whole_log(log, monkeypatch):
    log.append("unpack", "done")
    line = log.path.read_bytes()
    log.path.write_bytes(line * (5_000_000 // len(line)))
    read, real = [], os.read
    monkeypatch.setattr(os, "read", lambda handle, size: read.append(real(handle, size)) or read[-1])
    log.append("unpack", "done")
    assert sum(map(len, read)) == 1 << 20


def test_where_the_last_mib_holds_no_line_nothing_is_appended(log):
    log.append("unpack", "done")
    broken = log.path.read_bytes() + b"\0" * (1 << 20)
    log.path.write_bytes(broken)
    with pytest.raises(errors.DamagedFault) as caught:
        log.append("unpack", "begun")
    assert (
        str(caught.value) == f"{log.path}: the last 1048576 bytes hold no whole line, expected an audit log"
    )
    assert log.path.read_bytes() == broken


def test_where_a_stump_of_almost_a_mib_stands_the_line_before_it_is_found(log):
    log.append("unpack", "done")
    size = log.path.stat().st_size
    log.path.write_bytes(log.path.read_bytes() + b"\0" * ((1 << 20) - size))
    log.append("unpack", "begun")
    assert len(facts(log.path.read_bytes())) == 2


def link(path):
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (link, "is a symbolic link, expected an audit log"),
        (os.mkfifo, "is no regular file, expected an audit log"),
        (Path.mkdir, "is no regular file, expected an audit log"),
    ],
)
def test_what_is_no_file_of_its_own_is_neither_written_nor_read(log, make, message):
    make(log.path)
    with pytest.raises(errors.HostFault, match=message):
        log.append("unpack", "begun")
    with pytest.raises(errors.HostFault, match=message):
        verified(log.path)
    assert os.listdir(log.path.parent) == ["log.jsonl"]


def test_a_link_that_comes_after_the_look_is_not_followed(log, monkeypatch):
    link(log.path)
    monkeypatch.setattr(Path, "is_symlink", lambda _: False)
    with pytest.raises(errors.HostFault, match="symbolic links"):
        log.append("unpack", "begun")
    assert os.listdir(log.path.parent) == ["log.jsonl"]


def test_a_missing_folder_is_a_fault_of_the_host(tmp_path):
    with pytest.raises(errors.HostFault, match="No such file"):
        Log(tmp_path / "state" / "log.jsonl", who=ROOT, command="").append("unpack", "begun")


@pytest.mark.parametrize("room", [0, 1, 100])
def test_a_full_disk_leaves_a_log_that_verifies_and_goes_on_later(log, room):
    log.append("unpack", "begun", serial_after=1)
    size = log.path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, hard))
    try:
        with pytest.raises(errors.HostFault) as caught:
            log.append("unpack", "done", serial_after=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(caught.value) == f"{log.path}: File too large"
    assert log.path.stat().st_size == size + room
    found = verified(log.path)
    assert (found.entries, found.last_stump) == (1, Stump(line=2, size=room) if room else None)
    log.append("unpack", "done", serial_after=3)
    assert [one["serial_after"] for one in facts(log.path.read_bytes())] == [1, 3]


def test_a_sync_that_fails_is_told(log, monkeypatch):
    log.append("unpack", "begun")

    def fsync(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(errors.HostFault, match="log.jsonl: Input/output error"):
        log.append("unpack", "done")


# --- recording ------------------------------------------------------------------------------------------------


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


# --- who ------------------------------------------------------------------------------------------------------


def test_the_user_is_the_one_of_the_process_whatever_the_environment_says(monkeypatch):
    import pwd

    for name in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(name, "mallory")
    monkeypatch.delenv("SUDO_USER", raising=False)
    found = whoami()
    assert found == Actor(
        user=pwd.getpwuid(os.getuid()).pw_name, uid=os.getuid(), sudo_user=None, host=os.uname().nodename
    )


def test_who_came_by_sudo_is_told(monkeypatch):
    monkeypatch.setenv("SUDO_USER", "alice")
    assert whoami().sudo_user == "alice"


@pytest.mark.parametrize(
    ("passwd", "name"),
    [
        (b"root:x:0:0::/:/bin/sh\nops:x:4711:1::/:/bin/sh\n", "ops"),
        (b"\n#\nops:x\nmallory:4711:0:0::/:\n:x:4711:0::/:\n+::::::\nop\xff:x:4711:0::/:\n", "op\udcff"),
        (b"root:x:0:0::/:/bin/sh\n", "4711"),
        (b"", "4711"),
        (None, "4711"),
    ],
)
def test_a_user_goes_by_the_name_in_etc_passwd_or_else_by_number(monkeypatch, tmp_path, passwd, name):
    if passwd is not None:
        (tmp_path / "passwd").write_bytes(passwd)
    real = actor.read_own
    monkeypatch.setattr(actor, "read_own", lambda _, **limit: real(tmp_path / "passwd", **limit))
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    assert (whoami().user, whoami().uid) == (name, 4711)


# --- reading --------------------------------------------------------------------------------------------------


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


def test_where_the_system_has_no_such_flags_a_link_is_still_refused(log, monkeypatch):
    """As on Windows: the look before the opening is all there is then."""
    for name in ("O_NOFOLLOW", "O_NONBLOCK"):
        monkeypatch.delattr(os, name)
    monkeypatch.delattr(os, "fchmod")
    log.append("unpack", "done")
    assert len(facts(log.path.read_bytes())) == 1
    log.path.rename(log.path.with_name("other"))
    log.path.symlink_to("other")
    with pytest.raises(errors.HostFault, match="symbolic link"):
        open_log(log.path, os.O_RDONLY)
