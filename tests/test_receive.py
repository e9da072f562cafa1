"""`receive`: bundles out of a folder where files come in any order, cut off, repeated, and from anybody."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from bundles import Packer, make_bundle, tree
from cli import Desk, bundler, check_refusal, command, environment, process
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from receivers import Far
from volumes import make_set, small_blocks

from bundler.arriving import taking
from bundler.arriving.receiverun import look_on, look_once
from bundler.arriving.receivestatus import RECEIVING, STALE, UNTRUSTED, only
from bundler.core import ustar
from bundler.core.cut import Cut
from bundler.core.ticket import Ticket
from bundler.errors import HostFault, LockedFault
from bundler.volumes.shelf import Shelf
from bundler.volumes.survey import front_of, look

resource = pytest.importorskip("resource", reason="needs POSIX: limits, pipes and links")

DAY = 86400


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Sets by what they are: 4 volumes with one of parity, 3 without, one file with its parity, and others."""
    folder = tmp_path_factory.mktemp("made")
    bundle = small_blocks(archives=2, blocks=4)
    sets = {
        "parity": make_set(bundle, folder / "parity", volumes=4, parity=1),
        "plain": make_set(bundle, folder / "plain", volumes=3),
        "halves": make_set(bundle, folder / "halves", volumes=2, parity=1),
        "whole": make_set(bundle, folder / "whole", volumes=5, parity=2, whole=True),
        "older": make_set(small_blocks(archives=1, serial=5), folder / "older", volumes=2),
        "newer": make_set(small_blocks(archives=1, serial=9), folder / "newer", volumes=2, stem="x"),
        "other": make_set(small_blocks(archives=1, name="lab"), folder / "other", volumes=2, stem="y"),
        "twin": make_set(small_blocks(archives=1), folder / "twin", volumes=2, stem="z"),
        "eve": make_set(make_bundle(packers=(Packer(5, "eve"),)), folder / "eve", volumes=2, stem="q4"),
    }
    one = folder / "one.uvb"
    one.write_bytes(make_bundle())
    return {**sets, "one": [one]}


@pytest.fixture
def far(tmp_path):
    far = Far(tmp_path)
    yield far
    far.stop()


def states(report):
    return [(one.name, one.serial, one.state) for one in report.bundles]


def rotten(path, target, *places):
    """Copy a file with these bytes of it flipped, counted from its end where they are negative."""
    data = bytearray(path.read_bytes())
    for place in places:
        data[place] ^= 0x40
    target.write_bytes(data)
    return target


def cut_off(path, target, keep):
    """Copy the beginning of a file."""
    data = path.read_bytes()
    target.write_bytes(data[: int(len(data) * keep)])
    return target


def test_volumes_in_any_order_make_a_bundle_that_is_announced_once(far, made):
    for path in reversed(made["plain"]):
        assert far.announced == []
        report = far.bring(path)
    assert states(report) == [("plant-7", 7, "complete")]
    assert report.exit_code == 0
    assert far.announced == ["unpack plant-7-7"]
    far.settle()
    far.start()
    assert far.settle().bundles == report.bundles
    assert far.announced == ["unpack plant-7-7"]
    assert far.waiting == []
    assert [one.read_bytes() for one in sorted(far.folder().iterdir())] == [
        one.read_bytes() for one in made["plain"]
    ]


def test_a_bundle_in_one_file_is_received(far, made):
    assert states(far.bring(*made["one"])) == [("plant-7", 7, "complete")]
    assert far.here() == ["uvb"]
    assert far.verify()


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
    assert far.poll().exit_code == 0
    assert far.announced


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


def test_a_file_whose_last_bytes_are_wrong_is_kept_as_damaged_and_gives_way_to_a_good_one(far, made):
    rotten(made["plain"][1], far.watch / "some.uvb", -1)
    report = far.settle()
    assert far.here() == ["0002-of-0003.damaged-1.uvb"]
    assert report.bundles[0].data.damaged == ()  # all of its blocks are right


