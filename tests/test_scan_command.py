"""The command `unpack --scan-cmd`: what the scanner says and leaves running, and how it ends with the run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time

import pytest
from bundles import PACKER
from cli import bundler, check_refusal, command, environment, process
from scanners import BUNDLE, log, scanner

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX: signals, sessions, modes")


@pytest.fixture
def place(tmp_path):
    (tmp_path / "q4.uvb").write_bytes(BUNDLE)
    (tmp_path / "packer.pub").write_text(f"{PACKER.key} packer@site\n")
    return tmp_path


def words(place, *more):
    return (
        "unpack", place / "q4.uvb", "--prefix", place / "prefix", "--trust", place / "packer.pub",
        "--shell", "sh", *more,
    )  # fmt: skip


def text(place, body):
    return scanner(place, body).text


def test_what_the_scanner_says_is_made_printable_and_never_reaches_stdout(place):
    body = [
        "sys.stdout.buffer.write(b'\\x1b[31mred\\r\\n\\xff\\0 binary\\n' + b'long' * 3000 + b'\\nuv-bundler: fake')",
        "sys.stderr.write('to stderr')",
    ]
    done = bundler(*words(place), UV_BUNDLER_SCAN_CMD=text(place, body))
    assert done.code == 0, done.stderr
    assert "export UV_" in done.stdout
    assert "red" not in done.stdout
    lines = [line for line in done.stderr.splitlines() if ": scan: " in line]
    assert lines[0] == "uv-bundler: scan: \\x1b[31mred"
    assert lines[1] == "uv-bundler: scan: \ufffd\\x00 binary"
    assert max(map(len, lines)) < 1100
    assert sum(line.count("long") for line in lines) == 3000
    assert not any(line.startswith("uv-bundler: fake") for line in done.stderr.splitlines())


def test_a_no_is_exit_code_8_and_prints_no_exports(place):
    done = bundler(*words(place, "--quiet", "--scan-cmd", text(place, ["print('bad')", "sys.exit(1)"])))
    check_refusal(done, 8, "exit code 1, expected exit code 0; it said last: bad", "nothing was installed")
    shown = bundler("log", "--prefix", place / "prefix")
    assert "scan: " in shown.stdout
    assert "{}: exit code 1" in shown.stdout


def test_it_is_not_run_where_nothing_is_installed(place):
    assert bundler(*words(place)).code == 0
    fail = text(place, ["sys.exit(1)"])
    done = bundler(*words(place, "--scan-cmd", fail))
    assert done.code == 0
    assert "nothing new is installed: --scan-cmd was not run" in done.stderr
    done = bundler(*words(place, "--scan-cmd", fail, "--dry-run"))
    assert done.code == 0
    assert "nothing was written, --scan-cmd was not run" in done.stderr
    check_refusal(
        bundler(*words(place, "--scan-cmd", "no-such-scanner")),
        2,
        "--scan-cmd: 'no-such-scanner': no such program",
    )


def test_the_scanner_gets_none_of_our_input(place):
    body = ["print('read:', sys.stdin.read() or 'nothing')"]
    done = process(*words(place, "--scan-cmd", text(place, body)), input=b"for us")
    assert done.code == 0, done.stderr
    assert "scan: read: nothing\n" in done.stderr


@posix
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_scanner_that_hangs_ends_with_the_run(number, code, place):
    ready = place / "ready"
    body = [
        "signal.signal(signal.SIGINT, signal.SIG_IGN)",
        f"pathlib.Path({str(ready)!r}).write_text(str(os.getpid()))",
        "time.sleep(60)",
    ]
    run = subprocess.Popen(
        command(*words(place, "--scan-cmd", text(place, body))),
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        for _ in range(300):
            if ready.exists() and ready.read_text():
                break
            time.sleep(0.05)
        begun = time.monotonic()
        run.send_signal(number)
        out, _ = run.communicate(timeout=20)
    finally:
        run.kill()
    assert time.monotonic() - begun < 4
    assert run.returncode == code
    assert out == b""
    with pytest.raises(ProcessLookupError):
        os.kill(int(ready.read_text()), 0)
    assert not (place / "prefix" / "staging").exists()
    assert not (place / "prefix" / "current").exists()
    assert log(place / "prefix")[-1]["outcome"] == "failed"


@posix
def test_what_a_hanging_scanner_started_ends_with_the_run_too(place):
    held = place / "held"
    os.mkfifo(held)
    reader = os.open(held, os.O_RDONLY | os.O_NONBLOCK)
    helper = f"import time; a = open({str(held)!r}, 'w', 1); print(1, file=a); time.sleep(60)"
    body = ["import subprocess", f"subprocess.run([sys.executable, '-c', {helper!r}])"]
    run = subprocess.Popen(
        command(*words(place, "--scan-cmd", text(place, body))),
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        until(lambda: os.read(reader, 10) == b"1\n")
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=20)
        until(lambda: os.read(reader, 10) == b"")  # nobody holds the other end any more
    finally:
        run.kill()
        os.close(reader)


def until(reached):
    """Wait a while for what a pipe has to say; its reader does not wait."""
    for _ in range(300):
        with contextlib.suppress(BlockingIOError):
            if reached():
                return
        time.sleep(0.05)
    raise AssertionError("waited in vain")


@posix
def test_what_a_scanner_leaves_running_does_not_hold_the_run(place):
    body = [
        "import subprocess",
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(4)'])",
        "print('clean')",
    ]
    begun = time.monotonic()
    done = bundler(*words(place, "--scan-cmd", text(place, body)))
    assert done.code == 0, done.stderr
    assert "scan: clean" in done.stderr
    assert time.monotonic() - begun < 3.5
