"""Power cuts at every moment of an unpack, on real file systems; and that the judge of them sees mistakes.

A process that is killed (`test_hosts.py`) leaves all that it wrote; a power cut leaves what was synced.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli import environment
from powercut import FILE_SYSTEMS, MUTANT, Disk, missing, own_mounts
from powercut_mutant import MISTAKES, NO_EFFECT
from powercut_site import NOT_SWITCHED, Site

LINKS = pytest.mark.skipif(os.name == "nt", reason="current is no symbolic link on Windows")
EVERY = pytest.mark.parametrize("kind", FILE_SYSTEMS, ids=lambda one: one.name)


@pytest.fixture
def make_disk(tmp_path):
    """Make a file system whose prefix has an old generation, or none; skip the test where that cannot be."""
    with contextlib.ExitStack() as stack:

        def make(kind, *programs, used=True):
            if why := missing(kind, *programs):
                pytest.skip(why)
            try:
                stack.enter_context(own_mounts())
            except OSError as error:
                pytest.skip(f"needs a mount namespace: {error}")
            try:
                return Disk(tmp_path, kind, used=used)
            except subprocess.CalledProcessError as error:
                pytest.skip(f"needs to make and mount a {kind.name}: {error.stderr.strip()}")

        yield make
    for image in tmp_path.glob("*.img"):  # hundreds of them would stay
        image.unlink()


def judged(disk, cuts):
    """Return what was wrong at which call, after telling how much was looked at."""
    bad, different = disk.judge(cuts), len({one.disk for one in cuts})
    print(f"{disk.kind.name}: {len(cuts)} moments, {different} different disks, {len(bad)} bad")  # noqa: T201  # for -rP
    return [(cut.call, why) for cut, why in bad]


@pytest.mark.slow
@EVERY
@pytest.mark.parametrize("used", [True, False], ids=["over another one", "the first one"])
def test_a_power_cut_anywhere_leaves_the_old_state_or_the_new_one(make_disk, kind, used):
    disk = make_disk(kind, used=used)
    cuts = disk.cuts(disk.start)
    assert judged(disk, cuts) == []
    assert len(cuts) > 40  # of a run that syncs two dozen files and folders
    assert len({one.disk for one in cuts}) > 5


@pytest.mark.slow
@EVERY
def test_a_power_cut_while_the_next_run_mends_what_the_first_one_left_is_no_worse(make_disk, kind):
    disk = make_disk(kind)
    (before_switch,) = [one for one in disk.cuts(disk.start) if one.call.startswith("symlink(")]
    with disk.mounted(before_switch.disk):
        assert str((disk.site.prefix / "current").readlink()) == "generations/1"
        assert (disk.site.prefix / "generations" / "2").is_dir()
    assert judged(disk, disk.cuts(before_switch.disk)) == []


SEEN_BY = {
    "no_sync": (NOT_SWITCHED,),
    # which of the files are empty then is a matter of when the system wrote them by itself
    "no_file_sync": ("the files of generations/2 are not those of its bundle", "the mark is 0 a"),
    "no_folder_sync": (NOT_SWITCHED,),
    "no_later_sync": ("the log does not tell of the end",),
    "switch_first": ("the mark is 1 and generations/2 is active",),
}


@pytest.mark.slow
@EVERY
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_seen(make_disk, kind, mistake):
    disk = make_disk(kind)
    bad = judged(disk, disk.cuts(disk.start, mistake=mistake))
    assert any(seen in why for _, why in bad for seen in SEEN_BY[mistake]), bad
    if mistake == "no_later_sync":  # the sync of the folder is what keeps the switch
        assert not any(NOT_SWITCHED in why for _, why in bad)


@pytest.mark.slow
@EVERY
def test_syncs_that_a_library_swallows_are_seen(make_disk, kind):
    disk = make_disk(kind, "eatmydata")
    bad = judged(disk, disk.cuts(disk.start, before=("eatmydata",)))
    assert any(NOT_SWITCHED in why for _, why in bad)


# --- the judge and the mistakes themselves, everywhere ----------------------------------------------------------


@pytest.fixture
def site(tmp_path):
    """A prefix where the new bundle was unpacked over the old one."""
    done = Site(tmp_path, tmp_path / "p", used=True)
    assert done.unpack(done.bundle).code == 0
    done.take_as_done()
    return done


def cut_file(prefix):
    next((prefix / "current").glob("mirror/*/*")).write_bytes(b"")


def old_mark(prefix):
    (prefix / "state" / "serials.json").unlink()


def old_generation(prefix):
    (prefix / "generations" / "1" / "uv.toml").unlink()


def no_current(prefix):
    (prefix / "current").unlink()


def wrong_current(prefix):
    (prefix / "current").unlink()
    (prefix / "current").symlink_to("generations/9")


def no_log(prefix):
    (prefix / "state" / "log.jsonl").unlink()


def short_log(prefix):
    log = prefix / "state" / "log.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:2]))


def other_log(prefix):
    log = prefix / "state" / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"unpack"', b'"UNPACK"', 1))


def not_switched(prefix):
    (prefix / "current").unlink()
    (prefix / "current").symlink_to("generations/1")


@LINKS
@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (cut_file, "the files of generations/2 are not those of its bundle"),
        (old_mark, "the mark is 0 and generations/2 is active"),
        (old_generation, "the old generation has changed"),
        (no_current, "there is no current"),
        (wrong_current, "current leads to generations/9"),
        (no_log, "there is no log"),
        (short_log, "the log does not tell of the active bundle"),
        (other_log, "log: "),
    ],
)
def test_the_judge_names_what_a_host_cannot_live_with(site, damage, found):
    assert site.faults(done=True) == []
    damage(site.prefix)
    (fault,) = site.faults()
    assert fault.startswith(found)


@LINKS
def test_the_old_state_is_good_until_the_command_has_ended_well(site):
    not_switched(site.prefix)
    assert site.faults() == []
    assert site.faults(done=True) == [NOT_SWITCHED]


@LINKS
def test_the_judge_sees_what_a_rerun_leaves_lying_about(site):
    assert site.faults_after_rerun() == []
    (site.prefix / "state" / "left").touch()
    assert site.faults_after_rerun() == ["again: stray ['state/left'], lost []"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no sync of a folder")
def test_each_rename_is_followed_by_the_sync_of_its_folder(tmp_path, monkeypatch):
    # ext4, xfs and btrfs keep some names without it, so no power cut on them shows that one is left out.
    site, calls = Site(tmp_path, tmp_path / "p", used=True), []

    def watch(owner, name, note):
        real = getattr(owner, name)

        def watched(*words):
            done = real(*words)
            calls.append(note(*words))
            return done

        monkeypatch.setattr(owner, name, watched)

    watch(os, "fsync", lambda handle: ("sync", os.fstat(handle).st_ino))
    for name in ("rename", "replace"):
        watch(Path, name, lambda _, target: ("rename", target.parent.stat().st_ino))
    assert site.unpack(site.bundle).code == 0
    renames = [number for number, (call, _) in enumerate(calls) if call == "rename"]
    assert len(renames) == 4  # the marks, the generation, current, the marks again
    for number in renames:
        assert calls[number + 1] == ("sync", calls[number][1])


@pytest.mark.skipif(sys.platform != "linux", reason="the mistakes are made for Linux")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_takes_effect_and_says_so_where_it_does_not(tmp_path, mistake):
    site = Site(tmp_path, tmp_path / "p", used=True)

    def run(*more):
        words = [sys.executable, MUTANT, mistake, *map(str, site.words(site.bundle)), *more]
        return subprocess.run(words, env=environment(), capture_output=True, check=False)

    assert run("--dry-run").returncode == NO_EFFECT  # nothing is written, so nothing is done wrong
    done = run()
    assert done.returncode == 0, done.stderr.decode()
    assert (site.prefix / "current").readlink().name == "2"