def test_what_lacks_no_more_than_the_parity_is_recoverable_and_one_less_is_not(far, made):
    report = far.bring(*made["parity"][1:4])
    assert states(report) == [("plant-7", 7, RECEIVING)]
    assert report.exit_code == 4
    assert only(report.bundles[0].data, report.bundles[0].parity) == "1,p1"
    ticket = Ticket.parse(report.bundles[0].ticket)
    assert ticket.volumes == (range(1, 2),)
    assert ticket.cut == Cut(volumes=4, parity=1)
    report = far.bring(made["parity"][4])
    assert states(report) == [("plant-7", 7, "recoverable")]
    assert far.verify()


def lying_parity(path, target):
    """Copy a parity volume whose cells recover nonsense, and have the digests of it as they should."""
    data, at = path.read_bytes(), look(path).start
    made = [data[:at]]
    while data[at] != 0:
        name, count = ustar.parse_header(data[at : at + 512])
        cell = bytes(one ^ 1 for one in data[at + 512 : at + 512 + count])
        said = f"{name[:-64]}{hashlib.sha256(cell).hexdigest()}"
        made += [ustar.header(said, count), cell, ustar.padding(count)]
        at += ustar.stored_size(count)
    target.write_bytes(b"".join((*made, ustar.END)))


def test_counting_is_not_believed_where_the_parity_is_a_lie(far, made):
    far.bring(*made["parity"][1:4])
    lying_parity(made["parity"][4], far.watch / "p.uvb")
    report = far.settle()
    assert far.waiting == []
    assert states(report) == [("plant-7", 7, RECEIVING)]
    assert report.bundles[0].parity.present == 1
    assert report.bundles[0].reason.startswith("parity should be enough, and is not: ")
    assert far.announced == []
    assert states(far.bring(made["parity"][0])) == [("plant-7", 7, "complete")]


def test_a_rotten_parity_cell_is_no_parity_and_the_ticket_asks_for_its_row(far, made):
    far.bring(*made["parity"][1:4])
    rotten(made["parity"][4], far.watch / "p.uvb", -70_000)
    report = far.settle()
    assert states(report) == [("plant-7", 7, RECEIVING)]
    ticket = Ticket.parse(report.bundles[0].ticket)
    assert (ticket.volumes, sum(map(len, ticket.blocks))) == ((), 1)
    assert only(report.bundles[0].data, report.bundles[0].parity) == "1,p1"


def test_parity_of_another_cut_gives_what_its_own_rows_lack_and_no_more(far, made):
    """Its rows have two blocks, and these are both missing."""
    far.bring(*made["parity"][2:4])
    report = far.bring(made["halves"][2])
    assert states(report) == [("plant-7", 7, RECEIVING)]
    assert report.bundles[0].reason is None
    assert Ticket.parse(report.bundles[0].ticket).volumes == (range(1, 2),)
    assert states(far.bring(made["parity"][1])) == [("plant-7", 7, "recoverable")]
    assert far.verify()


def test_damage_all_over_one_file_is_mended_by_the_parity_beside_it(far, made):
    rotten(made["whole"][0], far.watch / "whatever.uvb", -70_000, -400_000)
    report = far.settle()
    assert states(report) == [("plant-7", 7, RECEIVING)]
    assert report.exit_code == 5
    report = far.bring(made["whole"][1])
    assert states(report) == [("plant-7", 7, "recoverable")]
    assert far.verify()


def test_two_damaged_copies_of_a_volume_are_both_kept_and_make_a_good_one(far, made):
    far.bring(*made["plain"][:2])
    rotten(made["plain"][2], far.watch / "a.uvb", -3000)
    report = far.settle()
    assert report.bundles[0].beyond
    assert report.exit_code == 5
    assert far.notes[-1].endswith("their damage is beyond the parity: needs --only 3")
    rotten(made["plain"][2], far.watch / "b.uvb", -150_000)
    report = far.settle()
    assert far.here()[2:] == ["0003-of-0003.damaged-1.uvb", "0003-of-0003.damaged-2.uvb"]
    assert states(report) == [("plant-7", 7, "complete")]
    assert far.verify()
    far.start()
    assert states(far.settle()) == [("plant-7", 7, "complete")]


