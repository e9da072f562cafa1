import os
import subprocess
from dataclasses import replace

import pytest
from bundles import archive, make_bundle, small_content, unpack_bytes

from bundler.core.progress import Silent
from bundler.offline.checkstate import check_state
from bundler.offline.generation import active_generation
from bundler.offline.prefix import Prefix
from bundler.offline.rollback import roll_back
from bundler.offline.serials import read_marks, write_marks


@pytest.fixture
def prefix(tmp_path):
    for serial in (1, 2):
        unpack_bytes(make_bundle(serial=serial, archives=[archive(small_content(serial))]), tmp_path / "p")
    return Prefix(tmp_path / "p")


def check(prefix):
    generation = active_generation(prefix)
    return check_state(generation, generation.index(), prefix=prefix)


def troubles(prefix):
    return [(one.level, one.what) for one in check(prefix) if one.level != "ok"]


def test_a_host_on_which_all_went_well(prefix):
    assert [(one.level, one.what) for one in check(prefix)] == [
        ("ok", f"{prefix.log}: 4 events, each fits what stands before it")
    ]


def test_a_run_that_was_stopped_before_the_switch_is_told_and_the_fix_mends_it(prefix):
    write_marks(prefix, replace(read_marks(prefix), switching=3))
    (prefix.generations / "3").mkdir()
    ((level, what),) = troubles(prefix)
    assert level == "warn"
    assert what.startswith(f"{prefix.generations / '3'}: an unpack was stopped before it became active")
    unpack_bytes(make_bundle(serial=2, archives=[archive(small_content(2))]), prefix.root)
    assert troubles(prefix) == []


def test_what_lies_in_staging_is_told(prefix):
    (prefix.staging / "3").mkdir(parents=True)
    assert troubles(prefix) == [("warn", f"{prefix.staging}: an unpack was stopped, or one is at work now")]


def test_an_older_generation_is_told(prefix):
    roll_back(prefix.root, to=1, reason=None, command="test", progress=Silent())
    assert troubles(prefix) == [("warn", "serial 1 is active, and this host has seen 2")]


def test_a_bundle_past_its_time_is_told(tmp_path):
    unpack_bytes(make_bundle(created="2020-01-01T00:00:00Z", expires="2020-02-01T00:00:00Z"), tmp_path / "p")
    ((level, what),) = troubles(Prefix(tmp_path / "p"))
    assert level == "warn"
    assert what.startswith("plant-7 2026Q4 (serial 7) expired 2020-02-01T00:00:00Z, and it is 20")


def test_interpreters_that_are_half_installed_are_told(prefix):
    (prefix.state / "installing").write_text("cpython-3.13.5-linux-x86_64-gnu\n")
    ((level, what),) = troubles(prefix)
    assert level == "problem"
    assert "cpython-3.13.5-linux-x86_64-gnu: being installed when a run was stopped" in what


def test_a_log_that_was_changed_is_told(prefix):
    lines = prefix.log.read_bytes().splitlines(keepends=True)
    prefix.log.write_bytes(b"".join(lines[1:]))
    ((level, what),) = troubles(prefix)
    assert level == "problem"
    assert "line 1: number is 2, expected 1" in what


def test_a_log_that_is_gone_is_told(prefix):
    prefix.log.unlink()
    assert troubles(prefix) == [("warn", f"{prefix.log}: missing, expected an audit log")]


def test_a_log_that_says_nothing_is_told(prefix):
    prefix.log.write_bytes(b"hello\n")
    ((level, what),) = troubles(prefix)
    assert (level, what) == (
        "problem", f"{prefix.log}: no event in it, expected at least that of the active generation",
    )  # fmt: skip


def test_marks_that_are_gone_are_told_and_the_fix_mends_it(prefix):
    (prefix.state / "serials.json").unlink()
    ((level, what),) = troubles(prefix)
    assert level == "warn"
    assert what.startswith(f"{prefix.state}/serials.json: missing, expected the highest serials seen here")
    unpack_bytes(make_bundle(serial=2, archives=[archive(small_content(2))]), prefix.root)
    assert troubles(prefix) == []


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
@pytest.mark.parametrize("name", ["serials.json", "log.jsonl", "."])
def test_state_that_others_can_write_is_told_and_the_fix_mends_it(prefix, name):
    path = prefix.state / name
    path.chmod(0o777 if name == "." else 0o664)
    ((level, what, fix),) = [(one.level, one.what, one.fix) for one in check(prefix) if one.level != "ok"]
    assert level == "problem"
    assert what.endswith("expected no write for group and others")
    subprocess.run(["sh", "-c", fix], check=True)
    assert troubles(prefix) == []


def test_marks_that_nobody_can_read_are_told_and_do_not_end_the_search(prefix):
    (prefix.state / "serials.json").write_bytes(b"{}")
    found = check(prefix)
    assert [one.level for one in found] == ["problem", "ok"]
    assert "serials.json: names: missing, but required" in found[0].what
