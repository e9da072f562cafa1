import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.core.digest import Digest, Digests, hash_file
from bundler.core.fault import Fault
from bundler.core.progress import Silent


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


def test_who_watches_is_told_of_every_byte_that_is_hashed(tmp_path):
    path, told, progress = tmp_path / "a", [], Silent()
    path.write_bytes(b"x" * 3_000_000)
    progress.advance = told.append
    assert hash_file(path, progress=progress) == hash_file(path)
    assert sum(told) == 3_000_000
    assert len(told) > 1


@given(st.lists(st.binary(max_size=3).map(Digest.of), max_size=5))
def test_digests_in_a_row_are_those_that_were_put_in(row):
    held = Digests(row)
    assert (len(held), list(held), held) == (len(row), row, tuple(row))
    assert held == Digests(row)
    assert hash(held) == hash(tuple(row))
    assert held[1:] == tuple(row[1:])
    assert held != Digests([*row, Digest.of(b"more")])
    with pytest.raises(IndexError):
        held[len(row)]
