"""`unpack --scan-cmd`: a scanner sees the generation before anybody else does, and only its yes installs it."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
from bundles import PACKER, archive, make_bundle, request, small_content, tree, unpack_bytes
from cli import bundler, check_refusal, command, environment, process
from quarters import Notes

from bundler.errors import PolicyFault, UsageFault
from bundler.offline.scan import ScanCommand
from bundler.offline.unpack import unpack

BUNDLE = make_bundle()
LATER = make_bundle(
    serial=8, archives=[archive(small_content()), archive(small_content(1), version=(3, 12, 1))]
)
posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX: signals, sessions, modes")


def scanner(folder, body):
    """Return a command whose `folder` is what it shall scan."""
    script = folder / "scanner.py"
    lines = ["import os, pathlib, signal, sys, time", "folder = pathlib.Path(sys.argv[1])", *body]
    script.write_text("\n".join(lines) + "\n")
    return ScanCommand.parse(f"{shlex.quote(sys.executable)} {shlex.quote(str(script))} {{}}")


def log(prefix):
    return [json.loads(line) for line in (prefix / "state" / "log.jsonl").read_text().splitlines()]


def refused(tmp_path, body, message, *, data=BUNDLE):
    """Unpack with a scanner that must be refused; afterwards all but the log is as it was."""
    prefix = tmp_path / "prefix"
    before = tree(prefix) if prefix.exists() else {}
    with pytest.raises(PolicyFault, match=message) as caught:
        unpack_bytes(data, prefix, scan=scanner(tmp_path, body))
    after = tree(prefix)
    assert not (prefix / "staging").exists()
    if before:
        assert after == before
    else:
        assert not any(path.startswith(("current", "generations", "state/serials")) for path in after)
    assert log(prefix)[-1]["outcome"] == "refused"
    assert log(prefix)[-1]["exit_code"] == 8
    assert log(prefix)[-1]["message"] == caught.value.message
    return caught.value


# --- a yes ----------------------------------------------------------------------------------------------------


def test_the_scanner_sees_the_whole_generation_as_users_will(tmp_path):
    body = [
        "for path in sorted(folder.rglob('*')):",
        "    print(oct(path.stat().st_mode & 0o777), path.relative_to(folder).as_posix(), path.is_file())",
    ]
    notes = Notes()
    generation, _ = unpack(
        io.BytesIO(BUNDLE), request(tmp_path / "p", scan=scanner(tmp_path, body)), name="x", progress=notes
    )
    there = [
        f"scan: {oct(path.stat().st_mode & 0o777)} {path.relative_to(generation.folder).as_posix()} {path.is_file()}"
        for path in sorted(generation.folder.rglob("*"))
    ]
    assert notes.lines[0].startswith("scans with ")
    assert notes.lines[1:] == there
    assert {line.split()[1] for line in there} == {"0o755", "0o644"}
    entry = log(tmp_path / "p")[-1]
    assert entry["outcome"] == "done"
    assert entry["scan"].endswith("scanner.py {}: exit code 0")


def test_nothing_is_visible_and_no_serial_is_marked_while_it_scans(tmp_path):
    body = [
        "prefix = folder.parents[1]",
        "assert folder.parent.name == 'staging'",
        "assert not os.path.lexists(prefix / 'current')",
        "assert not (prefix / 'state' / 'serials.json').exists()",
        "assert sys.stdin.read() == ''",
    ]
    unpack_bytes(BUNDLE, tmp_path / "p", scan=scanner(tmp_path, body))


def test_the_folder_is_appended_where_the_command_has_no_place_for_it(tmp_path):
    command = ScanCommand.parse(f"{shlex.quote(sys.executable)} -c 'a b'")
    assert command.words_for(tmp_path) == [sys.executable, "-c", "a b", str(tmp_path)]
    command = ScanCommand.parse(f"{shlex.quote(sys.executable)} --in={{}} -x {{}}/uv")
    assert command.words_for(tmp_path) == [sys.executable, f"--in={tmp_path}", "-x", f"{tmp_path}/uv"]


@pytest.mark.parametrize("text", ["", "  ", "no-such-scanner -r {}", "'unclosed", "/no/such/scanner"])
def test_a_command_that_cannot_be_is_told_at_once(text):
    with pytest.raises(UsageFault, match="^--scan-cmd: "):
        ScanCommand.parse(text)


@posix
def test_no_shell_reads_the_command():
    words = ScanCommand.parse(f"{sys.executable} -c ';' $(touch x) `x` > y").words
    assert words[1:] == ("-c", ";", "$(touch", "x)", "`x`", ">", "y")


# --- a no -----------------------------------------------------------------------------------------------------


def test_a_scanner_that_finds_something_stops_the_unpack(tmp_path):
    fault = refused(
        tmp_path,
        ["print('x: Eicar FOUND')", "sys.exit(1)"],
        r"exit code 1, expected exit code 0; it said last: x: Eicar",
    )
    assert "nothing was installed" in fault.hint
    assert log(tmp_path / "prefix")[-1]["scan"].endswith("{}: exit code 1")


def test_what_was_active_stays_so(tmp_path):
    unpack_bytes(BUNDLE, tmp_path / "prefix")
    refused(tmp_path, ["sys.exit(2)"], "exit code 2", data=LATER)
    unpack_bytes(LATER, tmp_path / "prefix", scan=scanner(tmp_path, ["sys.exit(0)"]))


@posix
def test_a_scanner_that_is_killed_stops_the_unpack(tmp_path):
    refused(tmp_path, ["os.kill(os.getpid(), signal.SIGKILL)"], "ended by SIGKILL, expected exit code 0")


@posix
def test_a_scanner_that_cannot_be_started_stops_the_unpack(tmp_path):
    script = tmp_path / "scanner"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    with pytest.raises(PolicyFault, match=r"could not be started \(No such file or directory\)"):
        unpack_bytes(BUNDLE, tmp_path / "p", scan=ScanCommand.parse(str(script)))
    assert not (tmp_path / "p" / "current").exists()


CHANGES = {
    "removes a file": ["(folder / 'uv.toml').unlink()"],
    "removes a tree": ["import shutil", "shutil.rmtree(folder)"],
    "leaves a report": ["(folder / 'uv' / 'report.txt').write_text('clean')"],
    "writes in place and sets the time back": [
        "file = folder / 'download-metadata.json'",
        "facts, data = file.stat(), file.read_bytes()",
        "file.write_bytes(data[:-1] + b' ')",
        "os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))",
    ],
    "puts another file in its place": [
        "file = folder / 'uv.toml'",
        "(folder.parents[1] / 'fresh').write_bytes(file.read_bytes())",
        "os.replace(folder.parents[1] / 'fresh', file)",
    ],
}
if os.name != "nt":
    CHANGES["changes a mode"] = ["(folder / 'bundle.json').chmod(0o600)"]
    CHANGES["puts a link in its place"] = [
        "(folder / 'uv.toml').unlink()",
        "(folder / 'uv.toml').symlink_to('bundle.json')",
    ]


@pytest.mark.parametrize("change", CHANGES)
def test_a_scanner_that_changes_anything_stops_the_unpack(change, tmp_path):
    fault = refused(tmp_path, CHANGES[change], "changed what it scanned, expected it to read only: ")
    assert "report only" in fault.hint
    assert ", but it changed " in log(tmp_path / "prefix")[-1]["scan"]


def test_a_change_to_a_file_that_the_active_generation_shares_is_noticed(tmp_path):
    unpack_bytes(BUNDLE, tmp_path / "prefix")
    body = [
        "file = next(folder.glob('mirror/**/*3.13.5*.tar.gz'))",
        "assert file.stat().st_nlink > 2",
        "file.write_bytes(file.read_bytes()[:-1] + b'x')",
    ]
    with pytest.raises(PolicyFault, match="changed what it scanned") as caught:
        unpack_bytes(LATER, tmp_path / "prefix", scan=scanner(tmp_path, body))
    assert "uv-bundler doctor" in caught.value.hint


# --- the command ----------------------------------------------------------------------------------------------


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
