import json
from dataclasses import replace

import pytest
from bundles import archive, make_bundle, small_content, unpack_bytes

from bundler.errors import DamagedFault
from bundler.offline.prefix import Prefix
from bundler.offline.recover import recover
from bundler.offline.serials import read_marks, write_marks

FIRST = make_bundle(serial=1, archives=[archive(small_content(1))])
SECOND = make_bundle(serial=2, archives=[archive(small_content(2))])


@pytest.fixture
def prefix(tmp_path):
    unpack_bytes(FIRST, tmp_path / "p")
    unpack_bytes(SECOND, tmp_path / "p")
    return Prefix(tmp_path / "p")


def stopped_before_the_switch(prefix):
    """Leave what a run leaves that ends between publishing generation 2 and switching to it."""
    write_marks(prefix, replace(read_marks(prefix), switching=2))
    prefix.current.unlink()
    prefix.current.symlink_to("generations/1")


def test_a_host_on_which_nothing_happened_is_left_alone(prefix):
    before = (prefix.state / "serials.json").read_bytes()
    assert recover(prefix)[1] == ()
    assert (prefix.state / "serials.json").read_bytes() == before


def test_a_generation_that_was_never_switched_to_is_removed(prefix):
    stopped_before_the_switch(prefix)
    marks, said = recover(prefix)
    assert said == (
        f"{prefix.generations / '2'}: removed, an earlier run was stopped before the switch to it",
    )
    assert sorted(one.name for one in prefix.generations.iterdir()) == ["1"]
    assert marks == read_marks(prefix)
    assert (marks.switching, marks.names["plant-7"].serial) == (None, 2)
    assert not prefix.staging.exists()


def test_a_switch_that_was_done_is_kept(prefix):
    write_marks(prefix, replace(read_marks(prefix), switching=2))
    recover(prefix)
    assert prefix.current.readlink().name == "2"
    assert (prefix.generations / "2").exists()
    assert read_marks(prefix).switching is None


def test_a_generation_that_somebody_went_back_from_is_kept(prefix):
    prefix.current.unlink()
    prefix.current.symlink_to("generations/1")
    assert recover(prefix)[1] == ()
    assert (prefix.generations / "2").exists()


def test_the_next_unpack_says_what_it_cleaned_up(prefix):
    stopped_before_the_switch(prefix)
    generation, _ = unpack_bytes(SECOND, prefix.root)
    assert generation.number == 2
    events = [json.loads(line) for line in prefix.log.read_text().splitlines()]
    assert [(one["event"], one["outcome"]) for one in events[-3:]] == [("recover", "done"), ("unpack", "begun"), ("unpack", "done")]  # fmt: skip


def test_other_files_in_the_state_are_left_alone(prefix):
    (prefix.state / "notes.tmp").write_bytes(b"mine")
    recover(prefix)
    assert (prefix.state / "notes.tmp").read_bytes() == b"mine"


def test_unreadable_marks_remove_nothing(prefix):
    stopped_before_the_switch(prefix)
    (prefix.staging / "7").mkdir(parents=True)
    (prefix.state / "serials.json").write_bytes(b"{}")
    with pytest.raises(DamagedFault, match="without it an older bundle|missing, but required"):
        recover(prefix)
    assert (prefix.generations / "2").exists()
    assert (prefix.staging / "7").exists()
