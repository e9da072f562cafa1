"""Deltas: unpacked where the bundle that they build on is, into the tree of a full one."""

import io
import stat

import pytest
from bundles import HOST, request, unpack_bytes
from deflatedparts import NEW_TAR, Taken, gzip_of, joined
from heldbundles import NEW, OLD, WHEEL, archives, base, delta, full, other
from oneway import OneWay
from rebuilt import files
from recompressed import Box, delta_box, full_box, index_of, sha

from bundler.core.index import parse_index
from bundler.core.progress import Silent
from bundler.offline.rollback import roll_back
from bundler.offline.unpack import unpack


@pytest.fixture
def prefix(tmp_path):
    return tmp_path / "p"


@pytest.mark.parametrize("how", ["recipe", "plain"])
@pytest.mark.parametrize("stream", [io.BytesIO, OneWay])
def test_a_delta_gives_the_same_tree_as_a_full_bundle(tmp_path, how, stream):
    unpack_bytes(base(how), tmp_path / "delta")
    data = delta_box(base(how)).seal()
    unpack(stream(data), request(tmp_path / "delta"), name="q4.uvb", progress=Silent())
    unpack_bytes(full(), tmp_path / "full")
    assert files(tmp_path / "delta") == files(tmp_path / "full")
    assert archives(tmp_path / "delta") == {NEW, WHEEL}
    assert not (tmp_path / "delta" / "staging").exists()


def test_a_delta_is_smaller_and_describes_everything():
    assert len(delta()) < len(full())
    paths = [[one.path for one in parse_index(index_of(data)).artifacts] for data in (delta(), full())]
    assert paths[0] == paths[1]


def test_what_is_held_is_linked(prefix):
    unpack_bytes(base(), prefix)
    before = next((prefix / "current" / "mirror").rglob("*3.12.1*")).stat().st_ino
    unpack_bytes(delta(), prefix)
    assert next((prefix / "current" / "mirror").rglob("*3.12.1*")).stat().st_ino == before


def test_what_is_held_is_linked_from_an_older_generation_too(prefix):
    unpack_bytes(base(), prefix)
    unpack_bytes(other(8), prefix)
    _, decision = unpack_bytes(delta(9), prefix)
    assert archives(prefix) == {NEW, WHEEL}
    assert {one.parts[-4] for one in decision.plan.held.values()} == {"1"}


def test_a_host_that_has_what_the_delta_makes_needs_no_base(prefix):
    unpack_bytes(full(7), prefix)
    unpack_bytes(delta(), prefix)
    assert archives(prefix) == {NEW, WHEEL}


def test_the_same_content_from_another_bundle_will_do(prefix):
    """What counts is content, not where it came from."""
    box = full_box(serial=3)
    unpack_bytes(box.seal(), prefix)
    unpack_bytes(delta(), prefix)
    assert archives(prefix) == {NEW, WHEEL}


def test_the_base_may_go_once_a_delta_is_unpacked(prefix):
    import shutil

    unpack_bytes(base(), prefix)
    unpack_bytes(delta(), prefix)
    shutil.rmtree(prefix / "generations" / "1")
    _, decision = unpack_bytes(delta(), prefix)
    assert decision.already_active
    unpack_bytes(delta(9), prefix)
    assert archives(prefix) == {NEW, WHEEL}


def test_a_full_bundle_is_taken_after_a_delta_and_a_delta_after_that(prefix):
    unpack_bytes(base(), prefix)
    unpack_bytes(delta(8), prefix)
    unpack_bytes(full(9), prefix)
    unpack_bytes(delta(10), prefix)  # the base is in the oldest generation
    assert archives(prefix) == {NEW, WHEEL}


def test_deltas_build_on_deltas(prefix):
    box = Box(serial=9)
    box.builds_on(delta(), NEW, inflate=True)
    box.archive(gzip_of(Taken(sha(NEW), 0, NEW_TAR), b"newer"), version=(3, 13, 7))
    following = box.programs_of_uv().seal()
    for one in (base(), delta(), following):
        unpack_bytes(one, prefix)
    assert archives(prefix) == {joined(gzip_of(NEW_TAR, b"newer"))}


def test_after_a_rollback_the_base_is_active_again(prefix):
    unpack_bytes(base(), prefix)
    unpack_bytes(delta(), prefix)
    roll_back(prefix, to=None, reason=None, command="rollback", progress=Silent())
    assert archives(prefix) == {OLD, WHEEL}
    unpack_bytes(delta(9), prefix)
    assert archives(prefix) == {NEW, WHEEL}


def test_generations_that_cannot_be_read_are_passed_over(prefix):
    unpack_bytes(base(), prefix)
    unpack_bytes(full(8), prefix)
    broken = prefix / "generations" / "2"
    unpack_bytes(full(9), prefix)
    (broken / "bundle.json").write_bytes(b"{}")
    (prefix / "generations" / "17").mkdir()
    (prefix / "generations" / "note.txt").write_text("mine")
    unpack_bytes(delta(10), prefix)
    assert archives(prefix) == {NEW, WHEEL}


def test_a_held_file_is_never_given_another_mode(prefix):
    """A link has the mode of its file, and the file belongs to an older generation too."""
    unpack_bytes(base(), prefix)
    box = Box(serial=8)
    box.builds_on(base(), OLD, with_content=False)
    box.artifacts.append(
        {"path": f"uv/0.13.8/{HOST}/uv", "size": len(OLD), "sha256": sha(OLD), "role": "uv", "executable": True,
         "platform": str(HOST)}
    )  # fmt: skip
    unpack_bytes(box.seal(), prefix)
    given = prefix / "current" / "uv" / "0.13.8" / str(HOST) / "uv"
    kept = next((prefix / "generations" / "1" / "mirror").rglob("*3.13.5*"))
    assert given.read_bytes() == OLD
    assert [stat.S_IMODE(one.stat().st_mode) for one in (given, kept)] == [0o755, 0o644]
