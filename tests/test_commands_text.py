"""Hostile text never reaches a terminal raw: not on stderr, and not in what people read on stdout."""

import io
import json
import unicodedata

import pytest
from bundles import PACKER, Packer, make_bundle
from cli import Desk, bundler, check_refusal, process

from bundler.commands import watch as module
from bundler.connected.bundlewriter import front
from bundler.core import strictjson
from bundler.offline.reader import BundleReader

HOSTILE = {
    "escape": "\x1b[2J\x1b]0;title\x07",
    "newline": "\nall is well",
    "return": "\rall is well",
    "bidi": "\u202egnp.exe\u2066",
    "invisible": "\u200b\u00ad\ufeff",
    "C1": "\x9b2J",
    "line separator": "\u2028next",
}


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def forged(text, *, packer=PACKER, **changes):
    """Return a signed bundle that says `text` where its packer may say anything."""
    data = make_bundle()
    honest = BundleReader(_stream(data), name="x").read_signed_index()
    document = json.loads(honest.raw) | {"release": f"Q4{text}", "tool": f"tool{text}", **changes}
    payload = data[sum(map(len, front(honest.raw, honest.signatures))) :]
    raw = strictjson.dump(document)
    return b"".join(front(raw, [packer.sign(raw)])) + payload


def _stream(data):
    return io.BytesIO(data)


def assert_tame(text):
    """Assert that no character of it moves a cursor, hides or turns text, beyond blanks and line ends."""
    bad = {char for char in text if char not in " \n" and unicodedata.category(char)[0] in "CZ"}
    assert bad == set()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_a_bundle_says_of_itself_is_shown_as_text(desk, text):
    desk.bundle.write_bytes(forged(text))
    for done in (
        bundler("inspect", desk.bundle),
        bundler("verify", desk.bundle, "--trust", desk.trust),
        desk.unpack("--dry-run"),
        desk.unpack(),
        desk.unpack("--dry-run"),
        desk.unpack(),
        bundler("status", "--prefix", desk.prefix),
        bundler("env", "--prefix", desk.prefix, "--shell", "sh"),
    ):
        assert done.code == 0, done.stderr
        assert_tame(done.stdout + done.stderr)
        assert not any(line.startswith("all is well") for line in done.stdout.splitlines())
        assert all(line.startswith("uv-bundler: ") for line in done.stderr.splitlines())
    plain = text.encode("unicode_escape").decode()
    assert f"Q4{plain}" in bundler("status", "--prefix", desk.prefix).stdout


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_json_holds_it_escaped_and_whole(desk, text):
    desk.bundle.write_bytes(forged(text))
    done = bundler("inspect", desk.bundle, "--json")
    assert done.stdout.isascii()
    assert_tame(done.stdout)
    assert json.loads(done.stdout)["release"] == f"Q4{text}"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("key", ["name", "format", "created", "uv", "platforms", "surprise"])
def test_a_refused_index_is_quoted_as_text(desk, text, key):
    changes = {key: [text] if key in ("uv", "platforms") else text} if key != "surprise" else {text: 1}
    desk.bundle.write_bytes(forged("", **changes))
    for done in (desk.unpack(), bundler("inspect", desk.bundle)):
        check_refusal(done, 5, f"{desk.bundle}: bundle.json: ")
        assert_tame(done.stderr)


@pytest.mark.parametrize("text", [one for one in HOSTILE.values() if "\n" not in one])
def test_a_signer_is_named_as_text(desk, text):
    desk.trust.write_text(f'"ev{text}il" {PACKER.key}\n', encoding="utf-8", newline="\n")
    done = bundler("verify", desk.bundle, "--trust", desk.trust)
    assert_tame(done.stdout + done.stderr)
    desk.trust.write_text(f"{Packer(5).key} com{text}ment\n", encoding="utf-8", newline="\n")
    store = desk.folder / "store"
    for done in (
        bundler("verify", desk.bundle, "--trust", desk.trust),
        bundler("trust", "import", desk.trust, "--store", store),
        bundler("trust", "import", desk.trust, "--store", store, "--yes"),
        bundler("trust", "list", "--store", store),
    ):
        assert_tame(done.stdout + done.stderr)


@pytest.mark.parametrize("text", [one for one in HOSTILE.values() if "/" not in one], ids=str.isascii)
def test_the_name_of_a_file_is_shown_as_text(desk, text):
    path = desk.folder / f"q4{text}.uvb"
    for words in (
        ("verify", path, "--trust", desk.trust),
        ("unpack", path),
        ("inspect", path),
        ("lock", path),
    ):
        done = bundler(*words)
        assert done.code != 0
        assert_tame(done.stderr)
    path.write_bytes(desk.bundle.read_bytes())
    done = bundler("verify", path, "--trust", desk.trust)
    assert done.code == 0
    assert_tame(done.stderr)


def test_words_of_the_command_line_are_shown_as_text():
    for words in (("\x1b[2J",), ("unpack", "--\x1b[2J"), ("unpack", "a", "--shell", "\x1b[2J\n")):
        done = bundler(*words)
        check_refusal(done, 2, r"\x1b[2J")
        assert_tame(done.stderr)


def test_variables_are_shown_as_text(desk):
    assert desk.unpack().code == 0
    done = process("doctor", "--prefix", desk.prefix, env={"UV_PYTHON_INSTALL_MIRROR": "\x1b[2J\u202e"})
    assert r"\x1b[2J\u202e" in done.stderr.replace("\\\\", "\\")
    assert_tame(done.stdout + done.stderr)


def test_a_progress_bar_shows_its_stage_as_text(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with module.watch(quiet=False) as progress:
        progress.stage("install \x1b[2J\u202e", 10)
        progress.advance(3)
        progress.note("a note \x1b]0;\x07")
    shown = capsys.readouterr().err
    assert "\x1b[2J" not in shown
    assert "\x1b]0" not in shown
    assert "\u202e" not in shown
    assert r"install \x1b[2J\u202e" in shown
