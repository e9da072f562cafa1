import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.core.fault import Fault
from bundler.core.names import check_distinct, portable_path


@pytest.mark.parametrize(
    "name",
    [
        "bundle.json",
        "mirror/20251010/cpython-3.13.9+20251010-x86_64-unknown-linux-gnu-freethreaded+pgo+lto-full.tar.zst",
        "uv/0.13.8/windows-x86_64-none/uv.exe",
        "console.txt",
        "_a/b-c",
    ],
)
def test_names_of_real_artifacts_pass(name):
    assert portable_path(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "/", "/etc/passwd", "a/../b", "a//b", "a/", "./a", "~root", "-rf", ".hidden", "a.", "a/b.",
        "a b", "a\\b", "a:b", "c:/x", "a\nb", "a\x1b[0m", "a\0", "ä", "a\u202eb", "con", "CON.txt", "a/nul", "lpt1",
        "com9.tar.gz", "x" * 101, "a/" * 130 + "a", "a*", "a?", "a|b", "a<b", "a%2Bb", "a;b", "$(a)", "`a`",
    ],
)  # fmt: skip
def test_hostile_names_are_refused(name):
    with pytest.raises(Fault):
        portable_path(name)


def test_naughty_strings_pass_only_as_plain_ascii(shared_vectors):
    naughty = json.loads((shared_vectors / "blns.json").read_text())
    assert len(naughty) > 400
    passed = []
    for text in naughty:
        try:
            passed.append(portable_path(text))
        except Fault:
            continue
    assert all(text.isascii() and text.isprintable() and " " not in text for text in passed)


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["a/B", "a/b"], "'a/b' and 'a/B' are one name on some file systems"),
        (["a", "a/b"], "'a/b' lies below 'a', which is a file"),
        (["A/b/c", "a/B"], "'A/b/c' lies below 'a/B', which is a file"),
        (["a", "a"], "'a' and 'a' are one name on some file systems"),
    ],
)
def test_paths_that_clash_are_refused(paths, message):
    with pytest.raises(Fault) as caught:
        check_distinct(paths)
    assert str(caught.value) == message


@given(st.text())
def test_whatever_passes_has_no_dots_alone_no_root_and_no_blank(text):
    try:
        portable_path(text)
    except Fault:
        return
    assert not text.startswith("/")
    assert not {"", ".", ".."} & set(text.split("/"))
