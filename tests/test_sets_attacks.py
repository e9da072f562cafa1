"""A hostile preparer of the medium: files beside a good set, and every byte of a set changed once."""

from __future__ import annotations

import hashlib

import pytest
from bundles import HOST, PACKER, Packer, archive, make_bundle, small_content
from cli import bundler as run
from cli import check_refusal, process
from losing import bundle, files_of, judge, look_at, put, verify
from receivers import Far
from volumes import BLOCK, make_set, small_blocks, source_of

from bundler.arriving.collecting import collect
from bundler.core import ustar
from bundler.core.cut import Cut, Layout, parity_name
from bundler.core.fault import Fault
from bundler.core.progress import Silent
from bundler.core.volumehead import DATA, PARITY, RESEND, Head
from bundler.errors import DamagedFault, IncompleteFault, SignatureFault
from bundler.offline.verify import verify_bundle
from bundler.volumes.needed import needed
from bundler.volumes.opening import opened
from bundler.volumes.shelf import Shelf
from bundler.volumes.survey import list_files, look

CUT = Cut(volumes=5, parity=2)


def volume(head, cells=b""):
    """Return a file with the true front, and a `VOLUME` and cells that anybody can make."""
    return source_of(bundle()).opening(head) + cells + ustar.END


def head(kind, number, cut=CUT):
    return Head(kind=kind, number=number, cut=cut, index=source_of(bundle()).digest)


def false_parity(number, *, cut=CUT, byte=7):
    """Return a parity volume whose cells have right digests of their own, and recover nothing."""
    layout, cells = Layout(source_of(bundle()).index, cut), []
    for group, row, column in layout.parity_cells(number - 1):
        data = bytes([byte]) * layout.row_size(group, row)
        name = parity_name(group, row, column, hashlib.sha256(data).hexdigest())
        cells += [ustar.header(name, len(data)), data, ustar.padding(len(data))]
    return volume(head(PARITY, number, cut), b"".join(cells))


@pytest.mark.parametrize(
    ("cut", "lost", "false"),
    [
        (CUT, (0,), (1,)),
        (CUT, (0,), (1, 2)),
        (CUT, (0, 3), (1,)),
        (CUT, (1, 2), (2,)),
        (CUT, (1, 2), (1, 2)),
        (Cut(volumes=5, parity=4), (0, 1, 2), (2, 3)),
        (Cut(volumes=7, parity=1, groups=2), (0, 1), (1, 2)),
    ],
)
@pytest.mark.parametrize("name", ["a", "z"])
def test_parity_that_is_a_lie_beside_the_true_one_recovers_as_if_it_was_not_there(
    tmp_path, cut, lost, false, name
):
    files = files_of(cut)
    for number in lost:
        del files[sorted(files_of(cut))[number]]
    lies = {f"{name}{number}.uvb": false_parity(number, cut=cut) for number in false}
    assert verify(put(tmp_path, files | lies)).index == source_of(bundle()).index


@pytest.mark.parametrize("lie", [1, 2, 3])
def test_one_lie_in_the_place_of_parity_is_survived_where_there_is_one_cell_more(tmp_path, lie):
    cut = Cut(volumes=5, parity=3)
    files = files_of(cut)
    del files["q4.0002-of-0005.uvb"], files["q4.0004-of-0005.uvb"]
    files[f"q4.p{lie:04d}-of-0003.uvb"] = false_parity(lie, cut=cut)
    verify(put(tmp_path, files))


def test_no_more_of_a_row_is_recovered_than_packers_let_it_have(tmp_path, monkeypatch):
    files = files_of(CUT)
    del files["q4.0001-of-0005.uvb"], files["q4.0004-of-0005.uvb"]
    put(tmp_path, files)
    monkeypatch.setattr("bundler.volumes.recovery.ROW_BYTES", 2 * BLOCK)
    verify(tmp_path)
    monkeypatch.setattr("bundler.volumes.recovery.ROW_BYTES", 2 * BLOCK - 1)
    with pytest.raises(DamagedFault, match="too little of its row is left"):
        verify(tmp_path)


