"""False signatures on some of a set's files: a good one counts, is kept, and takes the place of false ones."""

from __future__ import annotations

import pytest
from bundles import PACKER
from forging import CUT, with_a_false_signature
from losing import files_of, judge, put, verify
from receivers import Far

from bundler.arriving.collecting import collect
from bundler.core.cut import Cut
from bundler.core.progress import Silent
from bundler.volumes.opening import opened


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
    arrive(far, d=one[:-3000] + bytes(3000))  # nothing is new in it but the signature
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
