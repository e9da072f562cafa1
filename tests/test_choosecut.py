import random
from fractions import Fraction

import pytest
from volumes import make_set, small_blocks, source_of

from bundler.core.cut import Cut
from bundler.errors import UsageFault
from bundler.volumes.choosecut import MEDIA, NO_PARITY, Parity, Wished, _Sizes, choose, parse_size


@pytest.fixture(scope="module")
def bundle():
    return small_blocks(archives=4, blocks=7)


@pytest.fixture(scope="module")
def source(bundle):
    return source_of(bundle)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("fat32", 4095 * 1024 * 1024),
        ("DVD", 4_300_000_000),
        ("bd", 24_500_000_000),
        ("diode", 512 << 20),
        ("700M", 700 << 20),
        ("700m", 700 << 20),
        ("700MiB", 700 << 20),
        ("700MB", 700_000_000),
        ("1.5GiB", 3 << 29),
        ("1.5 GiB", 3 << 29),
        ("2T", 2 << 40),
        ("64K", 1 << 16),
        ("4000000000", 4_000_000_000),
        ("4000000000B", 4_000_000_000),
    ],
)
def test_sizes_are_media_or_bytes_with_the_units_of_split(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "0", "0M", "-1", "1.5.5G", "7 0M", "cd", "1E", "1e9", "M", "٣M", "1,5G"]
)
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UsageFault) as caught:
        parse_size(text)
    assert str(caught.value) == (
        f"--volume-size: expected fat32, dvd, bd, diode or a size such as 700M, found {text!r}"
    )


def test_parity_is_a_count_or_a_share():
    assert Parity.parse("4") == Parity(count=4)
    assert Parity.parse("10%") == Parity(share=Fraction(1, 10))
    assert Parity.parse("2.5%") == Parity(share=Fraction(1, 40))
    assert not Parity.parse("0")
    assert not Parity.parse("0%")


@pytest.mark.parametrize("text", ["", "%", "101%", "100.1%", "-1", "1.5", "ten", "10 %", "99999"])
def test_what_is_no_parity_is_refused(text):
    with pytest.raises(UsageFault) as caught:
        Parity.parse(text)
    assert str(caught.value) == (
        f"--parity: expected a number of volumes, or a share of at most 100%, found {text!r}"
    )


def test_a_share_is_rounded_up_in_each_group_and_a_count_is_spread_over_them():
    assert [Parity.parse("10%").columns(width, 3) for width in (1, 10, 11, 100)] == [1, 1, 2, 10]
    assert [Parity.parse("4").columns(90, groups) for groups in (1, 2, 3, 5)] == [4, 2, 2, 1]


def test_a_bundle_that_fits_stays_one_file(bundle, source):
    assert choose(source, Wished(size=None)) is None
    assert choose(source, Wished(size=len(bundle))) is None
    assert choose(source, Wished(size=len(bundle) - 1)) is not None


