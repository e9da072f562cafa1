import json
import os
import subprocess
import tracemalloc

import pytest
from auditlogs import BUNDLE, EVENTS, add, follow, log_of
from bundles import PACKER
from cli import Desk, bundler, check_refusal, command, environment
from syscalls import record

LOG = log_of({**EVENTS[0], "sudo_user": "alice"}, *EVENTS[1:])
HEAD = follow(LOG)[1].head
SHOWN = """\
1  2026-11-20T20:48:40Z  unpack begun  root, by alice, on plant7
   plant-7 2026Q4, serial 2, from /media/usb/q4.uvb
   index sha256 {index}
   serial 1 before
2  2026-11-20T20:48:40Z  unpack done  root, on plant7
   plant-7 2026Q4, serial 2, from /media/usb/q4.uvb
   index sha256 {index}
   serial 1 -> 2; generation 3 -> 4
   signed by anna with SHA256:x
3  2026-11-20T20:48:40Z  unpack refused, exit code 8  root, on plant7
   message: q3.uvb: serial is 1, expected at least 2
4  2026-11-20T20:48:40Z  rollback done  root, on plant7
   generation 4 -> 3
   reason: no uv
""".format(index="a1" * 32)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "p" / "state" / "log.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(LOG)
    return path


@pytest.fixture
def log(path, tmp_path):
    """Run the command on the log of a prefix; afterwards the log must be what it was."""
    yield lambda *words, **env: bundler("log", "--prefix", tmp_path / "p", *words, **env)
    assert os.listdir(path.parent) in ([], ["log.jsonl"])


def test_the_log_of_the_prefix_is_shown_and_its_head_told(log, path):
    done = log()
    assert (done.code, done.stdout) == (0, SHOWN)
    assert done.stderr.splitlines() == [
        f"uv-bundler: {path}: 4 events, each fits what stands before it",
        f"uv-bundler: sha256 of the last line {HEAD}: note it elsewhere, for --noted",
    ]
    assert path.read_bytes() == LOG


def test_any_log_can_be_named(path):
    assert bundler("log", path).stdout == SHOWN
    assert bundler("log", path, UV_BUNDLER_PREFIX="/nowhere").stdout == SHOWN


def test_json_is_the_lines_as_they_are(log):
    done = log("--json")
    assert (done.code, done.stdout.encode()) == (0, LOG)


@pytest.mark.parametrize(("last", "first"), [(1, 3), (3, 1), (4, 0), (99, 0)])
def test_only_the_last_ones_where_that_is_asked(log, last, first):
    lines = LOG.decode().splitlines(keepends=True)
    assert log("--json", "--last", last).stdout == "".join(lines[first:])
    assert log("--last", last).stdout == SHOWN[SHOWN.index(f"{first + 1}  2026") :]
    assert "4 events, each fits" in log("--last", last).stderr


@pytest.mark.parametrize(
    ("word", "why"), [("0", "not in the range"), ("-1", ""), ("x", "is not a whole number")]
)
def test_a_number_that_is_none_is_refused(log, word, why):
    done = log("--last", word)
    check_refusal(done, 2, "--last")
    assert why in done.stderr


def test_an_empty_log_has_no_events(log, path):
    path.write_bytes(b"")
    done = log()
    assert (done.code, done.stdout) == (0, "")
    assert "0 events" in done.stderr


def test_a_change_of_trust_is_shown_with_its_versions(log, path):
    trust = {"name": "site", "version": 1, "sha256": "c3" * 32}
    path.write_bytes(log_of({"event": "trust", "outcome": "done", "trust_after": trust}))
    assert "   trust none -> site version 1\n   command: " in log().stdout
    path.write_bytes(log_of({"event": "trust", "outcome": "done", "trust_before": trust, "trust_after": {**trust, "version": 2}}))  # fmt: skip
    assert "   trust site version 1 -> site version 2\n" in log().stdout


def test_what_was_cut_off_is_shown_in_its_place_and_told(log, path):
    path.write_bytes(add(LOG + b'{"number": 5, "prev', EVENTS[3]) + b"half")
    done = log()
    assert done.code == 0
    assert done.stdout.startswith(SHOWN + "-  19 bytes of a line that was cut off\n5  ")
    assert done.stdout.endswith("-  4 bytes of a line that was cut off\n")
    assert done.stderr.splitlines()[:2] == [
        f"uv-bundler: {path}: 1 line cut off by a crash; what follows covers that too",
        f"uv-bundler: {path}: line 7 is cut off: a crash, or it is being written now",
    ]
    shown = log("--json").stdout.splitlines()
    assert [json.loads(line)["number"] for line in shown] == [1, 2, 3, 4, 5]
    assert log("--last", 1).stdout.startswith("5  ")


# --- refusals -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("--json",), ("--last", "1")])
def test_a_broken_chain_shows_nothing_but_where_it_breaks(log, path, words):
    path.write_bytes(LOG.replace(b"serial is 1", b"serial is 3"))
    done = log(*words)
    check_refusal(done, 5, f"{path}: line 4: previous is ", "this line, or one before it, was changed")
    path.write_bytes(b"".join(LOG.splitlines(keepends=True)[1:]))
    check_refusal(log(*words), 5, f"{path}: line 1: number is 2, expected 1", "find out who did it")


def test_a_missing_log_tells_what_to_do(log, path, tmp_path):
    path.unlink()
    check_refusal(log(), 2, f"{path}: no such file, expected an audit log", "unpack a bundle first")
    missing = tmp_path / "x.jsonl"
    check_refusal(bundler("log", missing), 2, f"{missing}: no such file, expected an audit log")


