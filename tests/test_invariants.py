"""The table of invariants in FORMAT.md names a test for each; here the names are held to be true."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
FORMAT = (TESTS.parent / "bundler" / "FORMAT.md").read_text()
ROWS = re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|$", FORMAT, flags=re.MULTILINE)


def functions(file):
    """Return the tests of a file; one that is marked `skip` for good would prove nothing."""
    found = {}
    for node in ast.parse((TESTS / file).read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            found[node.name] = [ast.unparse(one) for one in node.decorator_list]
    return found


def test_the_invariants_are_numbered_without_a_gap():
    assert [int(number) for number, _, _ in ROWS] == list(range(1, len(ROWS) + 1))
    assert len(ROWS) >= 26


def test_every_invariant_names_tests_that_exist():
    for number, invariant, proof in ROWS:
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", proof)
        assert named, f"{number}: {invariant}"
        for file, test in named:
            assert (TESTS / file).is_file(), f"{number}: {file}"
            assert test in functions(file), f"{number}: {file}::{test}"
            assert not any("mark.skip(" in one or "xfail" in one for one in functions(file)[test]), test
