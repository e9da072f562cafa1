"""`receive`: what stays in the spool and for how long, also after the run was killed."""

import os
import shutil

import pytest
from receivers import DAY, Far, make_sets, states

from bundler.arriving.receivestatus import RECEIVING
from bundler.errors import LockedFault

pytest.importorskip("resource", reason="needs POSIX: limits, pipes and links")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_sets(tmp_path_factory.mktemp("made"))


@pytest.fixture
def far(tmp_path):
    far = Far(tmp_path)
    yield far
    far.stop()


def test_rounds_that_come_after_the_folder_was_unpacked_and_removed_do_not_fill_it_again(far, made):
    far.bring(*made["plain"])
    shutil.rmtree(far.folder())
    assert far.bring(*made["plain"]).bundles == ()
    far.start()
    assert far.bring(*made["plain"]).bundles == ()
    assert (far.waiting, far.folder().exists(), len(far.announced)) == ([], False, 1)
    assert (
        far.notes[-1] == "plant-7-7: was received before, and its folder was removed: late files are dropped"
    )
    for mark in (far.root / ".received").iterdir():
        mark.unlink()
    assert states(far.bring(*made["plain"])) == [("plant-7", 7, "complete")]


def test_an_incomplete_bundle_for_which_nothing_comes_is_removed_and_a_complete_one_is_not(far, made):
    far.bring(*made["plain"][:2], *made["other"])
    far.wall += 13 * DAY
    far.bring(made["plain"][0])  # a repeat: it is alive
    far.wall += 13 * DAY
    assert [one.state for one in far.poll().bundles] == ["complete", RECEIVING]
    far.wall += 2 * DAY
    far.poll()
    assert not far.folder().exists()
    assert far.folder("lab-7").exists()
    assert far.notes[-1] == "plant-7-7: removed: receiving, and nothing came for 14 days"
    assert [one.name for one in far.poll().bundles] == ["lab"]


@pytest.mark.parametrize("days", [1.1, 4000])
def test_a_clock_that_was_ahead_removes_nothing_later_and_keeps_nothing_for_ever(far, made, days):
    far.wall += days * DAY
    far.bring(made["plain"][0])
    far.wall -= days * DAY
    far.settle()
    far.wall += 10 * DAY
    far.settle()
    assert far.folder().exists()
    far.wall += 5 * DAY
    far.settle()
    assert not far.folder().exists()


def test_a_run_that_was_killed_is_taken_up_wherever_it_was(far, made, monkeypatch):
    class KilledError(BaseException):
        pass

    def killed(*_args, **_options):
        raise KilledError

    steps = (
        "bundler.arriving.receivedset.ReceivedSet.place",
        "bundler.arriving.receivedset._touch",
        "bundler.arriving.intake.take",
        "bundler.arriving.receivespool.Spool.mark",
    )
    for number, step in enumerate(steps):
        if number < 3:
            far.put(made["plain"][number])
            far.poll()
        else:
            (far.root / ".received").joinpath(os.listdir(far.root / ".received")[0]).unlink()
            far.start()
        with monkeypatch.context() as patch:
            patch.setattr(step, killed)
            with pytest.raises(KilledError):
                far.poll()
        far.start()
        far.settle()
    far.settle()
    assert states(far.report) == [("plant-7", 7, "complete")]
    assert (
        far.announced == ["unpack plant-7-7"] * 3
    )  # printed first and remembered then: rather twice than not
    assert far.waiting == []
    assert far.verify()


def test_what_an_ended_run_was_copying_is_gone_in_the_next(far):
    left = [far.root / folder / ".x.uvb.abcd1234.tmp" for folder in (".arriving", ".received")]
    for path in left:
        path.write_bytes(b"half")
    far.start()
    assert not any(path.exists() for path in left)


def test_two_receivers_do_not_share_a_spool(far):
    with pytest.raises(LockedFault, match="another uv-bundler receives into"):
        Far(far.root.parent)
