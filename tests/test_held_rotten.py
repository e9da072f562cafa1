"""A base that rotted on the host is told, changes nothing, and has a way out."""

import random

import pytest
from bundles import tree, unpack_bytes
from heldbundles import FULL_HINT, NEW, OLD, WHEEL, archives, base, delta, full
from rebuilt import rot
from recompressed import sha

from bundler.errors import IncompleteFault


@pytest.fixture
def prefix(tmp_path):
    return tmp_path / "p"


@pytest.mark.parametrize("version", ["3.13.5", "3.12.1"])
def test_a_base_that_rotted_is_told_and_changes_nothing(prefix, version):
    """Of one the content is copied, the other one is linked: both are hashed before they count."""
    unpack_bytes(base(), prefix)
    file = next((prefix / "generations" / "1" / "mirror").rglob(f"*{version}*"))
    rot(file)
    before = tree(prefix)
    with pytest.raises(IncompleteFault) as caught:
        unpack_bytes(delta(), prefix)
    digest = sha(OLD if version == "3.13.5" else WHEEL)
    ends = {
        "3.13.5": f"is not what was unpacked any more, expected sha256 {digest} to build on",
        "3.12.1": f"is not what was unpacked any more, nor does the bundle bring it, expected sha256 {digest}",
    }
    assert str(caught.value) == f"{file.resolve()}: {ends[version]}"
    assert caught.value.hint == FULL_HINT
    assert tree(prefix) == before


@pytest.mark.parametrize("where", [0, 300, 600, 890])
def test_wherever_the_base_rotted_it_is_told(prefix, where):
    """In the header, the stream or the sums of a gzip file."""
    unpack_bytes(base(), prefix)
    file = next((prefix / "current" / "mirror").rglob("*3.13.5*"))
    content = bytearray(file.read_bytes())
    content[where * len(content) // 900] ^= 1 << random.Random(where).randrange(8)
    file.write_bytes(content)
    with pytest.raises(IncompleteFault, match="is not what was unpacked any more, expected sha256"):
        unpack_bytes(delta(), prefix)


def test_after_a_rotted_base_a_full_bundle_helps(prefix):
    unpack_bytes(base(), prefix)
    rot(next((prefix / "current" / "mirror").rglob("*3.13.5*")))
    with pytest.raises(IncompleteFault):
        unpack_bytes(delta(), prefix)
    unpack_bytes(full(9), prefix)
    assert archives(prefix) == {NEW, WHEEL}


def test_the_way_out_of_a_base_that_rotted_is_the_one_that_is_told(prefix):
    unpack_bytes(base(), prefix)
    rot(next((prefix / "generations" / "1" / "mirror").rglob("*3.13.5*")))
    assert unpack_bytes(base(), prefix)[0].number == 1  # it is active, and no digest of it is looked at
    (prefix / "current").unlink()
    unpack_bytes(base(), prefix)
    unpack_bytes(delta(), prefix)
    assert archives(prefix) == {NEW, WHEEL}


def test_what_a_delta_brought_and_rotted_is_rebuilt_from_the_base(prefix):
    unpack_bytes(base(), prefix)
    unpack_bytes(delta(), prefix)
    next((prefix / "current" / "mirror").rglob("*3.13.6*")).unlink()
    generation, _ = unpack_bytes(delta(), prefix)
    assert generation.number == 3
    assert archives(prefix) == {NEW, WHEEL}
    rot(next((prefix / "current" / "mirror").rglob("*3.13.6*")))
    unpack_bytes(delta(9), prefix)
    assert archives(prefix) == {NEW, WHEEL}


def test_what_a_delta_brought_and_rotted_needs_a_full_bundle_where_the_base_is_gone(prefix):
    unpack_bytes(base(), prefix)
    unpack_bytes(delta(), prefix)
    next((prefix / "generations" / "1" / "mirror").rglob("*3.13.5*")).unlink()
    rot(next((prefix / "current" / "mirror").rglob("*3.13.6*")))
    before = tree(prefix)
    with pytest.raises(IncompleteFault) as caught:
        unpack_bytes(delta(9), prefix)
    assert str(caught.value) == (
        f"{sha(OLD)}: is not on this host, expected it to rebuild a file that is not what was unpacked"
    )
    assert caught.value.hint == FULL_HINT
    assert tree(prefix) == before
