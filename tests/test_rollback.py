import json
from dataclasses import replace

import pytest
from bundles import archive, make_bundle, small_content, tree, unpack_bytes

from bundler.core.progress import Silent
from bundler.errors import DamagedFault, PolicyFault, UsageFault
from bundler.offline.prefix import Prefix
from bundler.offline.rollback import roll_back
from bundler.offline.serials import read_marks, write_marks

FIRST = make_bundle(serial=1, archives=[archive(small_content(1))])
SECOND = make_bundle(serial=2, archives=[archive(small_content(2))])
THIRD = make_bundle(serial=3, archives=[archive(small_content(3))])


def back(prefix, to=None, reason=None):
    return roll_back(prefix, to=to, reason=reason, command="uv-bundler rollback", progress=Silent())


@pytest.fixture
def prefix(tmp_path):
    for data in (FIRST, SECOND, THIRD):
        unpack_bytes(data, tmp_path / "p")
    return tmp_path / "p"


def active(prefix):
    return (prefix / "current").readlink().name


def test_it_goes_to_the_generation_before(prefix):
    done = back(prefix)
    assert (done.before.number, done.now.number, active(prefix)) == (3, 2, "2")
    assert back(prefix).now.number == 1
    assert active(prefix) == "1"


def test_it_goes_to_the_one_that_is_named_forward_too(prefix):
    back(prefix, to=1)
    assert active(prefix) == "1"
    back(prefix, to=3)
    assert active(prefix) == "3"


def test_folders_that_only_look_like_numbers_are_no_generations(prefix):
    for name in ("9" * 25, "0", "004", "1_0", "\u0664", "\u00b2"):
        (prefix / "generations" / name).mkdir()
    back(prefix)
    assert active(prefix) == "2"
    assert unpack_bytes(THIRD, prefix)[0].number == 4
    with pytest.raises(UsageFault, match="generation 44 is not here, expected one of 3, 2, 1"):
        back(prefix, to=44)


def test_the_highest_serial_seen_stays(prefix):
    before = (prefix / "state" / "serials.json").read_bytes()
    back(prefix, to=1)
    assert (prefix / "state" / "serials.json").read_bytes() == before
    with pytest.raises(PolicyFault, match="serial is 2, expected at least 3, which this host has seen"):
        unpack_bytes(SECOND, prefix)


def test_the_newest_bundle_comes_back_after_a_rollback(prefix):
    back(prefix)
    generation, _ = unpack_bytes(THIRD, prefix)
    assert (generation.number, generation.serial, active(prefix)) == (4, 3, "4")


def test_what_a_stopped_unpack_left_is_cleaned_up_first(prefix):
    where = Prefix(prefix)
    write_marks(where, replace(read_marks(where), switching=3))  # as a run leaves it that was stopped there
    where.current.unlink()
    where.current.symlink_to("generations/2")
    assert back(prefix).now.number == 1
    assert sorted(one.name for one in where.generations.iterdir()) == ["1", "2"]


def test_nothing_is_removed(prefix):
    before = tree(prefix / "generations")
    back(prefix)
    assert tree(prefix / "generations") == before


@pytest.mark.parametrize(
    ("to", "message"),
    [
        (9, "generation 9 is not here, expected one of 2, 1; 3 is active"),
        (4, "generation 4 is not here, expected one of 2, 1; 3 is active"),
    ],
)
def test_a_generation_that_is_not_there(prefix, to, message):
    with pytest.raises(UsageFault, match=message):
        back(prefix, to=to)
    assert active(prefix) == "3"


def test_the_first_generation_has_none_before_it(tmp_path):
    unpack_bytes(FIRST, tmp_path / "p")
    with pytest.raises(
        UsageFault, match="generation 1 is active, expected an older one to go back to"
    ) as told:
        back(tmp_path / "p")
    assert told.value.hint.endswith('uv-bundler unpack BUNDLE --allow-downgrade --reason "TEXT"')


def test_a_newer_generation_is_named_too_and_leads_forward(prefix):
    assert back(prefix, to=1).now.number == 1
    with pytest.raises(UsageFault, match="generation 9 is not here, expected one of 3, 2; 1 is active"):
        back(prefix, to=9)
    assert back(prefix, to=3).now.number == 3


def test_where_nothing_was_unpacked_nothing_is_made(tmp_path):
    with pytest.raises(UsageFault, match="nothing is unpacked here"):
        back(tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_a_generation_whose_files_changed_is_not_activated(prefix):
    (held,) = (prefix / "generations" / "2").glob("mirror/*/*")
    held.write_bytes(held.read_bytes()[:-1] + b"!")
    with pytest.raises(DamagedFault, match="generation 2: .*sha256 is"):
        back(prefix)
    assert active(prefix) == "3"
    assert back(prefix, to=1).now.number == 1


def test_the_active_one_is_nothing_to_do(prefix):
    done = back(prefix, to=3)
    assert done.now == done.before


def test_it_is_in_the_log_with_its_reason(prefix):
    back(prefix, reason="uv breaks the farm")
    last = [json.loads(line) for line in (prefix / "state" / "log.jsonl").read_text().splitlines()][-1]
    assert (last["event"], last["outcome"], last["reason"]) == ("rollback", "done", "uv breaks the farm")
    assert (last["serial_before"], last["serial_after"]) == (3, 2)
    assert (last["generation_before"], last["generation_after"]) == (3, 2)
