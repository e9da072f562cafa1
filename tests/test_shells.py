"""Exports arrive as they are: read back by the real shells, the real uv, systemd, and wine's cmd."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from realuv import VERSIONS, clean_env, tiny_tree, uv_of

from bundler.errors import HostFault, UsageFault
from bundler.offline.settings import ExportFacts, Setting, settings
from bundler.offline.shells import SHELLS, detect_shell, render

ODD = (
    "/plain/x",
    "/with space/and  two",
    "/it's/'quoted'",
    '/"double"/x',
    "/$HOME/${PATH}/$(id)/$$",
    "/`id`/x",
    "/100%/%PATH%/%%/%20",
    "/wow!/!!/!x",
    "/back\\slash/\\n/\\",
    "/a;b&c|d",
    "/(x)/[y]/{z,w}/*?",
    "/jörg/日本語/😀/\u202e",  # the last one writes from right to left
    "/\u2018curly\u2019/\u201cdouble\u201d",
    "-dash",
    "~/home/=x",
    "/#hash/a #b",
    "/<in>/^caret",
    "file:///a b/100%25/c%231",
    "/ends in blank ",
    "/ends in backslash\\",
)
DUMP = (
    "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k == 'PATH' or k[0] == 'V'}))"
)
READ = [sys.executable, "-c", DUMP]
REAL_SHELLS = {
    "dash": (["dash", "-c"], "sh"),
    "bash": (["bash", "--norc", "-c"], "sh"),
    "bash with history expansion": (["bash", "--norc", "-H", "-c"], "sh"),
    "zsh": (["zsh", "-f", "-c"], "sh"),
    "interactive zsh": (["zsh", "-f", "-i", "-c"], "sh"),
    "fish": (["fish", "--no-config", "-c"], "fish"),
    "pwsh": (["pwsh", "-NoProfile", "-NonInteractive", "-Command"], "powershell"),
}
EVAL = {
    "sh": 'eval "$(cat "$LINES_FILE")"; exec "$PYTHON" -c "$DUMP"',
    "fish": 'cat $LINES_FILE | source; exec $PYTHON -c "$DUMP"',
    "powershell": "Invoke-Expression (Get-Content $env:LINES_FILE -Raw); & $env:PYTHON -c $env:DUMP",
}


def setting(value: str, name: str = "V", key: str = "") -> Setting:
    return Setting(name=name, value=value, reason="because", key=key)


def numbered(texts) -> tuple[Setting, ...]:
    return tuple(setting(text, f"V{number}") for number, text in enumerate(texts))


def read_back(shell: str, lines: str, folder: Path) -> dict[str, str]:
    """Let the real shell eval the lines, and return the environment that a program then sees."""
    command, form = REAL_SHELLS[shell]
    program = shutil.which(command[0])
    if program is None:
        pytest.skip(f"needs {command[0]}, which is not installed here")
    (folder / "lines").write_text(lines, encoding="utf-8")
    env = {
        "HOME": str(folder),
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "LINES_FILE": str(folder / "lines"),
        "PYTHON": sys.executable,
        "DUMP": DUMP,
        "PYTHONUTF8": "1",
    }
    run = subprocess.run(
        [program, *command[1:], EVAL[form]], env=env, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("shell", REAL_SHELLS)
def test_odd_values_arrive_in_the_real_shell_as_they_are(shell, tmp_path):
    lines = render(numbered(ODD), shell=REAL_SHELLS[shell][1])
    found = read_back(shell, lines, tmp_path)
    assert [found[f"V{number}"] for number in range(len(ODD))] == list(ODD)


@pytest.mark.parametrize("shell", REAL_SHELLS)
def test_the_folder_comes_in_front_of_path(shell, tmp_path):
    folder = "/odd $x 'y' \"z\"/bin"
    lines = render((setting(folder, "PATH"),), shell=REAL_SHELLS[shell][1])
    assert read_back(shell, lines, tmp_path)["PATH"] == f"{folder}:/usr/bin:/bin"


@pytest.mark.parametrize("before", ["PATH=", "unset PATH"])
def test_no_current_folder_slips_into_an_empty_path(before, tmp_path):
    line = render((setting("/x/bin", "PATH"),), shell="sh")
    lines = f"{before}\n{line}export V=$PATH\nexport PATH=/usr/bin:/bin\n"
    assert read_back("dash", lines, tmp_path)["V"] == "/x/bin"


PRINTABLE = st.text(st.characters(blacklist_categories=("Cc", "Cs")), min_size=1, max_size=30)


@pytest.mark.parametrize("shell", ["dash", "bash", "zsh", "fish"])
@hypothesis_settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(PRINTABLE, min_size=20, max_size=60))
def test_any_printable_value_arrives_as_it_is(shell, tmp_path, texts):
    lines = render(numbered(texts), shell=REAL_SHELLS[shell][1])
    found = read_back(shell, lines, tmp_path)
    assert [found[f"V{number}"] for number in range(len(texts))] == texts


@pytest.mark.parametrize("shell", ["sh", "fish", "powershell", "cmd"])
def test_shells_are_given_one_statement_a_line_and_no_comment(shell):
    values = tuple(setting(f"/x{number}", f"V{number}") for number in range(3))
    lines = render((*values, setting("/bin", "PATH")), shell=shell).splitlines()
    assert [name for line in lines for name in re.findall(r"V\d|PATH(?==| =| ')", line)[:1]] == [
        "V0",
        "V1",
        "V2",
        "PATH",
    ]


def powershell_value(expression: str) -> str:
    """Evaluate what we write for PowerShell by its language specification, not by our code.

    2.3.5.2: in a verbatim string '' is one quote; 7.7.1: + with a string on the left joins; a [char] cast
    of a number is that UTF-16 unit.
    """
    units, at, first = b"", 0, True
    while at < len(expression):
        if not first:
            assert expression.startswith(" + ", at), expression[at:]
            at += 3
        if expression[at] == "'":
            at += 1
            while True:
                assert expression[at] not in "\u2018\u2019\u201a\u201b", "PowerShell takes these for quotes"
                if expression.startswith("''", at):
                    units, at = units + "'".encode("utf-16-le"), at + 2
                elif expression[at] == "'":
                    at += 1
                    break
                else:
                    units, at = units + expression[at].encode("utf-16-le"), at + 1
        else:
            assert not first, "the first operand must be a string"
            found = re.compile(r"\[char\]0x([0-9A-F]{4})").match(expression, at)
            assert found, expression[at:]
            units, at = units + int(found[1], 16).to_bytes(2, "little"), found.end()
        first = False
    return units.decode("utf-16-le")


@given(text=PRINTABLE)
def test_powershell_reads_any_printable_value_by_its_specification(text):
    line = render((setting(text),), shell="powershell")
    assert line.isascii()
    assert powershell_value(line.removeprefix("$env:V = ").removesuffix("\n")) == text


@pytest.mark.parametrize("text", ODD)
def test_powershell_reads_odd_values_by_its_specification(text):
    line = render((setting(text),), shell="powershell")
    assert powershell_value(line.removeprefix("$env:V = ").removesuffix("\n")) == text


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("C:\\Program Files (x86)\\uvb", '@set "V=C:\\Program Files (x86)\\uvb"'),
        ("C:\\a&b^c;d|e<f>g'h`i", '@set "V=C:\\a&b^c;d|e<f>g\'h`i"'),
        ("file:///C:/100%25/x", '@set "V=file:///C:/100%%25/x"'),
        ("%PATH%", '@set "V=%%PATH%%"'),
    ],
)
def test_cmd_is_given_a_batch_file_with_doubled_percent_signs(value, line):
    assert render((setting(value),), shell="cmd") == line + "\n"


def test_cmd_keeps_the_path_that_was():
    line = render((setting("C:\\a b\\bin", "PATH"),), shell="cmd")
    assert line == '@set "PATH=C:\\a b\\bin;%PATH%"\n'


@pytest.mark.slow
def test_wines_cmd_reads_the_batch_file_as_it_is_meant(tmp_path):
    if shutil.which("wine") is None:
        pytest.skip("needs wine, which is not installed here")
    texts = [one for one in ODD if one.isascii() and not set(one) & set('"!')]
    lines = render((*numbered(texts), setting("C:\\a (b)\\bin", "PATH")), shell="cmd")
    (tmp_path / "exports.cmd").write_text(lines.replace("\n", "\r\n"))
    (tmp_path / "run.cmd").write_text("@call exports.cmd\r\n@set\r\n")
    env = {"HOME": str(tmp_path), "WINEPREFIX": str(tmp_path / "wine"), "WINEDEBUG": "-all"}
    run = subprocess.run(
        ["wine", "cmd", "/c", "run.cmd"],
        cwd=tmp_path,
        env={**env, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    subprocess.run(["wineserver", "-w"], env={**env, "PATH": os.environ["PATH"]}, check=False)
    found = dict(line.split("=", 1) for line in run.stdout.splitlines() if "=" in line)
    assert [found[f"V{number}"] for number in range(len(texts))] == texts
    assert found["PATH"].lower().startswith("c:\\a (b)\\bin;c:\\windows")


def systemd_environment(lines: str, folder: Path, **env: str) -> dict[str, str]:
    """Let systemd's own generator read the file, and a shell its output, which is quoted for one."""
    generator = "systemd/user-environment-generators/30-systemd-environment-d-generator"
    program = next((one for top in ("/usr/lib", "/lib") if (one := Path(top) / generator).exists()), None)
    if program is None:
        pytest.skip("needs systemd's environment.d generator, which is not installed here")
    (folder / "environment.d").mkdir()
    (folder / "environment.d" / "50-uv-bundler.conf").write_text(lines, encoding="utf-8")
    run = subprocess.run(
        [program],
        env={"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), **env},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stderr == ""
    (folder / "generated").write_text(run.stdout, encoding="utf-8")
    shell = subprocess.run(
        ["sh", "-c", 'set -a; . "$0"; exec "$@"', folder / "generated", *READ],
        env={"PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(shell.stdout)


def test_systemd_reads_odd_values_as_they_are(tmp_path):
    found = systemd_environment(render(numbered(ODD), shell="systemd"), tmp_path, HOME="/root")
    assert [found[f"V{number}"] for number in range(len(ODD))] == list(ODD)


@pytest.mark.parametrize(
    ("before", "after"), [({"PATH": "/usr/bin"}, "/a $x/bin:/usr/bin"), ({}, "/a $x/bin")]
)
def test_systemd_puts_the_folder_in_front_of_path(before, after, tmp_path):
    lines = render((setting("/a $x/bin", "PATH"),), shell="systemd")
    assert systemd_environment(lines, tmp_path, **before)["PATH"] == after


@pytest.mark.uv
def test_the_real_uv_reads_odd_values_from_the_env_file(uv, tmp_path):
    (tmp_path / ".env").write_text(render(numbered(ODD), shell="dotenv"), encoding="utf-8")
    env = {**clean_env(tmp_path / "home"), "PYTHONUTF8": "1", "UV_OFFLINE": "1"}
    command = [uv, "run", "--no-project", "--python", sys.executable, "--env-file", tmp_path / ".env"]
    run = subprocess.run([*command, *READ], env=env, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Failed to parse" not in run.stderr
    found = json.loads(run.stdout)
    assert [found[f"V{number}"] for number in range(len(ODD))] == list(ODD)


@pytest.mark.uv
def test_uv_run_gives_an_env_file_to_its_command_and_does_not_obey_it(uv, tmp_path):
    (tmp_path / ".env").write_text("UV_PYTHON_PREFERENCE=bogus\n")
    command = [uv, "run", "--no-project", "--python", sys.executable]
    code = ["python", "-c", "import os; print(os.environ['UV_PYTHON_PREFERENCE'])"]
    env = clean_env(tmp_path / "home")
    run = subprocess.run(
        [*command, "--env-file", tmp_path / ".env", *code],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert run.stdout == b"bogus\n"
    told = {**env, "UV_PYTHON_PREFERENCE": "bogus"}
    run = subprocess.run([*command, *code], env=told, cwd=tmp_path, capture_output=True, check=False)
    assert b"bogus" in run.stderr  # what uv itself says to it


def test_an_env_file_says_in_a_comment_that_it_cannot_change_path():
    lines = render((setting("/x/bin", "PATH"),), shell="dotenv").splitlines()
    assert lines[1] == "# A .env file cannot put a folder in front of PATH: call /x/bin/uv"


def test_an_env_file_quotes_only_where_it_must_because_docker_keeps_quotes():
    assert render((setting("file:///opt/x/100%25"),), shell="dotenv").endswith("V=file:///opt/x/100%25\n")


def toml_of(prefix: Path, uv: tuple[str, ...], *, offline: bool = False) -> str:
    return render(
        settings(
            ExportFacts(
                prefix=prefix,
                uv=uv,
                folders=frozenset({"mirror", "mirror-pypy", "mirror-graalpy"}),
                cache_complete=True,
                interpreters_installed=True,
                offline=offline,
            )
        ),
        shell="uv-toml",
    )


def list_with_config(uv, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    config = folder / "uv.toml"
    config.write_text(text, encoding="utf-8")
    return subprocess.run(
        [uv, "python", "list", "--only-downloads"],
        env={**clean_env(folder / "home"), "UV_CONFIG_FILE": str(config)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.uv
@pytest.mark.parametrize("version", [*VERSIONS, "newest"])
def test_the_real_uv_reads_the_file_that_is_made_for_it(version, uv, tmp_path):
    command = uv if version == "newest" else uv_of(version)
    prefix = tmp_path / "odd \"p\" \\ 'x' #1 100% jörg"
    row = tiny_tree(prefix / "current")
    run = list_with_config(
        command, toml_of(prefix, ("0.13.8" if version == "newest" else version,)), tmp_path
    )
    assert (run.returncode, run.stderr) == (0, "")
    if version != "0.6.17":  # which has no key for the list, so it shows its own
        assert [line.split()[0] for line in run.stdout.splitlines()] == [row.key]


@pytest.mark.uv
def test_an_older_uv_does_stop_at_the_file_of_a_newer_one(tmp_path):
    run = list_with_config(uv_of("0.6.17"), toml_of(tmp_path, ("0.7.3",)), tmp_path)
    assert run.returncode == 2
    assert "unknown field `python-downloads-json-url`" in run.stderr


def test_the_file_says_which_uv_it_is_for_and_what_it_leaves_out():
    text = toml_of(Path("/opt/uv-bundler").absolute(), ("0.13.8", "0.6.17"))
    others = (
        *("UV_PYTHON_DOWNLOADS_JSON_URL", "UV_GRAALPY_INSTALL_MIRROR", "UV_PYTHON_CACHE_DIR"),
        *("UV_PYTHON_INSTALL_DIR", "UV_OFFLINE", "PATH"),
    )
    assert text.splitlines()[:2] == [
        "# For uv 0.5.2 and newer: an older one stops at a key that it does not know.",
        f"# Not said here, but by the variables of `uv-bundler env`: {', '.join(others)}.",
    ]


def test_the_file_says_offline_as_a_truth_value_where_it_is_asked_for():
    assert "\noffline = true\n" in toml_of(Path("/opt/x").absolute(), ("0.13.8",), offline=True)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "bad", ["/a\nb", "/a\rb", "/a\tb", "/a\x00b", "/a\x1bb", "/a\x7fb", "/a\x85b", "/\udcff"]
)
def test_control_characters_and_undecodable_bytes_are_refused_everywhere(shell, bad):
    with pytest.raises(HostFault) as caught:
        render((setting(bad),), shell=shell)
    assert (
        caught.value.message
        == f"V: {bad!r} holds a control character or an undecodable byte, which the form {shell!r} cannot say"
    )
    assert caught.value.hint == "choose another --prefix, or another --shell"


@pytest.mark.parametrize(
    ("shell", "name", "value", "what"),
    [
        ("cmd", "V", 'C:\\a"b', "a quotation mark"),
        ("cmd", "V", "C:\\a!b", "an exclamation mark"),
        ("cmd", "V", "C:\\jörg", "a character that is not ASCII"),
        ("cmd", "PATH", "C:\\a;b", "';', which ends an entry of PATH"),
        ("powershell", "PATH", "C:\\a;b", "';', which ends an entry of PATH"),
        ("powershell", "PATH", "/a:b", "':', which ends an entry of PATH"),
        ("sh", "PATH", "/a:b", "':', which ends an entry of PATH"),
        ("fish", "PATH", "/a:b", "':', which ends an entry of PATH"),
        ("systemd", "PATH", "/a:b", "':', which ends an entry of PATH"),
    ],
)
def test_what_a_form_cannot_say_is_refused(shell, name, value, what):
    with pytest.raises(HostFault) as caught:
        render((setting(value, name),), shell=shell)
    assert caught.value.message == f"{name}: {value!r} holds {what}, which the form {shell!r} cannot say"


def test_a_drive_is_no_separator_in_powershells_path():
    line = render((setting("C:\\x\\bin", "PATH"),), shell="powershell")
    assert line == "$env:PATH = 'C:\\x\\bin' + [System.IO.Path]::PathSeparator + $env:PATH\n"


def test_an_unknown_shell_is_refused_with_the_nearest_one():
    with pytest.raises(UsageFault) as caught:
        render((), shell="powershel")
    assert caught.value.message == f"--shell: expected one of {', '.join(SHELLS)}; found 'powershel'"
    assert caught.value.hint == "did you mean 'powershell'?"


@pytest.mark.parametrize(
    ("env", "windows", "shell"),
    [
        ({"SHELL": "/bin/bash"}, False, "sh"),
        ({"SHELL": "/usr/bin/zsh"}, False, "sh"),
        ({"SHELL": "/usr/bin/fish"}, False, "fish"),
        ({"SHELL": "/opt/pwsh"}, False, "powershell"),
        ({}, False, "sh"),
        ({}, True, "powershell"),
        ({"SHELL": "/usr/bin/bash"}, True, "powershell"),
    ],
)
def test_the_persons_shell_is_found(env, windows, shell):
    assert detect_shell(env, windows=windows) == shell
