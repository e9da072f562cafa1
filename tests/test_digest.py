import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.core.digest import Digest, hash_file
from bundler.core.fault import Fault


@given(st.binary())
def test_a_digest_reads_back_as_it_is_written(data):
    assert Digest.parse(str(Digest.of(data))) == Digest.of(data)


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 64 + "\n"])
def test_anything_but_64_lowercase_digits_is_refused(text):
    with pytest.raises(Fault, match="expected 64 lowercase hexadecimal digits"):
        Digest.parse(text)


def test_sha256sum_agrees(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 3_000_000)
    printed = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout
    assert hash_file(path) == (Digest(printed.split()[0]), 3_000_000)