def test_a_copy_that_has_less_is_dropped_one_that_has_more_replaces_it_and_there_are_never_many(far, made):
    volume = made["plain"][2]
    rotten(volume, far.watch / "a.uvb", -3000)
    far.settle()
    before = tree(far.folder())
    rotten(volume, far.watch / "b.uvb", -3000, -150_000)
    far.settle()
    assert far.waiting == []
    assert tree(far.folder()) == before
    far.root.joinpath("plant-7-7", "plant-7-7.0003-of-0003.damaged-1.uvb").unlink()
    rotten(volume, far.watch / "c.uvb", -3000, -150_000)
    far.settle()
    rotten(volume, far.watch / "d.uvb", -3000)
    far.settle()
    assert far.here() == ["0003-of-0003.damaged-1.uvb"]


def test_of_many_damaged_copies_three_are_kept(far, made):
    bundle = made["whole"][0]
    far.bring(made["whole"][1])
    with closing(Shelf(far._receiver._sets.known[look(bundle).index].index, [look(bundle)])) as shelf:
        places = [spot.at for block in range(len(shelf.blocks)) for spot in shelf.spots(block)]
    for number in range(6):  # each has another block right, alone
        rotten(bundle, far.watch / "e.uvb", *(at for at in places if at != places[number]))
        far.settle()
    assert far.waiting == []
    assert far.here() == ["damaged-1.uvb", "damaged-2.uvb", "damaged-3.uvb", "parity.uvb"]
    known = far.report.bundles
    assert known[0].data.damaged == (1,)
    far.start()
    assert far.poll().bundles == known
    assert states(far.bring(bundle)) == [("plant-7", 7, "complete")]
    assert far.here() == ["parity.uvb", "uvb"]


def test_a_volume_with_a_damaged_front_is_recognised_by_what_it_holds(far, made):
    far.bring(made["plain"][0])
    rotten(made["plain"][1], far.watch / made["plain"][1].name, 700)
    assert far.settle().growing == ()
    assert "0002-of-0003.damaged-1.uvb" in far.here()
    far.bring(made["plain"][2])
    assert states(far.report) == [("plant-7", 7, "complete")]
    assert far.verify()
    far.start()
    assert states(far.settle()) == [("plant-7", 7, "complete")]


def test_repeats_of_what_is_there_are_removed_and_nothing_changes(far, made):
    far.bring(*made["parity"])
    before = tree(far.root)
    far.put(*made["parity"])
    far.put(made["parity"][0], name="again.uvb")
    rotten(made["parity"][0], far.watch / "worse.uvb", -3000)
    far.settle()
    assert (far.waiting, tree(far.root), far.announced) == ([], before, ["unpack plant-7-7"])


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


def test_several_bundles_at_once_have_a_folder_each(far, made):
    mixed = [*made["plain"], *made["other"], *made["newer"]]
    report = far.bring(*sorted(mixed, key=lambda one: one.name[::-1]))
    assert sorted(far.announced) == ["unpack lab-7", "unpack plant-7-9"]
    assert states(report) == [("lab", 7, "complete"), ("plant-7", 7, STALE), ("plant-7", 9, "complete")]
    assert report.exit_code == 0
    for name in ("lab-7", "plant-7-7", "plant-7-9"):
        assert far.verify(name)


def test_an_older_serial_than_one_received_is_stale_even_after_a_crash(far, made):
    far.bring(*made["newer"])
    far.start()
    report = far.bring(made["older"][0])
    assert states(report)[0] == ("plant-7", 5, STALE)
    assert report.exit_code == 0
    assert far.announced == ["unpack plant-7-9"]


def test_two_bundles_with_one_serial_lie_apart(far, made):
    far.bring(*made["plain"])
    report = far.bring(*made["twin"])
    assert [one.state for one in report.bundles] == ["complete"] * 2
    first, second = far.announced
    assert first == "unpack plant-7-7"
    assert second.startswith("unpack plant-7-7-")
    far.start()
    assert [one.state for one in far.settle().bundles] == ["complete"] * 2


def test_volumes_without_a_block_are_volumes(far, tmp_path):
    files = make_set(make_bundle(), tmp_path / "thin", volumes=9)
    report = far.bring(*files)
    assert states(report) == [("plant-7", 7, "complete")]
    assert (report.bundles[0].data.present, far.waiting) == (9, [])


