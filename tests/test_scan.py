"""`unpack --scan-cmd`: a scanner sees the generation before anybody else does, and only its yes installs it."""

from __future__ import annotations

import io
import os
import shlex
import sys

import pytest
from bundles import archive, make_bundle, request, small_content, tree, unpack_bytes
from quarters import Notes
from scanners import BUNDLE, log, scanner

from bundler.errors import PolicyFault, UsageFault
from bundler.offline.scan import ScanCommand
from bundler.offline.unpack import unpack

LATER = make_bundle(
    serial=8, archives=[archive(small_content()), archive(small_content(1), version=(3, 12, 1))]
)
posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX: signals, sessions, modes")


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
