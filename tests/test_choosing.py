import pytest
from bundles import Packer
from losing import files_of, judge, put
from volumes import make_set, small_blocks

from bundler.core.cut import Cut
from bundler.core.volumehead import Head
from bundler.errors import DamagedFault, SignatureFault, UsageFault
from bundler.volumes.choosing import MAX_CUTS, choose
from bundler.volumes.survey import list_files, look_at

CUT = Cut(volumes=5)


def chosen(*folders, by=judge):
    return choose(look_at(list_files(folders)), judge=by, name="here")


def edited(data, old, new):
    """Return a volume with other words in `VOLUME`, and no other size."""
    at = data.index(b"uv-bundler.volume.v1")
    assert len(old) == len(new)
    assert old in data[at : at + 400]
    return data[:at] + data[at:].replace(old, new, 1)


def test_a_wrong_digit_in_what_a_file_says_of_its_index_makes_it_doubtful_and_no_second_bundle(tmp_path):
    files = files_of(CUT)
    name = next(iter(files))
    data = files[name]
    at = data.index(b" index ", data.index(b"uv-bundler.volume.v1")) + 7
    wrong = b"0" if data[at : at + 1] != b"0" else b"1"
    put(tmp_path, files | {name: data[:at] + wrong + data[at + 1 :]})
    for by in (judge, None):
        found = chosen(tmp_path, by=by)
        assert [one.path.name for one in found.doubtful] == [name]
        assert found.doubtful[0].fault == "no file has the index that it says it belongs to"
        assert found.doubtful[0].head is None
        assert len(found.files) == 4


def test_where_no_index_is_right_the_first_file_is_told(tmp_path):
    put(tmp_path, {name: data.replace(b"plant-7", b"plant-8", 1) for name, data in files_of(CUT).items()})
    with pytest.raises(DamagedFault, match=r"the index is damaged in 5 files of this bundle"):
        chosen(tmp_path)


def test_of_hundreds_of_cuts_those_with_the_most_files_are_read(tmp_path):
    files = files_of(CUT)
    first = next(iter(files.values()))
    forged = {
        f"forged-{number}.uvb": edited(
            first, b"data 1 volumes 5 parity 0", b"data 1 volumes %d parity 0" % number
        )
        for number in range(6, 10)
    }
    line = str(Head(kind="data", number=1, cut=CUT, index="0" * 64)).split(" index ", maxsplit=1)[0]
    for number in range(10, 300):
        head = Head(kind="data", number=1, cut=Cut(volumes=number), index="0" * 64)
        other = str(head).split(" index ", maxsplit=1)[0]
        forged[f"forged-{number}.uvb"] = first.replace(line.encode(), other.encode(), 1)
    put(tmp_path, files | forged)
    found = chosen(tmp_path)
    assert len({one.head.cut for one in found.files}) == MAX_CUTS
    assert {one.path.name for one in found.files} >= files.keys()
    assert len(found.notes) < 60
    assert found.notes[-1].startswith("and ")


def test_stale_files_are_told_and_two_bundles_with_one_serial_are_refused(tmp_path):
    for serial in (3, 4, 5):
        make_set(small_blocks(archives=1, serial=serial), tmp_path / str(serial), volumes=2)
    found = chosen(*(tmp_path / one for one in "453"))
    assert {one.path.parent.name for one in found.files} == {"5"}
    assert sorted(found.notes) == sorted(
        f"{tmp_path / old / 'q4.0001-of-0002.uvb'} and 1 more: stale: serial {old}, the newest here is 5; "
        "to read it all the same, name its files and no others"
        for old in "34"
    )
    make_set(small_blocks(archives=2, serial=5), tmp_path / "twice", volumes=2)
    with pytest.raises(UsageFault, match="found two with the serial 5"):
        chosen(*(tmp_path / one for one in ("3", "5", "twice")))
    make_set(small_blocks(archives=2, serial=4), tmp_path / "twice-old", volumes=2)
    assert chosen(*(tmp_path / one for one in ("4", "5", "twice-old"))).signed == found.signed


def test_bundles_of_two_names_and_strangers_are_refused_and_told(tmp_path):
    make_set(small_blocks(archives=1), tmp_path / "a", volumes=2)
    make_set(small_blocks(archives=1, name="other"), tmp_path / "b", volumes=2)
    with pytest.raises(UsageFault, match=r"found those of other, plant-7"):
        chosen(tmp_path / "a", tmp_path / "b")
    with pytest.raises(UsageFault, match=r"expected files of one bundle, found 2"):
        chosen(tmp_path / "a", tmp_path / "b", by=None)
    stranger = small_blocks(archives=1, packers=(Packer(seed=9, name="stranger"),), serial=9)
    make_set(stranger, tmp_path / "c", volumes=2)
    found = chosen(tmp_path / "a", tmp_path / "c")
    assert {one.path.parent.name for one in found.files} == {"a"}
    assert {one.path.parent.name for one in found.doubtful} == {"c"}
    assert all(": foreign: " in note for note in found.notes)
    with pytest.raises(SignatureFault):
        chosen(tmp_path / "c")


def test_a_file_that_is_there_twice_or_is_called_as_another_one_is_told(tmp_path):
    names = list(files_of(CUT))
    put(tmp_path, {names[0]: files_of(CUT)[names[1]], "x.uvb": files_of(CUT)[names[1]]})
    found = chosen(tmp_path)
    assert found.notes == (
        f"{tmp_path / names[0]}: renamed: it is volume 2 of 5",
        f"{tmp_path / 'x.uvb'}: duplicate: {tmp_path / names[0]} is volume 2 of 5, too",
    )


def test_one_file_and_its_volumes_are_one_bundle(tmp_path):
    put(tmp_path, files_of(CUT) | {"whole.uvb": small_blocks(archives=3, blocks=4)})
    assert len(chosen(tmp_path).files) == 6


def test_a_whole_copy_in_a_second_folder_is_told_in_one_line(tmp_path):
    for name in ("a", "b"):
        make_set(small_blocks(), tmp_path / name, volumes=5)
    (note,) = chosen(tmp_path / "a", tmp_path / "b").notes
    first = tmp_path / "b" / "q4.0001-of-0005.uvb"
    assert note == f"{first} and 4 more: duplicate: other files are the same volumes"


def test_where_one_is_asked_for_bundles_of_other_names_and_newer_ones_are_noted_and_do_not_count(tmp_path):
    mine = put(tmp_path / "mine", files_of(CUT))
    for stray, changes in (("newer", {"serial": 8}), ("other", {"name": "lab"})):
        make_set(small_blocks(archives=1, blocks=1, **changes), tmp_path / stray, volumes=2)
    seen = look_at(list_files([mine, tmp_path / "newer", tmp_path / "other"]))
    digest = seen[0].index
    found = choose(seen, judge=judge, name="here", wanted=lambda _, one: one == digest)
    assert found.signed.digest == digest
    assert len(found.files) == 5
    assert [note.partition("more: ")[2] for note in found.notes] == [
        "is of another bundle than the one that was asked for"
    ] * 2
