import json
import subprocess
import sys
from pathlib import Path

import pytest

from bundler.core.fault import Fault
from bundler.core.platforms import COMMON, Platform, host_platform


@pytest.mark.parametrize("name", [*COMMON, "linux-x86_64_v3-gnu", "linux-armv7-gnueabi"])
def test_uvs_names_read_back_as_they_are(name):
    assert str(Platform.parse(name)) == name


@pytest.mark.parametrize(
    ("foreign", "name"),
    [
        ("x86_64-unknown-linux-gnu", "linux-x86_64-gnu"),
        ("x86_64_v3-unknown-linux-musl", "linux-x86_64_v3-musl"),
        ("aarch64-apple-darwin", "macos-aarch64-none"),
        ("x86_64-pc-windows-msvc", "windows-x86_64-none"),
        ("i686-pc-windows-msvc", "windows-x86-none"),
        ("armv7-unknown-linux-gnueabihf", "linux-armv7-gnueabihf"),
        ("riscv64gc-unknown-linux-gnu", "linux-riscv64-gnu"),
        ("ppc64le-unknown-linux-gnu", "linux-powerpc64le-gnu"),
        ("darwin-arm64-none", "macos-aarch64-none"),
    ],
)
def test_triples_and_other_spellings_mean_uvs_names(foreign, name):
    assert str(Platform.parse(foreign)) == name


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("linux-x86_64", "did you mean 'linux-x86_64-gnu'?"),
        ("windows-x86_64-gnu", "did you mean 'windows-x86_64-none'?"),
        ("plan9", f"known: {', '.join(COMMON)}"),
    ],
)
def test_an_unknown_platform_names_the_nearest_known(text, hint):
    with pytest.raises(Fault) as caught:
        Platform.parse(text)
    assert caught.value.hint == hint


def test_a_host_takes_every_level_of_its_architecture_but_no_other_libc():
    host = Platform.parse("linux-x86_64-gnu")
    assert Platform.parse("linux-x86_64_v3-gnu").serves(host)
    assert not Platform.parse("linux-x86_64-musl").serves(host)
    assert not Platform.parse("linux-aarch64-gnu").serves(host)


@pytest.mark.uv
def test_the_host_is_what_uv_says_it_is(uv, tmp_path):
    done = subprocess.run(
        [uv, "python", "list", "--offline", "--only-installed", "--output-format", "json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"PATH": str(Path(sys.base_prefix) / "bin"), "HOME": str(tmp_path)},
    )
    keys = [one["key"] for one in json.loads(done.stdout) if one["implementation"] == "cpython"]
    assert keys
    assert all(key.endswith(f"-{host_platform()}") for key in keys)