def test_a_front_that_becomes_another_one_while_it_is_read_makes_no_bundle(far, made, monkeypatch):
    from bundler.arriving import receivedsets

    monkeypatch.setattr(receivedsets, "front_of", lambda *_, **__: front_of(made["other"][0]))
    report = far.bring(made["plain"][0])
    assert far.waiting == [made["plain"][0].name]
    assert report.bundles[0].reason.endswith("changed while it was read")


def test_the_same_bundle_cut_in_two_ways_is_one_bundle(far, made):
    report = far.bring(made["plain"][0], made["parity"][2], made["parity"][3])
    assert states(report) == [("plant-7", 7, RECEIVING)]
    report = far.bring(made["plain"][2], made["plain"][1])
    assert states(report) == [("plant-7", 7, "complete")]
    assert far.verify()


def test_what_nobody_trusted_has_signed_stays_where_it_is_and_is_named(far, made):
    before = [one.read_bytes() for one in made["eve"]]
    report = far.bring(*made["eve"])
    assert states(report) == [(None, None, UNTRUSTED)]
    assert report.exit_code == 3
    assert (report.bundles[0].files, report.bundles[0].size) == (2, sum(map(len, before)))
    assert [(far.watch / one.name).read_bytes() for one in made["eve"]] == before
    assert [one.name for one in far.root.iterdir() if one.name[0] != "."] == []
    assert len(far.notes) == 1
    judged = len(far.judged)
    far.settle()
    assert len(far.judged) == judged  # not again, while nothing changed
    far.trust = Packer(5, "eve").trust
    far.poll(after=60)
    assert far.announced == ["unpack plant-7-7"]


def test_a_trusted_bundle_beside_an_untrusted_one_counts(far, made):
    assert far.bring(*made["eve"], *made["other"]).exit_code == 3
    assert far.announced == ["unpack lab-7"]


def test_a_file_that_only_claims_to_be_of_a_known_bundle_gets_no_place(far, made):
    """Its front names another index than `VOLUME` does, and its cells are another bundle's."""
    far.bring(made["plain"][0])
    mine, eve = look(made["plain"][1]), look(made["eve"][1])
    claim = made["eve"][1].read_bytes()
    claim = claim.replace(eve.index.encode(), mine.index.encode())
    (far.watch / "claim.uvb").write_bytes(claim)
    before = tree(far.folder())
    far.settle()
    far.poll(after=2000)
    assert tree(far.folder()) == before


def test_unknown_files_links_folders_and_pipes_are_not_touched(far, made, tmp_path):
    (far.watch / "notes.txt").write_text("hello")
    (far.watch / "q4.SHA256SUMS").write_text("")
    (far.watch / "._plant.uvb").write_text("macOS")
    (far.watch / ".plant.uvb.part").write_bytes(made["one"][0].read_bytes())
    (far.watch / "plant.uvb.filepart").write_bytes(made["one"][0].read_bytes())
    (far.watch / "folder.uvb").mkdir()
    (far.watch / "link.uvb").symlink_to(made["one"][0])
    (far.watch / "hanging.uvb").symlink_to(tmp_path / "nothing")
    os.mkfifo(far.watch / "pipe.uvb")
    before = far.waiting
    report = far.settle()
    far.poll(after=5000)
    assert far.waiting == before
    assert (report.bundles, report.exit_code) == ((), 0)
    assert made["one"][0].exists()


def test_junk_that_is_called_like_a_bundle_is_named_once_it_rests(far):
    (far.watch / "junk.uvb").write_bytes(b"what")
    assert far.settle().exit_code == 4
    report = far.poll(after=900)
    assert report.exit_code == 5
    assert report.unreadable[0][1].startswith("ends at byte 4 within a member's header")
    far.poll()
    assert len(far.notes) == 1
    assert far.waiting == ["junk.uvb"]


def test_a_file_with_more_than_belongs_there_stays(far, made):
    (far.watch / "a.uvb").write_bytes(made["plain"][0].read_bytes() + b"more")
    report = far.settle()
    assert "bytes, expected" in report.unreadable[0][1]
    assert far.waiting == ["a.uvb"]


