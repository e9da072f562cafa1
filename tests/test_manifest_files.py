"""Manifests in files: the worked examples, what is none, and what hostile documents make of one."""

import json
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from manifesttexts import BASE, LINUX, read

from bundler.connected import manifest as module
from bundler.connected.manifest import load_manifest
from bundler.connected.manifestshape import SHAPE
from bundler.errors import BundlerError, HostFault, UsageFault

MANIFESTS = Path(__file__).parents[1] / "manifests"
SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(autouse=True)
def _on_linux(monkeypatch):
    monkeypatch.setattr(module, "host_platform", lambda: LINUX)


@pytest.mark.parametrize("path", sorted(MANIFESTS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_worked_example_loads_and_says_who_it_is_for(path):
    manifest = load_manifest(path)
    assert manifest.pythons or manifest.builds
    first, _, third, *_ = path.read_text("utf-8").splitlines()
    assert first == "# yaml-language-server: $schema=manifest.schema.json"
    assert third.startswith("# For ")


def test_there_are_worked_examples():
    names = {path.stem for path in MANIFESTS.glob("*.yaml")}
    assert names >= {"quickstart", "quarterly", "windows-lab", "custom-builds", "everything-commented"}


def test_the_commented_example_shows_every_key_there_is():
    shown = yaml.safe_load((MANIFESTS / "everything-commented.yaml").read_text("utf-8"))
    assert list(shown) == list(SHAPE.keys)
    assert set(shown["sources"]) == {"index", "pythons"}
    wishes = [wish for wish in shown["pythons"] if isinstance(wish, dict)]
    assert set().union(*wishes) == {"request", "patches", "sha256"}
    assert set().union(*shown["builds"]) == {
        *("archive", "version", "platform", "sha256", "implementation", "variant", "path")
    }


def test_a_manifest_that_is_not_there_is_a_usage_fault_that_names_init(tmp_path):
    for path in (tmp_path / "none.yaml", MANIFESTS / "quickstart.yaml" / "x.yaml"):
        with pytest.raises(UsageFault) as caught:
            load_manifest(path)
        assert caught.value.message == f"{path}: no such file, expected a manifest"
        assert caught.value.hint == f"uv-bundler init {path} writes a starter"


def test_a_folder_is_no_manifest(tmp_path):
    with pytest.raises(UsageFault) as caught:
        load_manifest(tmp_path)
    assert caught.value.message == f"{tmp_path}: a folder, expected a manifest"


def test_a_manifest_that_may_not_be_read_is_a_fault_of_the_host(tmp_path):
    path = tmp_path / "lab.yaml"
    path.write_text(BASE)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root reads everything")
    with pytest.raises(HostFault) as caught:
        load_manifest(path)
    assert caught.value.message == f"{path}: cannot read the manifest: Permission denied"


def test_a_file_without_an_end_is_read_up_to_the_limit_only():
    endless = Path("/dev/zero")
    if not endless.exists():
        pytest.skip("no /dev/zero here")
    with pytest.raises(UsageFault, match=r"^/dev/zero: expected at most 262144 bytes, found more$"):
        load_manifest(endless)


def test_the_invalid_documents_of_the_yaml_test_suite_are_usage_faults():
    folder = SHARED / "vectors" / "yaml-errors"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    documents = sorted(folder.glob("*.yaml"))
    assert len(documents) > 90
    for document in documents:
        with pytest.raises(UsageFault, match=r"\.yaml:[0-9]+:[0-9]+: ") as caught:
            load_manifest(document)
        assert caught.value.hint


def test_naughty_strings_are_refused_or_kept_wherever_a_string_may_stand():
    file = SHARED / "vectors" / "blns.json"
    if not file.is_file():
        pytest.skip(f"no {file}")
    strings = json.loads(file.read_text("utf-8"))
    assert len(strings) > 400
    kept = 0
    for text in strings:
        for key in ("name", "release", "uv", "pythons", "platforms", "index", "path", "archive"):
            manifest = _manifest_or_none(_with(key, text))
            kept += manifest is not None
            assert manifest is None or key != "release" or manifest.release == text
    assert kept > 200  # most are good labels


@given(
    key=st.sampled_from(["name", "release", "uv", "pythons", "platforms", "index", "path"]), value=st.text()
)
def test_any_text_for_a_key_is_read_or_a_usage_fault(key, value):
    manifest = _manifest_or_none(_with(key, value))
    assert manifest is None or isinstance(manifest, module.Manifest)


def _with(key, text):
    document = {
        "version": 1,
        "name": "lab",
        "release": "1",
        "uv": "latest",
        "platforms": ["linux-x86_64-gnu"],
    }
    document["pythons"] = ["3.13"]
    inside = {
        "pythons": {"pythons": [text]},
        "platforms": {"platforms": ["linux-x86_64-gnu", text]},
        "index": {"sources": {"index": text}},
        "path": {"builds": [{"path": text}]},
        "archive": {"builds": [{"archive": text, "version": "3.13.5", "platform": "linux-x86_64-gnu"}]},
    }
    changed = {**document, **inside.get(key, {key: text})}
    return yaml.safe_dump(changed, default_style=None, allow_unicode=False, width=10**6, sort_keys=False)


def _manifest_or_none(text):
    try:
        return read(text)
    except BundlerError as fault:
        if not isinstance(fault, UsageFault) or not fault.hint:
            raise
        return None
