"""Who did it, as the audit log says it: the user of the process, whatever the environment says."""

import os

import pytest

from bundler.offline import actor
from bundler.offline.actor import Actor, whoami


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