@pytest.mark.parametrize(
    "name", ["..uvb", "-rf.uvb", "a b\n.uvb", "plant-7-7.0009-of-0009.uvb", "é" * 60 + ".uvb", "$(x).UVB"]
)
def test_names_in_the_spool_come_from_the_index_and_not_from_what_arrived(far, made, name):
    far.put(made["plain"][0], name=name)
    far.settle()
    expected = [] if name.startswith(".") else ["0001-of-0003.uvb"]
    assert (far.here() if far.folder().exists() else []) == expected


def test_too_many_files_are_a_fault_that_may_pass(far, made, monkeypatch):
    monkeypatch.setattr("bundler.volumes.survey.MAX_FILES", 2)
    far.put(*made["plain"])
    with pytest.raises(HostFault, match="has more than 2 entries"):
        far.poll()


def test_a_link_in_the_spool_is_not_written_through(far, made, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    far.folder().symlink_to(outside)
    far.bring(*made["plain"])
    assert list(outside.iterdir()) == []
    assert far.announced[0].startswith("unpack plant-7-7-")


def test_a_file_that_became_a_link_before_it_was_taken_is_left(far, made, tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.write_bytes(made["plain"][0].read_bytes())
    real = taking.take

    def swapped(arrival, target, *, keep):
        arrival.path.unlink()
        arrival.path.symlink_to(secret)
        return real(arrival, target, keep=keep)

    monkeypatch.setattr("bundler.arriving.intake.take", swapped)
    far.bring(made["plain"][0])
    assert not far.folder().exists()
    assert list((far.root / ".arriving").iterdir()) == []
    assert secret.exists()


def test_a_file_that_is_swapped_within_the_rename_goes_back(far, made, monkeypatch):
    arrival = far.watch / "a.uvb"
    rename = type(arrival).rename

    def swapped(path, target):
        if path == arrival:
            path.unlink()
            path.symlink_to(made["plain"][1])
        return rename(path, target)

    far.put(made["plain"][0], name="a.uvb")
    monkeypatch.setattr(type(arrival), "rename", swapped)
    far.settle()
    monkeypatch.undo()
    assert arrival.is_symlink()
    assert not far.folder().exists()
    assert list((far.root / ".arriving").iterdir()) == []


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


def test_a_clock_that_was_years_ahead_removes_nothing_later_and_keeps_nothing_for_ever(far, made):
    far.wall += 4000 * DAY
    far.bring(made["plain"][0])
    far.wall -= 4000 * DAY
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


def test_a_supplement_completes_what_was_lost(far, made, tmp_path):
    from losing import supplement

    report = far.bring(*made["plain"][:2])
    path = supplement(
        tmp_path / "s.uvb", Ticket.parse(report.bundles[0].ticket), source=made["plain"][0].parent
    )
    report = far.bring(path)
    assert states(report) == [("plant-7", 7, "complete")]
    assert far.verify()
    before = tree(far.root)
    far.bring(path)
    assert (far.waiting, tree(far.root)) == ([], before)
    far.start()
    assert states(far.settle()) == [("plant-7", 7, "complete")]


def test_two_receivers_do_not_share_a_spool(far):
    with pytest.raises(LockedFault, match="another uv-bundler receives into"):
        Far(far.root.parent)


FATES = ("good", "cut off", "rotten")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["parity", "plain", "whole"]),
    lost=st.integers(0, 4),
    more=st.lists(st.tuples(st.integers(0, 4), st.sampled_from(FATES), st.integers(1, 70_000)), max_size=4),
    order=st.randoms(use_true_random=False),
)
def test_any_order_repetition_and_loss_within_parity_gives_the_same_bundle(  # noqa: PLR0917
    made, tmp_path_factory, kind, lost, more, order
):
    files = made[kind]
    lacks = files[lost] if kind == "parity" else None
    sent = [one for one in files if one != lacks]
    items = [(one, "good", 0) for one in sent] + [(sent[one % len(sent)], fate, at) for one, fate, at in more]
    order.shuffle(items)
    far = Far(tmp_path_factory.mktemp("far"), stalled=15)
    for number, (path, fate, at) in enumerate(items):
        target = far.watch / f"{number}.uvb"
        if fate == "good":
            shutil.copyfile(path, target)
        elif fate == "cut off":
            cut_off(path, target, 1 - at / 100_000)
        else:
            rotten(path, target, -at)
        if order.random() < 0.5:
            far.poll()
        if order.random() < 0.1:
            far.start()
    for _ in range(5):
        far.poll()
    assert far.announced == ["unpack plant-7-7"]
    data_lost = lacks is not None and lost < 4
    assert far.report.bundles[0].state == ("recoverable" if data_lost else "complete")
    assert far.verify().signed.digest == look(files[0]).index
    far.stop()


