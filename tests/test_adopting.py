import pytest
from bundles import Packer
from losing import bundle, files_of, judge, put, verify
from volumes import make_set, small_blocks

from bundler.core.cut import Cut
from bundler.volumes import adopting
from bundler.volumes.adopting import adopt
from bundler.volumes.choosing import choose
from bundler.volumes.opening import opened
from bundler.volumes.recutting import begin
from bundler.volumes.survey import list_files, look_at

CUT, SPARE = Cut(volumes=5), Cut(volumes=5, parity=2)


def adopted(*folders):
    found = choose(look_at(list_files(folders)), judge=judge, name="here")
    return found, adopt(judge(found.signed, "here"), found)


def joined(folder):
    with opened([folder], judge=judge) as one:
        given = begin(one.source, name=one.name)
        return b"".join(given.source.container(given.blocks()))


def places(data):
    """Return where the digits in the first line of `VOLUME` are."""
    begin = data.index(b"uv-bundler.volume.v1") + len(b"uv-bundler.volume.v1")
    return [at for at in range(begin, data.index(b"\n", begin)) if data[at : at + 1].isdigit()]


@pytest.mark.parametrize("called", ["", "x.uvb"])
def test_any_wrong_digit_in_what_a_volume_says_that_it_is_costs_nothing(called, tmp_path):
    files = files_of(CUT)
    name, data = list(files.items())[2]
    others = {one: content for one, content in files.items() if one != name}
    for number, at in enumerate(places(data)):
        for digit in b"0", b"1", b"9":
            wrong = data[:at] + digit + data[at + 1 :]
            if wrong == data or number % 7 * (at > places(data)[8]):
                continue
            folder = put(tmp_path / f"{at}-{digit.decode()}", others | {called or name: wrong})
            assert joined(folder) == bundle(), (at, digit)


def test_a_volume_with_other_words_for_people_is_what_its_first_line_says(tmp_path):
    files = files_of(CUT)
    name, data = list(files.items())[2]
    put(tmp_path, files | {name: data.replace(b"This is volume", b"This is not an")})
    assert verify(tmp_path).index
    assert joined(tmp_path) == bundle()


@pytest.mark.parametrize("place", range(7))
def test_a_file_without_front_and_name_is_told_by_the_headers_of_its_first_cells(place, tmp_path):
    files = files_of(SPARE)
    name, data = list(files.items())[place]
    volume = data.index(b"uv-bundler.volume.v1")
    first = volume + 1024  # the header of its first cell
    content = data[:600] + b"rot" + data[603:volume] + b"rot" + data[volume + 3 :]
    worse = content[:first] + b"rot" + content[first + 3 :]
    right = next(one for one in adopted(put(tmp_path / "well", files))[1] if one.path.name == name)
    for number, spoilt in enumerate((content, worse)):
        others = {one: data for one, data in files.items() if one != name}
        folder = put(tmp_path / str(number), others | {"x.uvb": spoilt})
        (seen,) = [one for one in adopted(folder)[1] if one.path.name == "x.uvb"]
        assert (seen.head, seen.start) == (right.head, right.start)
        assert not seen.intact


def test_files_of_another_bundle_are_not_tried_and_doubtful_ones_are_tried_once(tmp_path, monkeypatch):
    make_set(bundle(), tmp_path / "a", volumes=60, parity=3)
    stranger = small_blocks(archives=1, packers=(Packer(seed=9, name="stranger"),))
    make_set(stranger, tmp_path / "b", volumes=9)
    put(tmp_path / "c", {f"junk-{number}.uvb": bytes(300_000) for number in range(4)})
    tried, real = [], adopting._holds
    monkeypatch.setattr(adopting, "_holds", lambda index, seen: tried.append(seen) or real(index, seen))
    found, files = adopted(tmp_path / "a", tmp_path / "b", tmp_path / "c")
    assert len(found.doubtful) == 13
    assert len(files) == 63
    assert len(tried) <= 4


def test_a_whole_bundle_with_a_damaged_front_is_known_beside_a_good_one(tmp_path):
    put(tmp_path, {"a.uvb": bundle(), "b.uvb": b"rot" + bundle()[3:]})
    assert [(one.head, one.intact) for one in adopted(tmp_path)[1]] == [(None, True), (None, False)]
