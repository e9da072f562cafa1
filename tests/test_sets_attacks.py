"""A hostile preparer of the medium: files beside a good set, and every byte of a set changed once."""

from __future__ import annotations

import pytest
from bundles import HOST, PACKER, archive, make_bundle, small_content
from cli import check_refusal, process
from forging import CUT, head, hostile_files, volume
from losing import bundle, files_of, judge, look_at, put, verify
from volumes import BLOCK, make_set, small_blocks, source_of

from bundler.arriving.collecting import collect
from bundler.core.cut import Cut
from bundler.core.fault import Fault
from bundler.core.progress import Silent
from bundler.core.volumehead import DATA, Head
from bundler.errors import DamagedFault, IncompleteFault, SignatureFault
from bundler.offline.verify import verify_bundle
from bundler.volumes.needed import needed
from bundler.volumes.opening import opened
from bundler.volumes.shelf import Shelf
from bundler.volumes.survey import list_files, look


@pytest.mark.parametrize("cut", [(9999, 2, 9999, 0), (9999, 100, 100, 0), (1, 2, 1, 1), (128, 100, 2, 1)])
def test_no_volume_claims_more_files_than_a_set_may_have(cut):
    said = "volumes {} parity {} groups {} whole {}".format(*cut)
    with pytest.raises(Fault, match="expected the first line of VOLUME"):
        Head.parse(f"uv-bundler.volume.v1 parity 1 {said} index {'0' * 64}\n".encode())


def test_harm_is_counted_within_bounds_and_each_file_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("bundler.volumes.notedfiles._MAX_NOTED", 1)
    index = source_of(bundle()).index
    rotten = volume(head(DATA, 1, Cut(volumes=1)), bytes(3_000_000))
    put(tmp_path, {"a.uvb": rotten, "b.uvb": rotten})
    shelf = Shelf(index, [look(path) for path in list_files([tmp_path])])
    for block in range(len(shelf.blocks)):
        assert shelf.read(block) is None
    shelf.close()
    assert {path.name for path in shelf.harm} == {"a.uvb", "b.uvb"}
    assert len(shelf._bytes._noted) == 2


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


@pytest.mark.parametrize(
    "cut",
    [Cut(volumes=2), Cut(volumes=2, parity=1), Cut(volumes=4, parity=1, whole=True)],
    ids=["without parity", "with parity", "parity beside one file"],
)
@pytest.mark.parametrize("step", [97, pytest.param(1, marks=pytest.mark.slow)])
def test_a_flipped_bit_anywhere_in_a_set_is_refused_or_told_and_with_parity_never_refused(
    tmp_path, cut, step
):
    one = make_bundle(archives=[archive(small_content(1, size=900))], uv_for=(HOST,), block_size=BLOCK)
    paths = make_set(one, tmp_path, volumes=cut.volumes, parity=cut.parity, whole=cut.whole)
    assert told(tmp_path) == []
    for path in paths:
        good = path.read_bytes()
        for at, bit in flips(step):
            if at < len(good):
                path.write_bytes(good[:at] + bytes([good[at] ^ bit]) + good[at + 1 :])
                said = told(tmp_path)
                assert said is None or said, (path.name, at)
                assert said or not cut.parity, (path.name, at)
        path.write_bytes(good)


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
