"""The command `send`: whatever ends it, a final name has a whole file; what it says, and what it refuses."""

import errno
import os
import signal
import subprocess
from itertools import count

import pytest
from cli import bundler, check_refusal, command, environment, process
from volumes import make_set, small_blocks


@pytest.fixture(scope="module")
def set_of(tmp_path_factory):
    """Six volumes in two groups, each with a parity volume of its own."""
    folder = tmp_path_factory.mktemp("made") / "set"
    make_set(small_blocks(), folder, volumes=6, parity=1, groups=2)
    return folder


@pytest.fixture
def drop(tmp_path):
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


def test_a_full_disk_leaves_nothing_under_a_final_name_and_exits_6(set_of, drop, monkeypatch):
    from bundler.media import copying

    writes = count()

    def full(handle, data):
        if next(writes) == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(handle, data)

    monkeypatch.setattr(copying, "write_all", full)
    done = bundler("send", set_of, "--out", drop)
    check_refusal(done, 6, "No space left on device", "make room on that file system")
    for one in drop.iterdir():
        assert one.read_bytes() == (set_of / one.name).read_bytes()


def test_a_drop_folder_that_takes_no_file_of_that_size_is_exit_6(set_of, drop):
    resource = pytest.importorskip("resource", reason="needs POSIX: limits")
    most = max(one.stat().st_size for one in set_of.iterdir()) - 1
    done = process(
        "send", set_of, "--out", drop, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    )  # fmt: skip
    check_refusal(done, 6, "File too large", "choose another place")
    for one in drop.iterdir():
        assert one.read_bytes() == (set_of / one.name).read_bytes()


def test_a_folder_that_is_not_there_is_told(set_of, drop):
    check_refusal(
        bundler("send", set_of, "--out", drop / "no"), 6, "no such folder, expected the drop folder"
    )
    check_refusal(bundler("send", drop, "--out", drop), 2, "expected a bundle's files, found none")
    done = bundler("send", set_of, "--out", drop, "--max-inflight", "much")
    check_refusal(done, 2, "--max-inflight: expected a size such as 700M, found 'much'")


def test_the_command_says_what_it_sent_on_stderr_alone(set_of, drop):
    done = bundler("send", set_of, "--out", drop, "--only", "1-2")
    assert (done.code, done.stdout) == (0, "")
    assert f"{drop}: 2 files" in done.stderr
    assert sorted(os.listdir(drop)) == ["q4.0001-of-0006.uvb", "q4.0002-of-0006.uvb"]
    assert bundler("send", set_of, "--out", drop, "--only", "3", "--quiet").stderr == ""


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)]
)
def test_whatever_ends_it_a_final_name_has_a_whole_file(set_of, drop, number, code):
    """The sender waits for a name that is never taken; what it did until then is whole."""
    (drop / "q4.0004-of-0006.uvb").write_bytes(b"")
    with subprocess.Popen(
        command("send", set_of, "--out", drop), env=environment(), stderr=subprocess.PIPE
    ) as run:
        line = run.stderr.readline()
        assert b"0004-of-0006.uvb still lies there" in line
        run.send_signal(number)
        run.communicate(timeout=20)
    assert run.returncode == code
    (drop / "q4.0004-of-0006.uvb").unlink()
    for one in drop.iterdir():
        assert one.read_bytes() == (set_of / one.name).read_bytes()


def test_the_folder_that_is_read_is_not_the_drop_folder(set_of):
    before = sorted(os.listdir(set_of))
    done = bundler("send", set_of, "--out", set_of, "--give-up", "0.1")
    check_refusal(
        done, 2, f"{set_of}: is read, expected another place", "the drop folder of the diode with --out"
    )
    assert sorted(os.listdir(set_of)) == before