def test_where_the_machine_has_one_for_all_users_it_is_named(path, tmp_path, monkeypatch):
    from bundler.offline import prefix

    monkeypatch.setattr(prefix, "system_prefix", lambda: tmp_path / "p")
    monkeypatch.setattr(prefix, "default_prefix", lambda: tmp_path / "mine")
    hint = f"this machine has one for all users: add --prefix {tmp_path / 'p'}"
    check_refusal(bundler("log"), 2, "no such file, expected an audit log", hint)
    assert path.exists()


def test_what_is_no_file_is_refused(tmp_path):
    check_refusal(bundler("log", tmp_path), 6, f"{tmp_path}: is no regular file, expected an audit log")
    (tmp_path / "link").symlink_to("nowhere")
    check_refusal(bundler("log", tmp_path / "link"), 6, "is a symbolic link, expected an audit log")


# --- a digest that was noted ----------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [str, str.upper, lambda text: f" {text} "])
def test_a_noted_digest_is_found_in_a_log_that_has_grown(log, path, write):
    path.write_bytes(add(LOG, EVENTS[0]))
    done = log("--noted", write(HEAD))
    assert done.code == 0
    assert "5 events, each fits what stands before it, and all that you noted still stands" in done.stderr


def test_a_noted_digest_shows_that_lines_were_cut_off(log, path):
    path.write_bytes(b"".join(LOG.splitlines(keepends=True)[:3]))
    assert log().code == 0
    message = f"the sha256 {HEAD} stands behind none of its 3 events, expected it behind one"
    check_refusal(log("--noted", HEAD), 5, message, "lines were cut off or changed")


@pytest.mark.parametrize("word", ["", "abc", "g" * 64, "a" * 65])
def test_a_noted_digest_that_is_none_is_refused(log, word):
    check_refusal(log("--noted", word), 2, "--noted: expected 64", "give the sha256 that `log` printed")


# --- hostile lines --------------------------------------------------------------------------------------------

HOSTILE = "\x1b[2J\x9b31m\u202e\u2066\r\n5  2026-11-20T20:48:40Z  unpack done  root\u2028\x00\x7f"


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_hostile_text_neither_fakes_a_line_nor_reaches_the_terminal_raw(log, path, words):
    bundle = {**BUNDLE, "name": HOSTILE, "release": HOSTILE, "file": HOSTILE}
    trust = {"name": HOSTILE, "version": 1, "sha256": "c3" * 32}
    everywhere = {
        **dict.fromkeys(("user", "sudo_user", "host", "tool", "command", "reason", "message"), HOSTILE),
        "bundle": bundle, "signers": [{"name": HOSTILE, "fingerprint": HOSTILE}], "trust_after": trust,
    }  # fmt: skip
    path.write_bytes(log_of({**EVENTS[0], **everywhere}))
    done = log(*words)
    assert done.code == 0
    assert done.stdout.replace("\n", "").isprintable()
    assert done.stdout.isascii()
    numbered = [line for line in done.stdout.splitlines() if not line.startswith("   ")]
    assert len(numbered) == 1


def test_a_stump_of_hostile_bytes_is_counted_and_not_shown(log, path):
    path.write_bytes(LOG + b"\x1b[2J\xff\xe2\x80\xae" * 3 + b"\n")
    for words in ((), ("--json",)):
        done = log(*words)
        assert done.code == 0
        assert "\x1b" not in done.stdout + done.stderr
    assert "-  24 bytes of a line that was cut off\n" in log().stdout


# --- what really happened -------------------------------------------------------------------------------------


def test_unpacking_twice_and_a_refusal_are_all_there(tmp_path):
    desk = Desk(tmp_path)
    for _ in range(2):
        assert desk.unpack(SUDO_USER="alice").code == 0
    cut = tmp_path / "cut.uvb"
    cut.write_bytes(desk.bundle.read_bytes()[:1000])
    assert desk.unpack(bundle=cut).code == 5
    done = bundler("log", "--prefix", desk.prefix)
    assert done.code == 0, done.stderr
    shown = [line.split("  ") for line in done.stdout.splitlines() if not line.startswith(" ")]
    ends = [words[2] for words in shown if not words[2].endswith("begun")]
    assert ends == ["unpack done", "unpack nothing", "unpack refused, exit code 5"]
    assert "root, by alice, on " in done.stdout or os.geteuid()
    assert f"message: {cut}: " in done.stdout
    assert f"signed by packer@site with {PACKER.key.fingerprint}" in done.stdout


# --- the process ----------------------------------------------------------------------------------------------


def test_a_long_log_is_shown_in_flat_memory(path, monkeypatch):
    from bundler.commands import history

    log = b""
    for _ in range(30):
        log = add(log, {**EVENTS[3], "reason": "x" * 900})
    path.write_bytes(log + b"\n".join([b"x" * 1000] * 20_000))
    written = []
    monkeypatch.setattr(history, "emit", lambda text: written.append(len(text)))
    monkeypatch.setattr(history, "_BATCH", 1000)
    tracemalloc.start()
    history.show_log(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(written) > 20_000 * 40
    assert max(written) < 3000
    assert peak < 1 << 20


def test_it_needs_no_socket_and_writes_nothing(path, tmp_path):
    done, calls = record("log", "--prefix", tmp_path / "p", cwd=tmp_path, log=tmp_path / "trace")
    assert (done.code, done.stdout) == (0, SHOWN)
    assert not [call for call in calls if call.on_socket]
    assert not [str(call) for call in calls if call.changes and call.below(tmp_path / "p")]
    assert [call for call in calls if call.below(path)]


def test_a_reader_who_leaves_early_is_no_fault(path):
    path.write_bytes(LOG + b"\n".join([b"x"] * 20_000))
    with subprocess.Popen(
        command("log", path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as running:
        running.stdout.close()
        said = running.stderr.read().decode()
    assert running.returncode == 141
    assert "error" not in said