def test_parity_of_one_file_goes_by_the_columns_that_its_blocks_fill(source):
    blocks = len(_Sizes(source)._sizes)
    assert choose(source, Wished(size=None, parity=Parity.parse("10%"))) == Cut(
        volumes=blocks, parity=-(-blocks // 10), whole=True
    )
    many = source_of(small_blocks(archives=1, blocks=101))
    assert choose(many, Wished(size=None, parity=Parity.parse("10%"))) == Cut(
        volumes=53, parity=6, whole=True
    )


def test_a_count_of_parity_volumes_makes_volumes_even_of_a_bundle_that_fits(bundle, source):
    assert choose(source, Wished(size=2 * len(bundle), parity=Parity.parse("2"))) == Cut(volumes=1, parity=2)
    with pytest.raises(UsageFault) as caught:
        choose(source, Wished(size=None, parity=Parity.parse("2")))
    assert str(caught.value) == "--parity: expected a share such as 10% for a bundle in one file, found 2"


def test_parity_beside_one_file_must_fit_as_well(bundle, source):
    sizes = _Sizes(source)
    parity = Parity.parse("100%")
    beside = sizes.largest(sizes.whole(parity))
    assert beside > len(bundle)
    assert choose(source, Wished(size=beside, parity=parity)).whole
    assert not choose(source, Wished(size=beside - 1, parity=parity)).whole


def test_volumes_are_as_few_as_they_can_be_and_none_is_too_large(bundle, source, tmp_path):
    sizes, drawn = _Sizes(source), random.Random(5)
    for number in range(12):
        size = drawn.randrange(200_000, len(bundle))
        cut = choose(source, Wished(size=size))
        folder = tmp_path / str(number)
        files = make_set(bundle, folder, volumes=cut.volumes)
        assert max(one.stat().st_size for one in files) <= size
        assert all(sizes.largest(sizes.cut(fewer, NO_PARITY)) > size for fewer in range(1, cut.volumes)), size


def test_the_largest_volume_is_known_before_it_is_written(bundle, source, tmp_path):
    for number, cut in enumerate(
        (Cut(volumes=3), Cut(volumes=8, groups=3), Cut(volumes=40), Cut(volumes=9, groups=9))
    ):
        folder = tmp_path / str(number)
        files = make_set(bundle, folder, volumes=cut.volumes, groups=cut.groups)
        assert _Sizes(source).largest(cut) == max(one.stat().st_size for one in files)


def test_a_size_that_no_volume_has_is_refused_with_the_smallest_that_one_can_have(source):
    for parity in (NO_PARITY, Parity.parse("10%"), Parity.parse("3")):
        with pytest.raises(UsageFault) as caught:
            choose(source, Wished(size=50_000, parity=parity))
        message = "--volume-size: 50000 bytes make no volumes of this bundle, expected at least "
        assert str(caught.value).startswith(message)
        least = int(str(caught.value).removeprefix(message))
        assert choose(source, Wished(size=least, parity=parity))
        with pytest.raises(UsageFault):
            choose(source, Wished(size=least - 1, parity=parity))


def test_more_volumes_than_four_digits_are_refused(source, monkeypatch):
    monkeypatch.setattr("bundler.volumes.choosecut.MAX_VOLUMES", 20)
    with pytest.raises(UsageFault) as caught:
        choose(source, Wished(size=76_000))
    message = "--volume-size: 76000 bytes make more than 20 volumes of this bundle, expected at least "
    assert str(caught.value).startswith(message)
    assert choose(source, Wished(size=int(str(caught.value).removeprefix(message))))


def test_groups_are_as_few_as_keep_a_hundred_columns(source):
    sizes = _Sizes(source)
    assert [sizes.cut(volumes, NO_PARITY).groups for volumes in (1, 100, 101, 9999)] == [1, 1, 2, 100]


def test_more_parity_than_a_row_can_have_is_refused(source):
    with pytest.raises(UsageFault) as caught:
        choose(source, Wished(size=300_000, parity=Parity.parse("101")))
    assert "--parity: would need 101 volumes beside " in str(caught.value)
    assert "expected at most 100" in str(caught.value)


def test_media_have_names(source):
    assert all(choose(source, Wished(size=size)) is None for size in MEDIA.values())


@pytest.mark.parametrize(("share", "least"), [("10%", 1), ("50%", 2), ("100%", 4)])
def test_there_are_more_groups_where_the_parity_of_a_row_would_take_too_much_memory(
    share, least, source, monkeypatch
):
    monkeypatch.setattr("bundler.volumes.rowmemory.ROW_BYTES", 8 * max(_Sizes(source)._sizes))
    cut = _Sizes(source).cut(30, Parity.parse(share))
    assert (cut.groups, cut.parity <= 8) == (least, True)
    assert cut.parity * cut.groups >= 30 * Parity.parse(share).share
    whole = _Sizes(source).whole(Parity.parse(share))
    assert 0 < whole.parity <= 8
    assert whole.parity >= whole.volumes * Parity.parse(share).share
