"""Exports arrive in the real shells as they are; what a form cannot say is refused."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from oddvalues import DUMP, ODD, PRINTABLE, numbered, setting

from bundler.errors import HostFault, UsageFault
from bundler.offline.shells import SHELLS, detect_shell, render

if TYPE_CHECKING:
    from pathlib import Path

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
