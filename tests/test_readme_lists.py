"""README.md's lists compared with what they list, and its messages looked up in the sources."""

from __future__ import annotations

import ast
import re
from urllib.parse import urlsplit

from pypi_simple import PYPI_SIMPLE_ENDPOINT
from readmetext import README, ROOT, section

from bundler import errors
from bundler.commands import output


def test_the_list_of_modules_is_the_tree():
    listed, folder = [], ""
    for line in section("For the next engineer").splitlines():
        if heading := re.match(r"\*\*`(bundler/[a-z/]*)`\*\*", line):
            folder = heading[1]
        elif item := re.match(r"- `(\w+\.py)`: \S", line):
            listed.append(folder + item[1])
    tree = [
        str(path.relative_to(ROOT).as_posix())
        for path in sorted((ROOT / "bundler").rglob("*.py"))
        if path.name != "__init__.py"
    ]
    assert sorted(listed) == sorted(tree)


def test_the_table_of_exit_codes_is_the_tree_of_errors():
    rows = re.findall(r"^\| (\d+) \| (.*?) \|$", section("Exit codes"), re.MULTILINE)
    codes = {int(code) for code, _ in rows}
    classes = [
        one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.BundlerError)
    ]
    assert codes - {0, output.INTERRUPTED, output.READER_LEFT, *output.ENDED} == {
        one.exit_code for one in classes
    }
    assert len(rows) == len(codes)


def templates():
    """Return every text of the sources, with `…` for each value that is put into it."""
    found = set()
    for path in (ROOT / "bundler").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.add("".join(map(_part, node.values)))
    return found


def _part(node):
    """Return the text of a part of an f-string; `counted(n, "file")` reads `… files`."""
    if isinstance(node, ast.Constant):
        return node.value
    call = node.value
    is_count = isinstance(call, ast.Call) and getattr(call.func, "id", "") == "counted"
    noun = call.args[1] if is_count else None
    return f"… {noun.value}s" if isinstance(noun, ast.Constant) else "…"


def messages():
    return re.findall(r"^\| `([^`]+)` \|", section("When something goes wrong"), re.MULTILINE)


def test_every_message_in_the_troubleshooting_section_is_one_of_ours():
    ours, quoted = templates(), messages()
    assert len(quoted) > 30
    unknown = [
        message
        for message in quoted
        if not any(all(part in text for part in message.split("…") if part.strip(": ")) for text in ours)
    ]
    assert unknown == []


def test_a_message_that_nobody_writes_is_not_taken_for_one_of_ours():
    assert not any("no such bundle, expected a ship" in text for text in templates())


def test_every_exit_code_with_errors_has_a_heading_in_the_troubleshooting_section():
    headings = re.findall(r"^### Exit code (\d)", section("When something goes wrong"), re.MULTILINE)
    assert [int(one) for one in headings] == list(range(1, 10))


def test_the_readme_names_no_registry_and_no_machine_path():
    text = README + (ROOT / "tests" / "requirements.txt").read_text()
    assert str(urlsplit(PYPI_SIMPLE_ENDPOINT).hostname) not in text
    assert not re.search(r"/work/|/home/|/root/|/tmp/", text)