def with_a_false_signature(data):
    at = data.index(b"BEGIN SSH SIGNATURE") + 60
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.fixture
def far(tmp_path):
    side = Far(tmp_path)
    yield side
    side.stop()


def arrive(far, **files):
    for name, data in files.items():
        (far.watch / name).write_bytes(data)
    return far.settle()


def test_the_only_good_signature_in_a_spool_is_kept_until_there_is_another(far):
    one, two = files_of(Cut(volumes=2)).values()
    arrive(far, a=one[:-3000] + bytes(3000))
    arrive(far, b=with_a_false_signature(one))
    arrive(far, c=with_a_false_signature(two))
    assert far.announced == ["unpack plant-7-7"]
    with opened([far.folder()], judge=judge) as found:
        assert judge(found.source.read_signed_index(), "it").serial == 7
    far.start()
    assert [each.state for each in far.settle().bundles] == ["complete"]


def test_good_volumes_take_the_place_of_those_with_false_signatures(far):
    one, two = files_of(Cut(volumes=2)).values()
    arrive(far, a=one)
    arrive(far, b=with_a_false_signature(two))
    assert far.here() == ["0001-of-0002.uvb", "0002-of-0002.damaged-1.uvb"]
    arrive(far, c=two)
    assert far.here() == ["0001-of-0002.uvb", "0002-of-0002.uvb"]
    arrive(far, d=with_a_false_signature(one), e=with_a_false_signature(two))
    assert far.here() == ["0001-of-0002.uvb", "0002-of-0002.uvb"]
    assert far.waiting == []
    far.verify()


def test_other_signatures_are_checked_once_however_many_files_have_them(far):
    one, *others = files_of(Cut(volumes=5)).values()
    arrive(far, a=one)
    arrive(far, **{f"b{number}": with_a_false_signature(data) for number, data in enumerate(others)})
    assert len(far.judged) == 2
    far.start()
    assert len(far.judged) == 4


def test_a_spool_without_a_signature_that_holds_is_never_announced(far):
    one, two, three = files_of(Cut(volumes=3)).values()
    arrive(far, a=one)
    arrive(far, b=with_a_false_signature(two))
    (far.folder() / "plant-7-7.0001-of-0003.uvb").unlink()
    (far.folder() / "x.uvb").write_bytes(with_a_false_signature(one))
    report = arrive(far, c=with_a_false_signature(three))
    assert far.announced == []
    assert [each.reason for each in report.bundles] == ["no file that is here has signatures that hold"]
    arrive(far, d=one)
    assert far.announced == ["unpack plant-7-7"]


def test_parity_is_tried_by_a_front_that_holds_whatever_most_files_have(far):
    names = files_of(CUT)
    whole = {name: data if "0001" in name else with_a_false_signature(data) for name, data in names.items()}
    del whole["q4.0003-of-0005.uvb"]
    arrive(far, **whole)
    assert far.announced == ["unpack plant-7-7"]


def test_a_false_signature_in_the_folder_is_mended_by_a_drive_that_has_a_good_one(tmp_path):
    ((name, data),) = files_of(Cut(volumes=1)).items()
    into, drive = tmp_path / "into", put(tmp_path / "drive", {name: data})
    collect([drive], into, trust=PACKER.trust, progress=Silent())
    (path,) = into.glob("*.uvb")
    path.write_bytes(with_a_false_signature(data))
    collect([drive], into, trust=PACKER.trust, progress=Silent())
    assert path.read_bytes() == data
    verify(into)


@pytest.mark.parametrize("cut", [(9999, 2, 9999, 0), (9999, 100, 100, 0), (1, 2, 1, 1), (128, 100, 2, 1)])
def test_no_volume_claims_more_files_than_a_set_may_have(cut):
    said = "volumes {} parity {} groups {} whole {}".format(*cut)
    with pytest.raises(Fault, match="expected the first line of VOLUME"):
        Head.parse(f"uv-bundler.volume.v1 parity 1 {said} index {'0' * 64}\n".encode())