# The command.


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    (tmp_path / "in").mkdir()
    return desk


def receive(desk, *words, run=bundler):
    folder = desk.folder
    return run(
        "receive", "--watch", folder / "in", "--into", folder / "spool", "--trust", desk.trust, "--once",
        "--settle", "0", *words,
    )  # fmt: skip


def test_once_prints_the_command_that_unpacks_and_that_works(desk, made):
    for one in made["parity"][:4]:
        shutil.copy(one, desk.folder / "in")
    done = receive(desk)
    folder = desk.folder / "spool" / "plant-7-7"
    assert (done.code, done.stdout) == (0, f"uv-bundler unpack {folder} --trust {desk.trust}\n")
    again = receive(desk)
    assert (again.code, again.stdout) == (0, "")
    for mark in (desk.folder / "spool" / ".received").iterdir():
        mark.unlink()
    words = ("receive", "--watch", desk.folder / "in", "--into", desk.folder / "spool", "--once")
    said = bundler(*words, UV_BUNDLER_TRUST=str(desk.trust)).stdout
    assert said == f"uv-bundler unpack {folder}\n"  # a variable is there for the next command, too
    assert desk.unpack(bundle=folder).code == 0


def test_the_exit_code_tells_monitoring_what_is_the_matter(desk, made):
    inbox = desk.folder / "in"
    assert receive(desk).code == 0
    shutil.copy(made["eve"][0], inbox / "eve.uvb")
    done = receive(desk)
    assert (done.code, done.stdout) == (3, "")
    assert "1 file of a bundle that is not trusted, left alone: no signature that counts, " in done.stderr
    assert f"{inbox / 'eve.uvb'}: left alone: no signature that counts, " in done.stderr
    shutil.copy(made["plain"][0], inbox)
    done = receive(desk)
    assert (done.code, done.stdout) == (4, "")
    line = next(one for one in done.stderr.splitlines() if "incomplete" in one)
    assert "plant-7-7: incomplete: 1 of 3 volumes; read out to the sender: UVB1 " in line
    shutil.copy(made["plain"][1], inbox)
    rotten(made["plain"][2], inbox / "r.uvb", -3000)
    assert receive(desk).code == 5
    shutil.copy(made["plain"][2], inbox)
    (inbox / "eve.uvb").unlink()
    assert receive(desk).code == 0


def test_the_status_file_and_json_say_the_same(desk, made):
    shutil.copy(made["parity"][1], desk.folder / "in")
    status = desk.folder / "status.json"
    done = receive(desk, "--status", status, "--json")
    said = json.loads(done.stdout)
    written = json.loads(status.read_text())
    assert said == written | {"time": said["time"]}
    (one,) = said["bundles"]
    assert {key: one[key] for key in ("name", "serial", "state", "volumes", "parity", "send_only", "unpack")} == {
        "name": "plant-7", "serial": 7, "state": "receiving", "send_only": "1,3-4,p1", "unpack": None,
        "volumes": {"total": 4, "present": 1, "missing": [1, 3, 4], "damaged": []},
        "parity": {"total": 1, "present": 0, "missing": [1], "damaged": []},
    }  # fmt: skip
    assert one["index_sha256"] == look(made["parity"][0]).index
    assert one["ticket"].startswith(f"UVB1 {one['index_sha256'][:10].upper()} 4+1 V")
    assert said["exit_code"] == done.code == 4
    assert one["first_seen"] == one["last_arrival"]


