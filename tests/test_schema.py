"""The JSON Schema for editors: generated, shipped, and of one mind with the reader."""

import json
from pathlib import Path

import pytest
import yaml

from bundler.connected.manifest import parse_manifest
from bundler.connected.schema import manifest_schema, schema_bytes
from bundler.errors import UsageFault

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")

MANIFESTS = Path(__file__).parents[1] / "manifests"
GOOD = {
    "version": 1,
    "name": "lab",
    "release": "2026Q4",
    "uv": "latest",
    "pythons": ["3.13"],
    "platforms": ["linux-x86_64-gnu"],
}
ARCHIVE = {"archive": "a.tar.gz", "version": "3.13.5", "platform": "linux-x86_64-gnu"}


@pytest.fixture(scope="module")
def judge():
    jsonschema.Draft202012Validator.check_schema(manifest_schema())
    return jsonschema.Draft202012Validator(manifest_schema())


def takes(document) -> bool:
    text = yaml.safe_dump(document, sort_keys=False)
    try:
        parse_manifest(text.encode(), path=Path("lab.yaml"))
    except UsageFault:
        return False
    return True


def test_the_shipped_schema_is_the_generated_one():
    shipped = (MANIFESTS / "manifest.schema.json").read_bytes()
    assert shipped == schema_bytes(), (
        "run: python -m bundler.connected.schema > manifests/manifest.schema.json"
    )
    assert json.loads(shipped) == manifest_schema()


@pytest.mark.parametrize("path", sorted(MANIFESTS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_worked_example_is_valid(judge, path):
    judge.validate(yaml.safe_load(path.read_text("utf-8")))


def described(schema, path=()):
    for name, below in schema.get("properties", {}).items():
        yield (*path, name), below
        yield from described(below, (*path, name))
    for keyword in ("anyOf", "oneOf"):
        for below in schema.get(keyword, ()):
            yield from described(below, path)
    if "items" in schema:
        yield from described(schema["items"], (*path, "[]"))


def test_every_key_says_what_it_is_for():
    keys = dict(described(manifest_schema()))
    assert len(keys) >= 18
    assert [path for path, schema in keys.items() if len(schema.get("description", "")) < 20] == []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"serial": 1},
        {"valid_days": 1},
        {"valid_days": 3660},
        {"uv": ["0.13.8", "latest"]},
        {"pythons": [{"request": "3.11", "patches": 2}]},
        {"pythons": [{"request": "3.12.7", "sha256": "0" * 64}]},
        {"sources": {"index": "file:///srv/simple", "pythons": ["https://a.example", "file:///b"]}},
        {"pythons": [], "builds": [ARCHIVE, {"path": "/opt/python"}]},
        {"builds": [{**ARCHIVE, "implementation": "pypy", "variant": "debug"}]},
        {"platforms": ["host"]},
        {"release": "first try"},
    ],
)
def test_a_good_manifest_is_taken_by_the_reader_and_by_the_schema(judge, changes):
    document = {**GOOD, **changes}
    assert takes(document)
    assert judge.is_valid(document)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"version": "1"},
        {"name": "Lab"},
        {"name": "x" * 41},
        {"name": 7},
        {"name": None},
        {"release": ""},
        {"release": 2026},
        {"release": "a\nb"},
        {"release": "x" * 81},
        {"serial": 0},
        {"valid_days": 0},
        {"valid_days": 3661},
        {"valid_days": None},
        {"serial": 1.5},
        {"serial": "1"},
        {"serial": 2**53},
        {"uv": 0.13},
        {"uv": []},
        {"uv": {}},
        {"pythons": [3.13]},
        {"pythons": "3.13"},
        {"pythons": [{}]},
        {"pythons": [{"request": 3.13}]},
        {"pythons": [{"request": "3.13", "patches": 0}]},
        {"pythons": [{"request": "3.13", "patches": 101}]},
        {"pythons": [{"request": "3.13", "patch": 1}]},
        {"pythons": [{"request": "3.12.7", "sha256": "0" * 63}]},
        {"platforms": []},
        {"platforms": "host"},
        {"sources": None},
        {"sources": {"indices": "x"}},
        {"sources": {"pythons": []}},
        {"builds": [{}]},
        {"builds": [{**ARCHIVE, "path": "x"}]},
        {"builds": [{**ARCHIVE, "version": "3.13"}]},
        {"builds": [{**ARCHIVE, "variant": "t"}]},
        {"builds": [{**ARCHIVE, "implementation": "jython"}]},
        {"builds": [{"archive": "a.tar.gz"}]},
        {"builds": [{"path": "x", "version": "3.13.5"}]},
        {"unknown": 1},
    ],
)
def test_a_bad_manifest_is_refused_by_the_reader_and_by_the_schema(judge, changes):
    document = {**GOOD, **changes}
    assert not takes(document)
    assert not judge.is_valid(document)


@pytest.mark.parametrize("key", ["version", "name", "release", "uv", "platforms"])
def test_a_required_key_is_required_by_both(judge, key):
    document = {name: value for name, value in GOOD.items() if name != key}
    assert not takes(document)
    assert not judge.is_valid(document)
