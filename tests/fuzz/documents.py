"""Strict JSON, the index and the rows of `download-metadata.json`: what is accepted means one thing.

Whatever `parse_index` promises is checked here a second time, with other code.
"""

from __future__ import annotations

import json
import string
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from bundler.core import metadata, strictjson
from bundler.core.fault import Fault
from bundler.core.index import Index, parse_index

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bundler.core.index import Member

_ROOTS = {
    "archive": {"mirror", "mirror-pypy", "mirror-graalpy", "python-cache"},
    "uv": {"uv"},
    "metadata": {"download-metadata.json"},
    "lock": {"bundle.lock"},
}
_LETTERS = set(string.ascii_letters + string.digits)
_DEVICES = {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)}
_MEMBER_MAX, _WHOLE_MAX, _METADATA_MAX = 8**11 - 1, 2**53 - 1, 16 << 20


def check_json(data: bytes) -> bool:
    """What is accepted is what Python's own reader sees, and what we write of it reads the same."""
    try:
        value = strictjson.parse(data, max_bytes=1 << 20)
    except Fault:
        return False
    assert_plain(value)
    assert same(value, json.loads(data, object_pairs_hook=_each_once))
    assert same(strictjson.parse(strictjson.dump(value), max_bytes=1 << 24), value)
    return True


def assert_plain(value: object, level: int = 0) -> None:
    """Assert FORMAT.md §6 of a value: no floats, no huge numbers, not deep, and text that can be written."""
    assert level <= 16
    if isinstance(value, dict | list):
        for item in (*value, *value.values()) if isinstance(value, dict) else value:
            assert_plain(item, level + 1)
    elif isinstance(value, str):
        value.encode()
    elif value is not None:
        assert isinstance(value, int)
        assert abs(value) < 10**19


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    assert len({key for key, _ in pairs}) == len(pairs)
    return dict(pairs)


def same(one: object, other: object) -> bool:
    """Tell whether two plain values are equal, and of equal kinds: 1 is not True."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def check_index(data: bytes) -> bool:
    """An index is refused with a `Fault`, or everything holds that the rest of the code relies on."""
    try:
        index = parse_index(data)
    except Fault:
        return False
    assert_index(index)
    assert parse_index(index.to_bytes()) == index
    return True


def assert_index(index: Index) -> None:
    """Assert FORMAT.md §3 and §4 of a parsed index."""
    whole = [artifact.member for artifact in index.artifacts if artifact.member is not None]
    members = {member.path: member for member in index.members}
    streams = assert_recipes(index, members)
    served = [*whole, *streams]
    assert_paths([member.path for member in index.members])
    assert_paths([path for one in index.artifacts for path in (one.path, *one.links)])
    assert index.members[0].path == "SHA256SUMS"
    assert index.members[0].encoding == "identity"
    assert index.members[0].size <= _METADATA_MAX
    assert sorted(served) == sorted(members.keys() - {"SHA256SUMS"})
    assert all(path.startswith("payload/") for path in served)
    for member in index.members:
        assert 0 <= member.size <= _MEMBER_MAX
        assert member.encoding in ("identity", "zstd")
        assert len(member.blocks) == (member.size + index.block_size - 1) // index.block_size
        assert all(len(one.hex) == 64 and int(one.hex, 16) >= 0 for one in (member.sha256, *member.blocks))
    for artifact in index.artifacts:
        source = members[artifact.member] if artifact.member is not None else None
        assert 0 <= artifact.size <= _WHOLE_MAX
        assert len(artifact.links) <= 8
        for path in (artifact.path, *artifact.links):
            assert PurePosixPath(path).parts[0] in _ROOTS[artifact.role]
        if artifact.role in ("metadata", "lock"):
            assert artifact.size <= _METADATA_MAX
        if source and source.encoding == "identity":
            assert (source.size, source.sha256) == (artifact.size, artifact.sha256)
    if any(artifact.role == "archive" for artifact in index.artifacts):
        assert any(artifact.role == "metadata" for artifact in index.artifacts)
    assert 1 <= index.serial <= _WHOLE_MAX
    assert 1 << 16 <= index.block_size <= 1 << 22
    assert len(index.name) <= 40
    assert set(index.name) <= set(string.ascii_lowercase + string.digits + "-")
    assert_time(index.created)
    if index.expires is not None:
        assert_time(index.expires)
        assert index.expires > index.created


def assert_recipes(index: Index, members: Mapping[str, Member]) -> set[str]:
    """Assert FORMAT.md §15 and §16; return the members that only recipes and prefixes take from."""
    held = {str(one.sha256): one for one in index.held}
    assert len(held) == len(index.held)
    assert bool(held) == bool(index.base)
    contents = {path: one.content for path, one in members.items() if one.content is not None}
    contents |= {name: one.content for name, one in held.items() if one.content is not None}
    used: set[str] = set()
    for artifact in index.artifacts:
        assert not (artifact.member and artifact.recipe)
        if recipe := artifact.recipe:
            assert 0 <= recipe.offset <= recipe.offset + recipe.length <= contents[recipe.member]
            assert recipe.length <= 4 << 20
            assert all(str(one) in contents for one in recipe.sources)
            used |= {recipe.member, *map(str, recipe.sources)}
        elif artifact.member is None:
            assert held[str(artifact.sha256)].size == artifact.size
            assert artifact.role not in ("metadata", "lock")
            used.add(str(artifact.sha256))
    before = list(members)
    for number, member in reversed(list(enumerate(index.members))):
        if not member.prefix:
            continue
        assert member.path in used
        assert member.content is not None
        for one in member.prefix:
            assert 0 <= one.offset < one.offset + one.length <= contents[str(one.source)]
            assert str(one.source) in held or str(one.source) in before[:number]
            used.add(str(one.source))
        assert sum(one.length for one in member.prefix) + min(member.content, 64 << 20) <= 96 << 20
    assert held.keys() <= used
    assert all(number < len(index.base) for one in index.held for number in one.base)
    features = {"base": bool(index.base), "recompressed": any(one.recipe for one in index.artifacts)}
    assert index.requires == [name for name, needed in features.items() if needed]
    return used - held.keys()


def assert_time(text: str) -> None:
    """Assert that a text is a UTC time as the format writes it, and one that exists."""
    assert text.isascii()
    assert datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").strftime("%m-%dT%H:%M:%SZ") == text[5:]  # noqa: DTZ007


def assert_paths(paths: list[str]) -> None:
    """Assert that paths are portable, that they differ on every file system, and that none lies below another."""
    for path in paths:
        assert 1 <= len(path) <= 240
        for part in path.split("/"):
            assert 1 <= len(part) <= 100
            assert set(part) <= _LETTERS | set("._+-")
            assert part[0] in _LETTERS | {"_"}
            assert part[-1] != "."
            assert part.split(".")[0].lower() not in _DEVICES
    folded = {path.lower() for path in paths}
    assert len(folded) == len(paths)
    assert not folded & {str(above) for path in folded for above in PurePosixPath(path).parents}


def check_rows(data: bytes) -> bool:
    """What is accepted is written and read again as the same rows; one without a digest is never written."""
    try:
        rows = metadata.parse_rows(data)
    except Fault:
        return False
    assert all(metadata.Row.from_dict(row.to_dict()) == row for row in rows)
    try:
        written = metadata.dump_rows(rows)
    except Fault:
        assert any(row.sha256 is None for row in rows)
        return True
    last = {row.key: row for row in rows}
    assert metadata.parse_rows(written) == [last[key] for key in sorted(last)]
    return True
