"""What the files of a bundle say of themselves, and what they are called."""

from __future__ import annotations

import pytest
from volumes import make_set, small_blocks, source_of

from bundler.core.cut import Cut
from bundler.core.volumehead import Head, heads_of, number_in_name, stem_in_name, volume_name
from bundler.volumes.survey import look

CUTS = [
    Cut(volumes=1),
    Cut(volumes=5),
    Cut(volumes=7, parity=2, groups=2),
    Cut(volumes=1, parity=1),
    Cut(volumes=6, parity=2, whole=True),
]


@pytest.fixture(scope="module")
def bundle():
    return small_blocks()


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_the_files_of_a_cut_are_those_that_are_written(cut, bundle, tmp_path):
    files = make_set(
        bundle, tmp_path, volumes=cut.volumes, parity=cut.parity, groups=cut.groups, whole=cut.whole
    )
    heads = list(heads_of(cut, source_of(bundle).digest))
    assert heads == [look(one).head for one in files]
    assert [volume_name("q4", one) for one in heads] == [one.name for one in files]
    assert len(heads) == cut.data_volumes + cut.parity_volumes


def test_a_bundle_that_is_not_cut_is_one_file():
    assert list(heads_of(None, "0" * 64)) == [None]
    assert volume_name("q4", None) == "q4.uvb"


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_a_name_says_which_volume_it_is(cut):
    for head in heads_of(cut, "0" * 64):
        name = volume_name("q4.2026", head)
        assert stem_in_name(name) == stem_in_name(name.upper()).lower() == "q4.2026"
        if isinstance(head, Head) and not cut.whole:
            assert number_in_name(name)[:2] == (head.kind, head.number)
