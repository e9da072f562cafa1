import hashlib
from contextlib import closing

import pytest
from losing import bundle, files_of, judge, put

from bundler.core import ustar
from bundler.core.cut import Cut, parity_name
from bundler.errors import IncompleteFault
from bundler.volumes.adopting import adopt
from bundler.volumes.choosing import choose
from bundler.volumes.recovery import Rows
from bundler.volumes.shelf import Shelf
from bundler.volumes.shortage import check_enough
from bundler.volumes.survey import list_files, look_at

CUT = Cut(volumes=5, parity=2)
WORDS = "here"


def shelf_of(*folders):
    found = choose(look_at(list_files(folders)), judge=judge, name="here")
    index = judge(found.signed, "here")
    return closing(Shelf(index, adopt(index, found)))


def spoilt(files, name, at):
    data = bytearray(files[name])
    data[at] ^= 1
    return files | {name: bytes(data)}


def test_a_row_is_read_once_for_all_that_it_lost_and_each_cell_at_most_twice(tmp_path, monkeypatch):
    files = dict(list(files_of(CUT).items())[1:])  # a volume is missing, and a cell of another one is bad
    name = next(iter(files))
    put(tmp_path, spoilt(files, name, len(files[name]) - 5000))
    with shelf_of(tmp_path) as shelf:
        read, real = [], shelf.read
        monkeypatch.setattr(shelf, "read", lambda block: read.append(block) or real(block))
        rows = Rows(shelf)
        for block in range(len(shelf.blocks)):
            assert hashlib.sha256(rows.get(block)).hexdigest() == shelf.blocks.digest(block).hex
        assert rows.recovered == len(shelf.layouts[0].volume_blocks(0)) + 1
        assert max(map(read.count, read)) <= 3


def lie(data):
    """Return a parity volume whose first cell is another one, under its true digest."""
    at = data.index(b"parity/0000-")
    name, size = ustar.parse_header(data[at : at + 512])
    cell = bytes(reversed(data[at + 512 : at + 512 + size]))
    group, number, column = (int(one) for one in name.split("/")[1].split("-")[:3])
    header = ustar.header(parity_name(group, number, column, hashlib.sha256(cell).hexdigest()), size)
    return data[:at] + header + cell + data[at + 512 + size :]


def test_parity_that_lies_is_passed_over_for_parity_that_does_not(tmp_path):
    files = dict(list(files_of(CUT).items())[1:])
    first, second = [name for name in files if ".p0" in name]
    put(tmp_path / "one", files | {first: lie(files[first])})
    with shelf_of(tmp_path / "one") as shelf:
        assert Rows(shelf).get(0) is not None
    put(tmp_path / "both", files | {name: lie(files[name]) for name in (first, second)})
    with shelf_of(tmp_path / "both") as shelf:
        rows = Rows(shelf)
        assert rows.get(0) is None
        assert rows.get(shelf.layouts[0].volume_blocks(0)[1]) is not None
        assert not shelf.harm


def test_more_than_parity_recovers_is_none_and_the_rest_is_read(tmp_path):
    put(tmp_path, dict(list(files_of(CUT).items())[3:]))
    with shelf_of(tmp_path) as shelf:
        rows = Rows(shelf)
        there = {block for volume in (3, 4) for block in shelf.layouts[0].volume_blocks(volume)}
        assert {block for block in range(len(shelf.blocks)) if rows.get(block) is not None} >= there
        assert rows.get(0) is None
        with pytest.raises(IncompleteFault, match=r"here: 3 of 5 volumes are missing: 1-3 "):
            check_enough(shelf, name="here", words=WORDS)


def test_what_two_cuts_lack_is_made_of_both(tmp_path):
    other = Cut(volumes=6, parity=2, whole=True)
    put(tmp_path / "a", dict(list(files_of(CUT).items())[3:]))
    whole, parity = files_of(other).values()
    put(tmp_path / "b", {"q4.uvb": whole[: len(whole) // 2], "q4.parity.uvb": parity})
    with shelf_of(tmp_path / "a", tmp_path / "b") as shelf:
        check_enough(shelf, name="here", words=WORDS)
        rows = Rows(shelf)
        assert all(rows.get(block) in bundle() for block in range(len(shelf.blocks)))


def test_enough_is_told_by_rows_and_each_is_looked_at_once(tmp_path, monkeypatch):
    put(tmp_path, dict(list(files_of(CUT).items())[2:]))
    with shelf_of(tmp_path) as shelf:
        asked, real = [], shelf.has_parity
        monkeypatch.setattr(shelf, "has_parity", lambda *words: asked.append(words) or real(*words))
        check_enough(shelf, name="here", words=WORDS)
        assert len(asked) == len(set(asked)) == 2 * shelf.layouts[0].rows(0)