def test_what_cannot_work_is_refused(desk, tmp_path):
    check_refusal(receive(desk, "--into", tmp_path / "in" / "spool"), 2, "expected two folders apart")
    check_refusal(
        receive(desk, "--watch", tmp_path / "no"), 6, "no such folder, expected the folder where files"
    )
    check_refusal(
        receive(desk, "--trust", tmp_path / "none"), 2, "none: no such file, expected an OpenSSH public key"
    )
    words = ("receive", "--watch", tmp_path / "in", "--into", tmp_path / "spool", "--json")
    check_refusal(bundler(*words, "--trust", desk.trust), 2, "--json: expected --once with it")


def test_another_receiver_in_the_spool_is_exit_9(desk, far):
    desk.folder = far.root.parent
    check_refusal(receive(desk, run=process), 9, "another uv-bundler receives into")


@pytest.fixture
def elsewhere(tmp_path):
    """A folder on another file system than `tmp_path` is on."""
    memory = Path("/dev/shm")  # noqa: S108  # a file system in memory, wherever Linux runs
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs two file systems: /dev/shm beside the one of the tests")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_where_the_spool_takes_no_file_of_that_size_nothing_is_lost_and_nothing_half_is_left(
    desk, made, elsewhere
):
    inbox = desk.folder / "in"
    for one in made["plain"]:
        shutil.copy(one, inbox)
    most = made["plain"][1].stat().st_size - 1

    def limited(*words):
        return process(*words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))

    done = receive(desk, "--into", elsewhere / "spool", run=limited)
    check_refusal(done, 6, "File too large", "choose another place")
    whole = [one.name for one in (elsewhere / "spool").rglob("*") if one.is_file() and one.name != ".lock"]
    assert len(whole) + len(list(inbox.iterdir())) == 3
    assert all(one.startswith("plant-7-7.000") for one in whole)
    done = receive(desk, "--into", elsewhere / "spool")
    assert (done.code, list(inbox.iterdir())) == (0, [])
    assert desk.unpack(bundle=elsewhere / "spool" / "plant-7-7").code == 0


def test_it_goes_on_looking_until_it_is_ended(desk, made):
    words = command(
        "receive", "--watch", desk.folder / "in", "--into", desk.folder / "spool", "--trust", desk.trust,
        "--poll", "0.1", "--settle", "1", "--status", desk.folder / "status.json",
    )  # fmt: skip
    with subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        for one in made["plain"]:
            shutil.copy(one, desk.folder / "in" / f".{one.name}")
            (desk.folder / "in" / f".{one.name}").rename(desk.folder / "in" / one.name)
        line = run.stdout.readline()
        assert line.startswith(b"uv-bundler unpack ")
        run.terminate()
        _, said = run.communicate(timeout=20)
    assert run.returncode == 143
    assert b"plant-7-7: complete, " in said
    assert json.loads((desk.folder / "status.json").read_text())["format"] == "uv-bundler.receive.v1"


def test_a_fault_that_may_pass_is_told_once_and_tried_again():
    class EndError(Exception):
        pass

    faults = iter([None, "full", "full", None, "full", "gone", EndError])
    told, complaints, slept = [], [], []

    class Receiver:
        def poll(self):
            fault = next(faults)
            if fault is EndError:
                raise EndError
            if fault:
                raise HostFault(fault)
            return "report"

    with pytest.raises(EndError):
        look_on(
            Receiver(), poll=7, sleep=slept.append, tell=told.append,
            complain=lambda fault: complaints.append(fault.message),
        )  # fmt: skip
    assert (told, complaints, slept) == (["report"] * 2, ["full", "full", "gone"], [7] * 6)
    faults = iter(["full"])
    with pytest.raises(HostFault):
        look_on(Receiver(), poll=7, sleep=slept.append, tell=told.append, complain=complaints.append)


def test_one_run_waits_only_while_something_changes():
    slept = []

    class Receiver:
        looks = 0
        moving = False

        def poll(self):
            self.looks += 1
            return self.looks

    idle, busy = Receiver(), Receiver()
    busy.moving = True
    assert look_once(idle, settle=3, poll=5, sleep=slept.append) == 1
    assert look_once(busy, settle=3, poll=5, sleep=slept.append) == 4
    assert slept == [5, 5, 5]
