"""`receive`: a file is taken once it rests, and moved or copied so that nothing of it is lost."""

import os
import shutil

import pytest
from bundles import tree
from receivers import DAY, Far, cut_off, make_sets, states

from bundler.arriving import taking
from bundler.errors import HostFault

pytest.importorskip("resource", reason="needs POSIX: limits, pipes and links")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_sets(tmp_path_factory.mktemp("made"))


@pytest.fixture
def far(tmp_path):
    far = Far(tmp_path)
    yield far
    far.stop()


def test_a_file_that_still_grows_is_left_until_it_rests(far, made):
    path, target = made["one"][0], made["one"][0].name
    data = path.read_bytes()
    for part in range(1, 6):
        (far.watch / target).write_bytes(data[: len(data) * part // 6])
        report = far.poll()
        assert (report.bundles, [one.name for one in report.growing]) == ((), [target])
        assert report.exit_code == 4
    (far.watch / target).write_bytes(data)
    assert far.poll().exit_code == 4
    assert far._receiver.moving
    assert far.poll().exit_code == 0
    assert far.announced
    (far.watch / "junk.uvb").write_bytes(b"junk")
    far.settle()
    assert far.waiting == ["junk.uvb"]
    assert not far._receiver.moving  # what rests is not waited for, also where it stays


def test_a_short_file_is_kept_for_what_is_right_in_it_once_nothing_more_comes(far, made):
    short = cut_off(made["parity"][1], far.watch / "some.uvb", 0.6)
    others = [made["parity"][0], *made["parity"][2:]]
    far.bring(*others[:3])
    assert short.exists()
    assert far.report.growing == (short,)
    far.wall += 900  # the clock of the file system stands still, that of the machine went on
    report = far.poll()
    assert not short.exists()
    assert "0002-of-0004.damaged-1.uvb" in far.here()
    assert [report.bundles[0].data.damaged, report.bundles[0].parity.missing] == [(2,), (1,)]
    report = far.bring(made["parity"][4])
    assert states(report) == [("plant-7", 7, "recoverable")]
    assert far.verify()
    report = far.bring(made["parity"][1])  # the same volume whole, in a later round
    assert "0002-of-0004.damaged-1.uvb" not in far.here()
    assert states(report) == [("plant-7", 7, "complete")]
    assert far.announced == ["unpack plant-7-7"]


def test_where_the_wall_clock_was_set_back_a_short_file_is_taken_by_what_was_seen(far, made):
    cut_off(made["plain"][1], far.watch / "some.uvb", 0.6)
    far.wall -= 400 * DAY
    for _ in range(89):
        far.poll()
    assert far.waiting == ["some.uvb"]
    far.settle()
    far.poll()
    assert far.waiting == []


def test_a_file_whose_time_was_carried_over_from_the_sender_is_no_older_for_that(far, made):
    short = cut_off(made["plain"][1], far.watch / "some.uvb", 0.6)
    os.utime(short, (1e9, 1e9))
    far.settle()
    far.poll()
    assert far.report.growing == (short,)
    assert far.waiting == ["some.uvb"]


@pytest.mark.parametrize("moved", [True, False])
def test_a_file_that_grows_again_while_it_is_taken_is_left_to_grow(far, made, monkeypatch, moved):
    path, real = far.watch / "a.uvb", taking.take

    def slow(arrival, target, *, keep):
        with path.open("ab") as out:
            out.write(b"more")
        return real(arrival, target, keep=keep)

    if not moved:
        monkeypatch.setattr(taking, "_move", lambda *_: None)
    monkeypatch.setattr("bundler.arriving.intake.take", slow)
    far.put(made["plain"][0], name="a.uvb")
    far.settle()
    assert far.waiting == ["a.uvb"]
    assert path.read_bytes() == made["plain"][0].read_bytes() + b"more"
    assert not far.folder().exists()
    assert list((far.root / ".arriving").iterdir()) == []


@pytest.mark.parametrize("change", [b"", b"more"])
def test_a_file_that_changes_while_it_is_copied_is_copied_anew_later(far, made, monkeypatch, change):
    path, real = far.watch / "a.uvb", taking.whole_file
    data = made["plain"][0].read_bytes()

    def slow(target, *, mode):
        path.write_bytes(data + change if change else data[:-2000])
        return real(target, mode=mode)

    monkeypatch.setattr(taking, "_move", lambda *_: None)
    far.put(made["plain"][0], name="a.uvb")
    with monkeypatch.context() as patch:
        patch.setattr(taking, "whole_file", slow)
        far.settle()
    assert far.waiting == ["a.uvb"]
    assert not far.folder().exists()
    assert list((far.root / ".arriving").iterdir()) == []
    path.write_bytes(data)
    far.settle()
    assert far.here() == ["0001-of-0003.uvb"]


def test_on_another_file_system_files_are_copied_and_then_removed(far, made, monkeypatch):
    monkeypatch.setattr(taking, "_move", lambda *_: None)
    report = far.bring(*made["parity"])
    assert states(report) == [("plant-7", 7, "complete")]
    assert far.waiting == []
    assert list((far.root / ".arriving").iterdir()) == []


def test_what_came_in_the_place_of_a_file_that_was_copied_stays(far, made, monkeypatch):
    path, copy = far.watch / "a.uvb", taking._copy

    def slow(arrival, target):
        done = copy(arrival, target)
        path.unlink()
        shutil.copyfile(made["plain"][1], path)
        return done

    monkeypatch.setattr(taking, "_move", lambda *_: None)
    far.put(made["plain"][0], name="a.uvb")
    with monkeypatch.context() as patch:
        patch.setattr(taking, "_copy", slow)
        far.settle()
    assert path.read_bytes() == made["plain"][1].read_bytes()
    far.settle()
    assert far.here() == ["0001-of-0003.uvb", "0002-of-0003.uvb"]


def test_a_file_that_goes_away_just_before_it_is_copied_is_passed_over(far, made, monkeypatch):
    """Its sender took it back, or another name was given to it."""

    def gone(arrival, _):
        arrival.path.unlink()

    monkeypatch.setattr(taking, "_move", gone)
    report = far.bring(*made["plain"][:2])
    assert (states(report), report.unreadable, far.waiting) == ([], (), [])


def test_with_keep_files_stay_and_are_not_copied_again(made, tmp_path):
    keeping = Far(tmp_path, keep=True)
    keeping.bring(*made["plain"])
    assert keeping.waiting == [one.name for one in made["plain"]]
    notes = len(keeping.notes)
    keeping.settle()
    keeping.start()
    keeping.settle()
    assert keeping.announced == ["unpack plant-7-7"]
    assert len(keeping.notes) <= notes + 1  # complete is said by each run
    keeping.stop()


def test_a_full_disk_is_told_and_what_was_there_stays(far, made, monkeypatch):
    far.bring(made["plain"][0])
    before = tree(far.root)

    def full(*_args, **_options):
        raise HostFault("spool: No space left on device")

    monkeypatch.setattr(taking, "_move", lambda *_: None)
    with monkeypatch.context() as patch:
        patch.setattr(taking, "whole_file", full)
        far.put(made["plain"][1])
        far.poll()
        with pytest.raises(HostFault, match="No space left"):
            far.poll()
        assert tree(far.root) == before
        assert far.waiting == [made["plain"][1].name]
    far.poll()
    assert far.waiting == []