def test_harm_is_counted_within_bounds_and_each_file_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("bundler.volumes.shelf._MAX_NOTED", 5)
    index = source_of(bundle()).index
    rotten = volume(head(DATA, 1, Cut(volumes=1)), bytes(3_000_000))
    put(tmp_path, {"a.uvb": rotten, "b.uvb": rotten})
    shelf = Shelf(index, [look(path) for path in list_files([tmp_path])])
    for block in range(len(shelf.blocks)):
        assert shelf.read(block) is None
    shelf.close()
    assert {path.name for path in shelf.harm} == {"a.uvb", "b.uvb"}
    assert len(shelf._noted) <= 6


@pytest.fixture
def crowd(tmp_path):
    """A good set, one volume of which parity has to give, and more small files of each of many other cuts."""
    files = files_of(CUT)
    del files["q4.0002-of-0005.uvb"]
    for volumes in range(20, 40):
        for number in range(1, 11):
            files[f"a{volumes}-{number}.uvb"] = volume(head(DATA, number, Cut(volumes=volumes)))
    return put(tmp_path / "drive", files)


def test_a_crowd_of_small_files_pushes_no_set_out(crowd, tmp_path):
    verify(crowd)
    _, inventory = look_at(crowd)
    assert inventory.main.cut == CUT
    made = collect([crowd], tmp_path / "into", trust=PACKER.trust, progress=Silent())
    assert made.stock.layout.cut == CUT
    assert made.stock.shortage() == 0


