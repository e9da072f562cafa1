"""`receive`: files that come in any order, repeated and mixed make each bundle, announced once."""

import shutil

import pytest
from bundles import make_bundle, tree
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from receivers import Far, cut_off, make_sets, rotten, states
from volumes import make_set

from bundler.arriving.receivestatus import RECEIVING, STALE
from bundler.core.digest import hash_file
from bundler.core.ticket import Ticket
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


def test_repeats_of_what_is_there_are_removed_and_nothing_changes(far, made):
    far.bring(*made["parity"])
    before = tree(far.root)
    far.put(*made["parity"])
    far.put(made["parity"][0], name="again.uvb")
    rotten(made["parity"][0], far.watch / "worse.uvb", -3000)
    far.settle()
    assert (far.waiting, tree(far.root), far.announced) == ([], before, ["unpack plant-7-7"])


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
    assert second == f"unpack plant-7-7-{look(made['twin'][0]).index[:12]}"
    far.start()
    assert [one.state for one in far.settle().bundles] == ["complete"] * 2


def test_volumes_without_a_block_are_volumes(far, tmp_path):
    files = make_set(make_bundle(), tmp_path / "thin", volumes=9)
    report = far.bring(*files)
    assert states(report) == [("plant-7", 7, "complete")]
    assert (report.bundles[0].data.present, far.waiting) == (9, [])


def test_the_same_bundle_cut_in_two_ways_is_one_bundle(far, made):
    report = far.bring(made["plain"][0], made["parity"][2], made["parity"][3])
    assert states(report) == [("plant-7", 7, RECEIVING)]
    report = far.bring(made["plain"][2], made["plain"][1])
    assert states(report) == [("plant-7", 7, "complete")]
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
    assert f"resend-{hash_file(path)[0].hex[:16]}.uvb" in far.here()
    before = tree(far.root)
    far.bring(path)
    assert (far.waiting, tree(far.root)) == ([], before)
    far.start()
    assert states(far.settle()) == [("plant-7", 7, "complete")]


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
