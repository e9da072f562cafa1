"""`receive`: damaged volumes are kept for what is right in them, and parity counts only where it recovers."""

import hashlib
from contextlib import closing

import pytest
from bundles import tree
from receivers import Far, make_sets, rotten, states

from bundler.arriving.receivestatus import RECEIVING, only
from bundler.core import ustar
from bundler.core.cut import Cut
from bundler.core.ticket import Ticket
from bundler.volumes.shelf import Shelf
from bundler.volumes.survey import look

pytest.importorskip("resource", reason="needs POSIX: limits, pipes and links")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_sets(tmp_path_factory.mktemp("made"))


@pytest.fixture
def far(tmp_path):
    far = Far(tmp_path)
    yield far
    far.stop()


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


def test_where_parity_of_two_cuts_lacks_the_same_blocks_the_ticket_asks_for_enough(far, made):
    """Each row of either cut lacks two blocks and has one of parity: neither helps the other."""
    far.bring(*made["parity"][2:5])
    report = far.bring(made["halves"][2])
    assert states(report) == [("plant-7", 7, RECEIVING)]
    assert report.bundles[0].reason is None
    assert Ticket.parse(report.bundles[0].ticket).volumes == (range(1, 2),)
    assert states(far.bring(made["parity"][0])) == [("plant-7", 7, "recoverable")]
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
