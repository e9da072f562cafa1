"""OpenSSH's pattern lists."""

from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.signing.patterns import matches


@pytest.mark.parametrize(
    ("word", "patterns", "expected"),
    [
        ("git", "git", True),
        ("git", "Git", False),
        ("git", "gi", False),
        ("git", "*", True),
        ("", "*", True),
        ("git", "g?t", True),
        ("git", "g??t", False),
        ("git", "file,git", True),
        ("git", "*,!git", False),
        ("git", "!git,*", False),
        ("git", "!file", False),
        ("git", "", False),
        ("uv-bundler.index.v1", "uv-bundler.*.v1", True),
        ("uv-bundler.index.v2", "uv-bundler.*.v1", False),
        ("a[b", "a[b", True),
    ],
)
def test_a_list_names_a_word_as_openssh_says(word, patterns, expected):
    assert matches(word, patterns) is expected


@given(st.text("ab", max_size=8), st.text("ab*?", max_size=8))
def test_one_pattern_matches_what_shell_patterns_match(word, pattern):
    expected = re.fullmatch(fnmatch.translate(pattern), word) is not None
    assert matches(word, pattern) is expected


def test_a_hostile_pattern_costs_no_time():
    assert not matches("a" * 2000, "*a" * 200 + "b")
