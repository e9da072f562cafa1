"""`trust`: whom this machine believes, with a person, with a fingerprint, and with neither."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from bundles import PACKER, make_document, write_document
from cli import bundler, check_refusal, command, environment

FINGERPRINT = PACKER.key.fingerprint


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("packer.pub").write_text(f"{PACKER.key} packer@site\n")
    return tmp_path


def add(*words):
    return bundler("trust", "import", "packer.pub", "--store", "store", *words)


def listed():
    return bundler("trust", "list", "--store", "store").stdout


@pytest.mark.usefixtures("desk")
def test_a_key_is_trusted_once_somebody_vouches_for_it():
    words = ("--expect", FINGERPRINT)
    done = add(*words)
    assert (done.code, done.stdout) == (0, "")
    assert listed() == f"{FINGERPRINT}  packer@site\n"
    assert "trusts all of packer.pub already" in add(*words).stderr


@pytest.mark.usefixtures("desk")
def test_a_key_without_a_comment_is_named_once():
    Path("packer.pub").write_text(f"{PACKER.key}\n")
    done = add("--expect", FINGERPRINT)
    assert done.stderr == f"uv-bundler: store: trusts {FINGERPRINT}\n"


@pytest.mark.usefixtures("desk")
def test_a_store_that_is_not_there_is_told_without_an_option_that_the_command_lacks():
    done = bundler("trust", "list", "--store", "store")
    check_refusal(done, 2, "store: no such file", "check the path that was given")


def test_no_flag_waves_a_key_through(desk):
    check_refusal(add("--yes"), 2, "no such option", "--help shows how")
    assert [one.name for one in desk.iterdir()] == ["packer.pub"]


def test_the_expected_fingerprint_may_come_by_a_variable(desk):
    done = bundler(
        "trust", "import", desk / "packer.pub", UV_BUNDLER_EXPECT=FINGERPRINT, UV_BUNDLER_STORE="store"
    )
    assert done.code == 0, done.stderr
    assert listed() == f"{FINGERPRINT}  packer@site\n"


@pytest.mark.parametrize(
    ("words", "code", "message", "hint"),
    [
        ((), 2, "must be checked by a person, and there is no terminal", "--expect SHA256:"),
        (
            ("--expect", "SHA256:short"),
            2,
            "expected a fingerprint: SHA256: and 43 characters",
            "ssh-keygen -lf",
        ),
        (
            ("--expect", f"SHA256:{'A' * 43}"),
            3,
            f"holds {FINGERPRINT}, expected SHA256:AAAA",
            "by another road",
        ),
    ],
)
def test_without_the_right_word_nothing_is_trusted(desk, words, code, message, hint):
    check_refusal(add(*words), code, message, hint)
    assert [one.name for one in desk.iterdir()] == ["packer.pub"]


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 3), (b"\n", 3), (b"\x04", 3)])
def test_a_person_at_a_terminal_is_asked(desk, answer, code):
    pty = pytest.importorskip("pty", reason="needs pseudo-terminals")
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        command("trust", "import", desk / "packer.pub", "--store", desk / "store"),
        env=environment(), stdin=theirs, stdout=subprocess.PIPE, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    asked = b""
    while b"[y/N]" not in asked:
        asked += os.read(ours, 4096)
    os.write(ours, answer)
    stdout, _ = running.communicate(timeout=60)
    os.close(ours)
    assert (running.returncode, stdout) == (code, b"")
    assert FINGERPRINT.encode() in asked
    assert (desk / "store").exists() == (code == 0)


def events(store):
    return [json.loads(line) for line in (store / "log.jsonl").read_text().splitlines()]


def test_what_is_done_to_a_store_is_in_its_log(desk):
    store = desk / "etc"
    store.mkdir(mode=0o755)
    words = ("trust", "import", "packer.pub", "--store", store, "--expect")
    assert bundler(*words, FINGERPRINT).code == 0
    assert bundler(*words, FINGERPRINT).code == 0
    check_refusal(bundler(*words, "SHA256:" + "A" * 43), 3, "expected SHA256:AAAA", "another road")
    assert bundler("trust", "revoke", FINGERPRINT, "--reason", "laptop lost", "--store", store).code == 0
    found = [(one["event"], one["outcome"], one.get("message"), one.get("reason")) for one in events(store)]
    assert found[:2] == [
        ("trust", "done", f"trusts packer@site with {FINGERPRINT}", None),
        ("trust", "nothing", None, None),
    ]
    assert found[2][1] == "refused"
    assert found[3] == ("trust", "done", f"revoked {FINGERPRINT}", "laptop lost")
    assert bundler("log", store / "log.jsonl").code == 0


def test_a_mistyped_fingerprint_is_revoked_with_a_warning(desk):
    store = desk / "etc"
    store.mkdir(mode=0o755)
    assert bundler("trust", "import", "packer.pub", "--store", store, "--expect", FINGERPRINT).code == 0
    words = ("--reason", "laptop lost", "--store", store)
    done = bundler("trust", "revoke", "SHA256:" + "A" * 43, *words)
    assert (done.code, done.stdout) == (0, "")
    assert done.stderr.splitlines()[1].startswith(
        f"uv-bundler: warning: {store}/allowed_signers names no such key"
    )
    done = bundler("trust", "revoke", FINGERPRINT, *words)
    assert (done.code, "warning" in done.stderr) == (0, False)


def test_a_document_that_is_imported_is_in_the_log_with_who_signed_it(desk):
    store = desk / "etc"
    document = write_document(desk / "trust-1.json", make_document())
    assert bundler("trust", "import", document, "--store", store, "--expect", FINGERPRINT).code == 0
    (entry,) = events(store)
    assert entry["trust_after"]["version"] == 1
    assert entry["signers"] == [{"name": "packer@site", "fingerprint": FINGERPRINT}]


def test_a_refused_first_import_makes_no_store(desk):
    assert (
        bundler(
            "trust", "import", "packer.pub", "--store", desk / "etc", "--expect", "SHA256:" + "A" * 43
        ).code
        == 3
    )
    assert not (desk / "etc").exists()


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
@pytest.mark.usefixtures("desk")
def test_nothing_is_written_into_a_store_that_others_can_write_not_even_its_log():
    Path("store").mkdir()
    Path("store").chmod(0o777)
    check_refusal(add("--expect", FINGERPRINT), 3, "lets others write the trust store", "chmod go-w")
    assert list(Path("store").iterdir()) == []
