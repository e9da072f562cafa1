import errno
import os
import sys

import pytest

from bundler.core.durable import make_folder
from bundler.errors import HostFault
from bundler.offline.prefix import Prefix, check_prefix, locked

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes, links and flock are POSIX")


def test_a_lock_that_the_file_system_cannot_give_is_not_somebody_elses(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", broken)
    with pytest.raises(HostFault, match=r"/state/lock: No locks available"), locked(Prefix(tmp_path)):
        pytest.fail("went on without a lock")


def test_what_a_crash_left_half_replaced_is_removed_under_the_lock(tmp_path):
    prefix = Prefix(tmp_path)
    with locked(prefix):
        (prefix.state / ".serials.json.abcd1234.tmp").write_bytes(b"half")
        (prefix.root / ".current.new").symlink_to("generations/9")
    with locked(prefix):
        assert os.listdir(prefix.state) == ["lock"]
        assert os.listdir(prefix.root) == ["state"]


def test_a_crash_never_leaves_a_folder_that_users_cannot_enter(tmp_path, monkeypatch):
    def power_cut(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.chmod", power_cut)
    before = os.umask(0o077)
    try:
        with pytest.raises(KeyboardInterrupt):
            make_folder(tmp_path / "p")
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
    assert (tmp_path / "p").stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
def test_a_prefix_that_somebody_made_after_it_was_looked_at_is_looked_at_again(tmp_path):
    prefix = check_prefix(tmp_path / "prefix")
    prefix.root.mkdir()
    prefix.root.chmod(0o777)
    with pytest.raises(HostFault, match="expected no write for group and others"), locked(prefix):
        raise AssertionError
    assert not (prefix.state / "lock").exists()
