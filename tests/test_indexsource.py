"""Which index is asked, and that its address shows no secret."""

import os

import pytest
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from bundler.connected.indexsource import find_index
from bundler.errors import UsageFault


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch, tmp_path):
    """Hide pip's settings of the person who runs the tests."""
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.chdir(tmp_path)


def pip_conf(monkeypatch, path, text):
    path.write_text(text)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(path))


def test_the_default_is_the_public_index():
    index = find_index()
    assert (index.url, index.place) == (PYPI_SIMPLE_ENDPOINT, "the default")


def test_each_place_wins_over_the_ones_after_it(monkeypatch, tmp_path):
    pip_conf(monkeypatch, tmp_path / "pip.conf", "[global]\nindex-url = https://file.example/simple\n")
    assert find_index().url == "https://file.example/simple"
    assert find_index().place == str(tmp_path / "pip.conf")
    for variable in ("PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.setenv(variable, f"https://{variable.lower().replace('_', '-')}.example/simple")
        assert find_index().place == variable
        assert find_index().url == f"https://{variable.lower().replace('_', '-')}.example/simple"
    assert find_index(manifest="https://m.example/simple").place == "sources.index in the manifest"
    assert (
        find_index(manifest="https://m.example/simple", option="https://o.example/simple").place == "--index"
    )


def test_empty_variables_say_nothing(monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", " ")
    monkeypatch.setenv("PIP_INDEX_URL", "")
    assert find_index().place == "the default"


def test_uvs_named_form_is_understood(monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "plant=https://h.example/simple?a=b")
    assert find_index().url == "https://h.example/simple?a=b"


def test_credentials_are_used_but_not_shown():
    index = find_index(option="https://ann:secret@h.example/simple?token=x")
    assert "ann:secret" in index.url
    assert str(index) == "https://h.example/simple (from --index)"


def test_a_path_becomes_a_file_url(tmp_path):
    assert find_index(option="some dir/simple").url == (tmp_path / "some dir/simple").as_uri()
    assert find_index(option=str(tmp_path)).url == tmp_path.as_uri()


@pytest.mark.parametrize("address", ["ftp://h.example/simple", "https:///simple", "pypi:simple"])
def test_other_addresses_are_refused(address):
    with pytest.raises(UsageFault, match="--index: expected the http://, https:// or file:// address"):
        find_index(option=address)
