"""OpenSSH's pattern lists, as `allowed_signers` uses them (ssh_config(5), "PATTERNS")."""

from __future__ import annotations


def matches(word: str, patterns: str) -> bool:
    """Tell whether a comma-separated list names `word`: `*` is any text, `?` one character, `!` excludes.

    As in OpenSSH an excluding pattern that fits wins over every other, wherever it stands.
    """
    found = False
    for pattern in patterns.split(","):
        if pattern.startswith("!"):
            if _fits(word, pattern[1:]):
                return False
        elif _fits(word, pattern):
            found = True
    return found


def _fits(word: str, pattern: str) -> bool:
    """Match one pattern in at most len(word) * len(pattern) steps, whatever the pattern."""
    at, star, retry = 0, -1, 0
    place = 0
    while at < len(word):
        if place < len(pattern) and pattern[place] == "*":
            star, retry = place, at
            place += 1
        elif place < len(pattern) and pattern[place] in ("?", word[at]):
            place += 1
            at += 1
        elif star >= 0:
            retry += 1
            place, at = star + 1, retry
        else:
            return False
    return all(char == "*" for char in pattern[place:])
