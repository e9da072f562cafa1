"""Exports for PowerShell and cmd, judged by their specifications and by wine's cmd."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest
from hypothesis import given
from oddvalues import ODD, PRINTABLE, numbered, setting

from bundler.offline.shells import render


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


def test_a_drive_is_no_separator_in_powershells_path():
    line = render((setting("C:\\x\\bin", "PATH"),), shell="powershell")
    assert line == "$env:PATH = 'C:\\x\\bin' + [System.IO.Path]::PathSeparator + $env:PATH\n"
