"""Every system call of an unpack that concerns the prefix or the medium fails once: killed, ENOSPC, EIO.

Afterwards `current` is the old generation or the new one, complete; the serial mark is never lost; the same
command again converges and leaves nothing of the fault behind.
"""

from __future__ import annotations

import functools
import signal

import pytest
from cli import process
from faulthost import UMASK, Host, check_refused, lean
from syscalls import again, need_strace, record

CRASH, NO_SPACE, BROKEN = "signal=SIGKILL", "error=ENOSPC", "error=EIO"
CHANGING = ("openat", "write", "fsync", "mkdir", "chmod", "fchmod", "linkat", "rename", "symlink", "unlink")
READING = (
    "read",
    "close",
    "lseek",
    "newfstatat",
    "getdents64",
    "readlink",
    "statfs",
    "flock",
    "fcntl",
    "ioctl",
    "rmdir",
)
# A link that cannot be made becomes a copy; an empty staging folder that cannot be removed is swept by the next run.
COPES = ("linkat", "rmdir")


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """Lend a function that gives a host of some kind, and the calls of its next unpack."""
    need_strace()

    @functools.cache
    def make(kind):
        host = Host(tmp_path_factory.mktemp(kind), blank=kind == "blank", stop=STOPS.get(kind))
        done, calls = record(*host.words, cwd=host.folder, log=host.folder / "logs", umask=UMASK)
        assert done.code == 0, done.stderr
        host.restore()
        return host, calls

    return make


def before_the_switch(host):
    """Let a run be killed when the new generation is there and not active."""
    _, calls = record(*host.words, cwd=host.folder, log=host.folder / "logs", umask=UMASK)
    host.restore()
    call = next(one for one in calls if one.name == "symlink")
    again(call, CRASH, *host.words, cwd=host.folder, log=host.log, umask=UMASK)
    assert {one.name for one in (host.prefix / "generations").iterdir()} == {"1", "2"}
    assert host.active()[0] == 1


def amid_the_payload(host):
    """Let a run be killed while it writes into staging."""
    _, calls = record(*host.words, cwd=host.folder, log=host.folder / "logs", umask=UMASK)
    host.restore()
    call = next(one for one in calls if one.name == "linkat")
    again(call, CRASH, *host.words, cwd=host.folder, log=host.log, umask=UMASK)
    assert list((host.prefix / "staging").iterdir())


STOPS = {"stopped before the switch": before_the_switch, "stopped amid the payload": amid_the_payload}


def points(host, calls, fault, name):
    """Return the calls of this name to strike; of reading calls that are alike the first and the last one."""
    places = (host.prefix, host.bundle) if fault == BROKEN else (host.prefix,)
    found = [one for one in calls if one.name == name and one.below(*places)]
    if fault == NO_SPACE and name == "openat":
        found = [one for one in found if one.changes]
    if name in CHANGING or name in ("read", "close"):
        return found
    firsts = {one.words: one for one in reversed(found)}
    lasts = {one.words: one for one in found}
    return [one for one in found if one in (firsts[one.words], lasts[one.words])]


def strike(host, call, fault):
    """Unpack with a fault in that call, look at what it left, and unpack once more."""
    host.restore()
    at = f"{fault} in {call}"
    done = again(call, fault, *host.words, cwd=host.folder, log=host.log, umask=UMASK)
    new = host.check_old_or_new(done, at=at)
    if fault == CRASH:
        assert done.code in (-signal.SIGKILL, 128 + signal.SIGKILL), (at, done.stderr)
    elif done.code:
        check_refused(done, at=at)
    else:
        assert (new, done.stdout) == (True, host.exports), at
        assert call.name in COPES or not (call.changes or call.name == "fsync"), f"{at}: was not noticed"
    host.check_converged(at=at)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["used", "blank"])
@pytest.mark.parametrize("name", [*CHANGING, "close", "flock", "rmdir"])
def test_killed_at_every_call_it_leaves_the_old_state_or_the_new_one(traced, kind, name):
    host, calls = traced(kind)
    struck = [strike(host, call, CRASH) for call in points(host, calls, CRASH, name)]
    assert struck


@pytest.mark.slow
@pytest.mark.parametrize("fault", [CRASH, NO_SPACE, BROKEN])
@pytest.mark.parametrize("kind", STOPS)
def test_a_fault_in_the_recovery_from_another_one_leaves_the_old_state_or_the_new_one(traced, kind, fault):
    host, calls = traced(kind)
    built = f"{host.prefix / 'staging'}/"  # where the first folder is made once the recovery is done
    first = next(at for at, one in enumerate(calls) if one.name == "mkdir" and one.paths[0].startswith(built))
    names = (*CHANGING, "unlinkat", "rmdir", "getdents64", "close")
    struck = [
        call for name in names for call in points(host, calls[:first], fault, name)
        if fault != NO_SPACE or call.changes or name == "fsync"
    ]  # fmt: skip
    for call in struck:
        strike(host, call, fault)
    assert len(struck) >= 10
    assert {"unlinkat", "rmdir"} <= {one.name for one in struck}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGING)
def test_no_space_at_every_call_leaves_the_old_state_or_the_new_one(traced, name):
    host, calls = traced("used")
    assert [strike(host, call, NO_SPACE) for call in points(host, calls, NO_SPACE, name)]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CHANGING, *READING])
def test_a_device_error_at_every_call_leaves_the_old_state_or_the_new_one(traced, name):
    host, calls = traced("used")
    assert [strike(host, call, BROKEN) for call in points(host, calls, BROKEN, name)]


@pytest.mark.parametrize("name", lean(CHANGING, "write", "fsync", "linkat"))
def test_no_space_at_the_first_such_call_leaves_the_old_state(traced, name):
    host, calls = traced("used")
    strike(host, points(host, calls, NO_SPACE, name)[0], NO_SPACE)


def test_a_write_that_never_happened_is_found_by_doctor_and_mended_by_the_same_bundle(traced):
    # A disk that lies is no error that anybody returns: unpack hashes what it writes, not what is there.
    host, calls = traced("used")
    host.restore()
    call = next(one for one in calls if one.name == "write" and "/mirror/" in one.paths[0])
    done = again(call, f"retval={call.result}", *host.words, cwd=host.folder, log=host.log, umask=UMASK)
    assert done.code == 0
    found = process("doctor", "--prefix", host.prefix, cwd=host.folder)
    assert found.code == 2
    assert ".tar.gz: 0 bytes, expected 3000" in found.stderr
    mended = process(*host.words, cwd=host.folder, umask=UMASK)
    assert mended.code == 0
    assert host.active() == (3, host.new)
