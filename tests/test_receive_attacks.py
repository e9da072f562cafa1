"""`receive`: files from anybody; what nobody trusted signed stays, no link is followed, names are our own."""

import os

import pytest
from bundles import Packer, tree
from receivers import Far, make_sets, states

from bundler.arriving import taking
from bundler.arriving.receivestatus import UNTRUSTED
from bundler.errors import HostFault
from bundler.volumes.survey import front_of, look

pytest.importorskip("resource", reason="needs POSIX: limits, pipes and links")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_sets(tmp_path_factory.mktemp("made"))


@pytest.fixture
def far(tmp_path):
    far = Far(tmp_path)
    yield far
    far.stop()


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


def test_a_front_that_becomes_another_one_while_it_is_read_makes_no_bundle(far, made, monkeypatch):
    from bundler.arriving import receivedsets

    monkeypatch.setattr(receivedsets, "front_of", lambda *_, **__: front_of(made["other"][0]))
    report = far.bring(made["plain"][0])
    assert far.waiting == [made["plain"][0].name]
    assert report.bundles[0].reason.endswith("changed while it was read")


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


@pytest.mark.parametrize("swap", ["a link", "another file"])
def test_a_file_that_is_swapped_within_the_rename_goes_back(far, made, tmp_path, monkeypatch, swap):
    arrival, other = far.watch / "a.uvb", tmp_path / "other"
    rename = type(arrival).rename

    def swapped(path, target):
        if path == arrival:
            path.replace(tmp_path / "first")  # it stays somewhere, so that its inode is not given again
            path.symlink_to(made["plain"][1]) if swap == "a link" else rename(other, path)
        return rename(path, target)

    other.write_bytes(made["plain"][1].read_bytes())

    far.put(made["plain"][0], name="a.uvb")
    monkeypatch.setattr(type(arrival), "rename", swapped)
    far.settle()
    monkeypatch.undo()
    assert arrival.is_symlink() is (swap == "a link")
    assert arrival.read_bytes() == made["plain"][1].read_bytes()
    assert not far.folder().exists()
    assert list((far.root / ".arriving").iterdir()) == []
