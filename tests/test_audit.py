"""An audit log grows by one write and one sync an event, and never changes before its end."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from auditlogs import facts
from cli import environment
from openedlogs import ROOT, log_in, verified

from bundler import __version__, errors
from bundler.offline.audit import Log, open_log
from bundler.offline.auditlog import START, Stump


@pytest.fixture
def log(tmp_path):
    return log_in(tmp_path)


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
