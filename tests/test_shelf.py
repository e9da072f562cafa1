from contextlib import closing

import pytest
from losing import bundle, files_of, look_at, put
from volumes import blocks_of, source_of

from bundler.core import ustar
from bundler.core.cut import Cut
from bundler.core.fault import Fault
from bundler.core.volumehead import RESEND, Head
from bundler.volumes.shelf import Shelf
from bundler.volumes.survey import look

CUT = Cut(volumes=5)
SOURCE = source_of(bundle())
HEAD = Head(kind=RESEND, number=1, cut=CUT, index=SOURCE.digest)
BLOCKS = Shelf(SOURCE.index, []).blocks
CONTENT = list(blocks_of(bundle()))


def look_into(data, folder):
    (folder / "x.uvb").write_bytes(data)
    return Shelf(SOURCE.index, [look(folder / "x.uvb")])


def cell(block, *, name=None, data=None):
    data = CONTENT[block] if data is None else data
    return ustar.header(name or BLOCKS.name(block), len(data)) + data + ustar.padding(len(data))


HOSTILE = {  # cells of a supplement, which of them count, and what is said of the file
    "in order": (lambda: cell(2) + cell(5) + ustar.END, {2, 5}, None),
    "backwards": (lambda: cell(5) + cell(2) + ustar.END, {5}, "expected the next block"),
    "twice": (lambda: cell(5) * 2 + ustar.END, {5}, "expected the next block"),
    "beyond the index": (lambda: cell(2, name="blocks/99999-0000000"), set(), "expected the name of a block"),
    "beyond a member": (lambda: cell(2, name="blocks/00001-9999999"), set(), "expected the name of a block"),
    "not a block": (lambda: cell(2, name="parity/0000-0000000-000"), set(), "expected the name of a block"),
    "of another size": (lambda: cell(2, data=b"short"), set(), "expected the next block"),
    "of another content": (lambda: cell(2, data=bytes(len(CONTENT[2]))), set(), "is damaged"),
    "cut off": (lambda: cell(2) + cell(5)[:-600], {2}, None),
    "cut off in a header": (lambda: cell(2) + cell(5)[:100], {2}, None),
    "8 GiB of nothing": (lambda: ustar.header(BLOCKS.name(2), ustar.MAX_SIZE), set(), "expected the next block"),
    "empty": (lambda: b"", set(), None),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_supplement_gives_what_is_right_in_it_and_says_what_is_not(kind, tmp_path):
    cells, right, wrong = HOSTILE[kind]
    with closing(look_into(SOURCE.opening(HEAD) + cells(), tmp_path)) as shelf:
        found = {block for block in range(len(BLOCKS)) if shelf.read(block) is not None}
        assert found == right
        assert all(shelf.read(block) == CONTENT[block] for block in found)
        said = [harm.first for harm in shelf.harm.values()]
        assert not wrong or wrong in said[0], said
        assert {block for block in range(len(BLOCKS)) if shelf.has(block)} >= found
        (seen,) = shelf.files
        if kind == "in order":
            assert (shelf.expected_size(seen), shelf.tail(seen)) == (seen.size, ustar.END)


def test_many_supplements_are_laid_beside_each_other(tmp_path):
    every = range(len(BLOCKS))
    for number, blocks in enumerate((every[0::3], every[1::3], every[2::3], every[3:4])):
        data = SOURCE.opening(HEAD) + b"".join(map(cell, blocks)) + ustar.END
        (tmp_path / f"{number}.uvb").write_bytes(data)
    with closing(Shelf(SOURCE.index, [look(one) for one in sorted(tmp_path.iterdir())])) as shelf:
        assert {block for block in every if shelf.has(block)} == set(every)
        assert [len(list(shelf.spots(block))) for block in every[:3]] == [1, 1, 1]
        assert len(list(shelf.spots(every[3]))) == 2
        assert all(shelf.read(block) == CONTENT[block] for block in every)


def test_a_parity_file_that_ends_early_is_told_once_however_many_cells_it_should_have(tmp_path):
    cut = Cut(volumes=6, parity=2, whole=True)
    files = files_of(cut)
    put(tmp_path, {"q4.parity.uvb": files["q4.parity.uvb"][:20_000], "q4.uvb": files["q4.uvb"]})
    _, inventory = look_at(tmp_path)
    parity = next(one for one in inventory.copies if one.seen.head)
    assert (parity.bad, parity.cut_off) == (parity.cells, True)
    with closing(Shelf(SOURCE.index, inventory.files)) as shelf:
        for cell_of in shelf.layouts[0].parity_cells(0):
            assert shelf.parity(cut, *cell_of) is None
        assert shelf.harm[parity.seen.path].count == 1


@pytest.mark.parametrize(
    "claim",
    [
        "parity 1 volumes 1 parity 100 groups 1 whole 1",  # as many cells as 100 times the blocks
        "parity 1 volumes 3 parity 4 groups 1 whole 1",
        "data 1 volumes 9999 parity 1 groups 1 whole 0",
        "data 1 volumes 129 parity 1 groups 1 whole 0",
        "data 1 volumes 9999 parity 0 groups 0 whole 0",
        "data 0 volumes 9999 parity 0 groups 1 whole 0",
        "parity 1 volumes 9999 parity 0 groups 1 whole 0",
        "parity 1 volumes 100 parity 101 groups 1 whole 0",
        "data 1 volumes 10 parity 1 groups 11 whole 0",
    ],
)
def test_a_cut_that_nobody_can_need_is_no_cut(claim):
    with pytest.raises(Fault, match="expected the first line of VOLUME"):
        Head.parse(f"uv-bundler.volume.v1 {claim} index {'0' * 64}\n".encode())


def test_volumes_of_a_cut_with_more_volumes_than_blocks_are_empty_and_no_fault(tmp_path):
    cut = Cut(volumes=9999)
    head = Head(kind="data", number=9999, cut=cut, index=SOURCE.digest)
    with closing(look_into(SOURCE.opening(head) + ustar.END, tmp_path)) as shelf:
        (seen,) = shelf.files
        assert shelf.expected_size(seen) == seen.size
        assert not any(shelf.has(block) for block in range(len(BLOCKS)))
        assert shelf.tail(seen) == ustar.END