def flips(step):
    """Yield where to change which bit: each byte, or every so many, and another bit each time."""
    return ((at, 1 << (at // step) % 8) for at in range(0, 1 << 20, step))


def told(folder):
    """Verify the folder; return what is said of it, or None where it is refused."""
    try:
        with opened([folder], judge=judge) as one:
            verify_bundle(one.source, name=one.name, trust=PACKER.trust, progress=Silent())
            return [*one.notes, *one.source.told()]
    except (DamagedFault, SignatureFault, IncompleteFault):
        return None


@pytest.mark.parametrize("parity", [0, 1])
@pytest.mark.parametrize("step", [97, pytest.param(1, marks=pytest.mark.slow)])
def test_a_flipped_bit_anywhere_in_a_set_is_refused_or_told_and_with_parity_never_refused(
    tmp_path, parity, step
):
    one = make_bundle(archives=[archive(small_content(1, size=900))], uv_for=(HOST,), block_size=BLOCK)
    paths = make_set(one, tmp_path, volumes=2, parity=parity)
    assert told(tmp_path) == []
    for path in paths:
        good = path.read_bytes()
        for at, bit in flips(step):
            if at < len(good):
                path.write_bytes(good[:at] + bytes([good[at] ^ bit]) + good[at + 1 :])
                said = told(tmp_path)
                assert said is None or said, (path.name, at)
                assert said or not parity, (path.name, at)
        path.write_bytes(good)


def hostile_files():
    """Return files that anybody can put on a medium, by what they are."""
    good = files_of(CUT)
    first = good["q4.0001-of-0005.uvb"]
    front = source_of(bundle()).front
    other = {"serial": 8, "packers": (Packer(9, name="mallory@site"),)}
    return {
        "not signed by anybody trusted, and newer": small_blocks(archives=1, blocks=1, **other),
        "a false signature": with_a_false_signature(first),
        "another cut": volume(head(DATA, 3, Cut(volumes=9)), bytes(100_000)),
        "thousands of volumes": volume(head(DATA, 1, Cut(volumes=9999))),
        "much parity": volume(head(PARITY, 1, Cut(volumes=9999, groups=99, parity=100)), bytes(100_000)),
        "beside one file": volume(head(PARITY, 1, Cut(volumes=128, parity=100, whole=True)), bytes(100_000)),
        "a supplement of zeros": volume(head(RESEND, 1), bytes(100_000)),
        "the whole bundle, of zeros": front + bytes(1_000_000),
        "the whole bundle, cut off": bundle()[:70_000],
        "the same volume, of zeros": volume(head(DATA, 2), bytes(300_000)),
        "parity that lies": false_parity(1),
        "an index that is not that of VOLUME": small_blocks(archives=1, blocks=1, serial=3)[:9000]
        + first[len(front) :],
        "only the beginning": first[:600],
        "no more than a name": b"",
        "noise": small_content(5, size=50_000),
    }


@pytest.mark.parametrize("what", hostile_files())
@pytest.mark.parametrize("name", ["a.uvb", "q4.p0001-of-0002.uvb.uvb"])
def test_a_hostile_file_beside_a_good_set_changes_nothing_and_is_told(tmp_path, what, name):
    files = files_of(CUT)
    for lost in ((), ("q4.0003-of-0005.uvb", "q4.0005-of-0005.uvb")):
        folder = put(tmp_path / str(len(lost)), {name: hostile_files()[what]} | files)
        for one in lost:
            (folder / one).unlink()
        with opened([folder], judge=judge) as one:
            verified = verify_bundle(one.source, name=one.name, trust=PACKER.trust, progress=Silent())
            assert verified.index == source_of(bundle()).index
            lines = [*one.notes, *one.source.told()]
        assert any(name in line for line in lines), lines
        _, inventory = look_at(folder)
        assert inventory.main.cut == CUT
        assert not needed(inventory).blocks
        made = collect([folder], tmp_path / f"into{len(lost)}", trust=PACKER.trust, progress=Silent())
        assert made.stock.layout.cut == CUT
        assert made.stock.shortage() == 0


@pytest.mark.parametrize(
    "expected", [("--expect-serial", "7"), ("--expect-index", source_of(bundle()).digest.upper())]
)
def test_a_stray_volume_of_another_signed_bundle_does_not_push_out_the_one_that_is_expected(
    tmp_path, expected
):
    folder, trust = put(tmp_path / "set", files_of(CUT)), tmp_path / "trust"
    trust.write_text(PACKER.line + "\n")
    for stray, changes in (("newer", {"serial": 8}), ("other", {"name": "plant-8"})):
        make_set(small_blocks(archives=1, blocks=2, **changes), tmp_path / stray, volumes=2)
        (tmp_path / stray / "q4.0001-of-0002.uvb").rename(folder / f"{stray}.uvb")
    words = ("unpack", folder, "--trust", trust, "--prefix", tmp_path / "p", "--shell", "sh")
    check_refusal(process(*words), 2, "expected files of one bundle, found those of plant-7, plant-8")
    (folder / "other.uvb").unlink()
    check_refusal(process(*words), 4, "is missing")
    done = process(*words, *expected)
    assert done.code == 0, done.stderr
    assert "newer.uvb: is of another bundle than the one that was asked for" in done.stderr


@pytest.mark.parametrize("cut", [Cut(volumes=5, parity=2), Cut(volumes=6, parity=2, whole=True)], ids=str)
def test_parity_of_a_row_is_made_again_a_part_at_a_time_where_all_of_it_is_too_much(
    tmp_path, monkeypatch, cut
):
    monkeypatch.setattr("bundler.volumes.repairing.ROW_BYTES", BLOCK)
    files = files_of(cut)
    lost = [name for name in files if ".p0" in name or "parity" in name]
    folder = put(tmp_path / "set", {name: data for name, data in files.items() if name not in lost})
    if cut.whole:  # the cut is known by a parity file alone
        put(folder, {lost[0]: files[lost[0]][:-3000] + bytes(3000)})
    (tmp_path / "trust").write_text(PACKER.line + "\n")
    done = run("repair", folder, "--to", tmp_path / "good", "--trust", tmp_path / "trust")
    assert done.code == 0, done.stderr
    assert {one.name: one.read_bytes() for one in (tmp_path / "good").iterdir()} == {
        name: files[name] for name in lost
    }
