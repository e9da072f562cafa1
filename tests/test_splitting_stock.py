"""Volumes checked and put together by stock tools: FORMAT.md's recipe, as it stands there."""

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from volumes import BLOCK, make_set, small_blocks, source_of

import bundler
from bundler.offline.reader import BundleReader

RECIPE = """
for volume in ../set/*-of-*.uvb; do tar -xf "$volume"; done
sha256sum blocks/* | while read -r digest name; do grep -q "\\"$digest\\"" bundle.json || echo "bad: $name"; done
cat blocks/00000-* > SHA256SUMS
number=0
while read -r digest path; do
    number=$((number + 1))
    mkdir -p "$(dirname "$path")"
    cat $(printf 'blocks/%05d-*' $number) > "$path"
done < SHA256SUMS
sha256sum -c SHA256SUMS
"""


@pytest.fixture(scope="module")
def bundle():
    return small_blocks()


@pytest.fixture(scope="module")
def source(bundle):
    return source_of(bundle)


@pytest.mark.skipif(
    not all(map(shutil.which, ("sh", "tar", "sha256sum", "grep"))), reason="needs stock tools"
)
def test_stock_tools_check_a_set_and_make_the_payload_of_it(bundle, source, tmp_path):
    make_set(bundle, tmp_path / "set", volumes=5, parity=1)
    there = tmp_path / "there"
    there.mkdir()
    done = subprocess.run(["sh", "-eu", "-c", RECIPE], cwd=there, capture_output=True, text=True, check=True)
    paths = [member.path for member in source.index.members[1:]]
    assert done.stdout == "".join(f"{path}: OK\n" for path in paths)
    stream = io.BytesIO(bundle)
    assert (there / "bundle.json").read_bytes() == BundleReader(stream, name="x").read_signed_index().raw
    sums = subprocess.run(
        ["sha256sum", "-c", "q4.SHA256SUMS"], cwd=tmp_path / "set", capture_output=True, check=False
    )
    assert sums.returncode == 0


@pytest.mark.skipif(
    not all(map(shutil.which, ("sh", "tar", "sha256sum", "grep"))), reason="needs stock tools"
)
def test_stock_tools_name_a_block_that_is_bad(bundle, tmp_path):
    files = make_set(bundle, tmp_path / "set", volumes=5)
    data = bytearray(files[2].read_bytes())
    data[-2000 - BLOCK] ^= 1
    files[2].write_bytes(data)
    there = tmp_path / "there"
    there.mkdir()
    checked = "\n".join(RECIPE.splitlines()[:3])
    done = subprocess.run(["sh", "-eu", "-c", checked], cwd=there, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("bad: blocks/0000")
    assert done.stdout.count("\n") == 1


def test_the_recipe_is_that_of_the_format():
    text = (Path(bundler.__file__).parent / "FORMAT.md").read_text()
    for line in RECIPE.strip().splitlines():
        assert line.strip().replace("../set/", "/media/usb/") in text
