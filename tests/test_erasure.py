"""The erasure code against the section of the format that specifies it, whose slow code in plain Python is run."""

import functools
import hashlib
import itertools
import random
import re
import textwrap
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.core import gf256
from bundler.core.cut import row_size
from bundler.core.erasure import COLUMNS, PARITY, Encoder, Recovery

FORMAT = (Path(__file__).parents[1] / "bundler" / "FORMAT.md").read_text(encoding="utf-8")
SECTION = re.search(r"^## 18\. The erasure code\n(.*?)(?=^## |\Z)", FORMAT, re.MULTILINE | re.DOTALL)[1]
LENGTHS = {0: 70_000, 1: 69_999, 2: 65_536, 3: 1, 5: 65_537, 127: 40_000}


@pytest.fixture(scope="module")
def slow():
    """Return what the code in the format's section defines."""
    code = re.search(r"^    def times.*?(?=^\*\*)", SECTION, re.MULTILINE | re.DOTALL)[0]
    defined = {}
    exec(textwrap.dedent(code), defined)  # noqa: S102 - it is our own page
    defined["times"] = functools.cache(defined["times"])  # its functions look it up here
    return defined


def column_content(column, size):
    """Return a cell as the format's section makes it."""
    digests = (hashlib.sha256(f"{column}:{i}".encode()).digest() for i in itertools.count())
    return b"".join(itertools.islice(digests, size // 32 + 1))[:size]


def padded(cell, size):
    return cell.ljust(size, b"\0")


def encode(cells, *, parity, size=None):
    size = row_size(max(map(len, cells.values()), default=0)) if size is None else size
    encoder = Encoder(parity=parity, size=size)
    for column, cell in cells.items():
        encoder.add(column, cell)
    return dict(zip(parity, encoder.finish(), strict=True))


def recover(cells, parity, *, size):
    """Recover the cells that are None from the parity cells given."""
    lost = [column for column, cell in cells.items() if cell is None]
    recovery = Recovery(lost=lost, parity=list(parity), size=size)
    for column, cell in cells.items():
        if cell is not None:
            recovery.add_data(column, cell)
    for number, cell in parity.items():
        recovery.add_parity(number, cell)
    return recovery.finish()


# --- what the format says


def test_the_digests_that_the_format_lists_come_out():
    listed = dict(re.findall(r"^\| (\d+) \| `([0-9a-f]{64})` \|$", SECTION, re.MULTILINE))
    assert list(listed) == ["0", "1", "9", "99"]
    made = encode({j: column_content(j, n) for j, n in LENGTHS.items()}, parity=[0, 1, 9, 99])
    assert {str(number): hashlib.sha256(cell).hexdigest() for number, cell in made.items()} == listed


def test_the_small_answers_that_the_format_gives_come_out(slow):
    said = re.findall(r"c\((\d+), (\d+)\) = (?:c\(\d+, \d+\) = )?`([0-9a-f]{2})`", SECTION)
    assert len(said) == 5
    for p, j, value in said:
        one = encode({int(j): b"\1" + bytes(7)}, parity=[int(p)])[int(p)]
        assert sum((byte & 1) << bit for bit, byte in enumerate(one)) == int(value, 16)
        assert slow["coefficient"](int(p), int(j)) == int(value, 16)
    assert {
        number: cell.hex() for number, cell in encode({0: bytes(range(1, 9))}, parity=[0, 1]).items()
    } == {
        0: re.search(r"parity cell 0 is `([0-9a-f]{16})`", SECTION)[1],
        1: re.search(r"and cell 1 is `([0-9a-f]{16})`", SECTION)[1],
    }


def test_the_code_in_the_format_makes_the_digests_that_it_lists(slow):
    cells = {j: column_content(j, n) for j, n in LENGTHS.items()}
    assert hashlib.sha256(slow["parity_cell"](99, cells, 70_000)).hexdigest() in SECTION


def test_every_coefficient_is_that_of_the_format(slow):
    for column in range(COLUMNS):
        for number, cell in encode({column: b"\1"}, parity=range(PARITY)).items():
            found = sum(strip << bit for bit, strip in enumerate(cell))
            assert found == slow["coefficient"](number, column), (number, column)


cells_of_rows = st.dictionaries(st.integers(0, COLUMNS - 1), st.binary(max_size=70), max_size=9)
numbers = st.lists(st.integers(0, PARITY - 1), min_size=1, max_size=3, unique=True)


@given(cells=cells_of_rows, parity=numbers)
def test_parity_is_what_the_code_in_the_format_makes(slow, cells, parity):
    size = row_size(max(map(len, cells.values()), default=0))
    assert encode(cells, parity=parity) == {
        number: slow["parity_cell"](number, cells, size) for number in parity
    }


# --- what is lost


@given(data=st.data(), cells=cells_of_rows)
def test_any_loss_within_the_parity_is_recovered_bit_for_bit(data, cells):
    size = row_size(max(map(len, cells.values()), default=0))
    lost = data.draw(st.lists(st.sampled_from(sorted(cells)), unique=True)) if cells else []
    some = data.draw(
        st.lists(st.integers(0, PARITY - 1), min_size=len(lost), max_size=len(lost), unique=True)
    )
    parity = encode(cells, parity=some)
    left = {column: None if column in lost else cell for column, cell in cells.items()}
    assert recover(left, parity, size=size) == {column: padded(cells[column], size) for column in lost}


@given(size=st.integers(65_500, 140_000), cut=st.integers(0, 140_000), seed=st.integers(0, 2**32))
def test_cells_of_more_than_one_piece_are_recovered(size, cut, seed):
    content = random.Random(seed).randbytes(3 * size)
    cells = {4: content[:size], 6: content[size:][: min(cut, size)], 7: content[2 * size :], 8: b""}
    parity = encode(cells, parity=[3, 50])
    size = row_size(size)
    assert recover({**cells, 6: None, 7: None}, parity, size=size) == {
        6: padded(cells[6], size),
        7: padded(cells[7], size),
    }


def test_every_choice_of_losses_is_recovered_from_every_choice_of_parity():
    cells = {column: column_content(column, 9 + column) for column in range(5)}
    parity = encode(cells, parity=range(4))
    for count in range(5):
        for lost, used in itertools.product(
            itertools.combinations(range(5), count), itertools.combinations(range(4), count)
        ):
            left = {column: None if column in lost else cell for column, cell in cells.items()}
            found = recover(left, {number: parity[number] for number in used}, size=16)
            assert found == {column: padded(cells[column], 16) for column in lost}


def test_a_full_row_that_lost_a_hundred_cells_is_recovered():
    cells = {column: column_content(column, 40) for column in range(COLUMNS)}
    lost = random.Random(5).sample(range(COLUMNS), PARITY)
    parity = encode(cells, parity=range(PARITY))
    found = recover({**cells, **dict.fromkeys(lost)}, parity, size=40)
    assert found == {column: cells[column] for column in lost}


def determinant_is_zero(matrix, times):
    """Eliminate with the slow multiplication; return whether a column is left without a pivot."""
    for at in range(len(matrix)):
        pivot = next((row for row in matrix[at:] if row[at]), None)
        if pivot is None:
            return True
        matrix.remove(pivot)
        matrix.insert(at, pivot)
        for row in matrix[at + 1 :]:
            factor = times(row[at], gf256.inverse(pivot[at]))
            row[at:] = [
                mine ^ times(factor, theirs) for mine, theirs in zip(row[at:], pivot[at:], strict=True)
            ]
    return False


def test_every_square_part_of_the_matrix_has_an_inverse(slow):
    rng = random.Random(7)
    small = [
        pair
        for count in range(1, 5)
        for pair in itertools.product(
            itertools.combinations(range(4), count), itertools.combinations(range(6), count)
        )
    ]
    large = [
        (rng.sample(range(PARITY), count), rng.sample(range(COLUMNS), count))
        for count in (2, 3, 5, 8, 13, 21, 34)
        for _ in range(8)
    ]
    for rows, columns in small + large:
        part = [[gf256.inverse(128 + (p ^ j)) for j in columns] for p in rows]
        assert not determinant_is_zero(part, slow["times"]), (rows, columns)
    assert determinant_is_zero([[1, 2], [1, 2]], slow["times"])


def test_a_closed_form_inverse_times_its_matrix_is_the_unit_matrix(slow):
    rng = random.Random(8)
    for count in (1, 2, 7, 30):
        rows = [128 + p for p in rng.sample(range(PARITY), count)]
        columns = rng.sample(range(COLUMNS), count)
        inverse = gf256.cauchy_inverse(rows, columns)
        for a, b in itertools.product(range(count), repeat=2):
            terms = (
                slow["times"](inverse[k][a], gf256.inverse(row ^ columns[b])) for k, row in enumerate(rows)
            )
            assert functools.reduce(int.__xor__, terms) == (a == b)


# --- rows at the rim, order, and what does not matter


def test_a_row_of_empty_cells_has_empty_parity_and_is_recovered():
    assert encode({0: b"", 9: b""}, parity=[0, 7]) == {0: b"", 7: b""}
    assert recover({0: None, 9: b""}, {7: b""}, size=0) == {0: b""}
    assert encode({}, parity=[1], size=16) == {1: bytes(16)}


def test_nothing_lost_and_nothing_asked_for_is_nothing():
    assert recover({0: b"a"}, {}, size=8) == {}
    assert encode({0: b"a"}, parity=[]) == {}


def test_the_size_of_a_row_is_that_of_its_longest_cell_to_the_next_eight():
    assert [row_size(longest) for longest in (0, 1, 8, 9, 1 << 20)] == [0, 8, 8, 16, 1 << 20]


def test_the_order_of_cells_and_the_number_of_parity_cells_change_nothing():
    cells = {column: column_content(column, 20 * column) for column in (90, 3, 17)}
    backwards = dict(sorted(cells.items(), reverse=True))
    assert encode(cells, parity=[5]) == {5: encode(backwards, parity=range(40))[5]}


def test_an_empty_column_is_as_good_as_none():
    cells = {1: b"something", 2: b"other"}
    assert encode({**cells, 3: b""}, parity=range(3)) == encode(cells, parity=range(3))


def test_damage_in_a_cell_that_was_given_comes_out_as_damage():
    cells = {column: column_content(column, 64) for column in range(4)}
    parity = encode(cells, parity=[0])
    found = recover({**cells, 0: None, 1: bytes(64)}, parity, size=64)
    assert found[0] != cells[0]  # which is why a digest decides


def test_only_the_cells_that_are_computed_are_held():
    cell = bytes(random.Random(1).randbytes(1 << 20))
    tracemalloc.start()
    try:
        encoder = Encoder(parity=range(2), size=1 << 20)
        for column in range(20):
            encoder.add(column, cell)
        encoder.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 << 20  # bytes: the sums of two cells, one of them as bytes, and a piece's combinations


# --- wrong use


def recovery():
    return Recovery(lost=[1], parity=[2], size=8)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: Encoder(parity=[0], size=7), "size of a row: expected a multiple of 8, found 7"),
        (lambda: Encoder(parity=[0], size=-8), "size of a row: expected a multiple of 8, found -8"),
        (lambda: Encoder(parity=[100], size=8), "parity cell 100: "),
        (lambda: Encoder(parity=[3, 3], size=8), "parity cell 3: "),
        (lambda: Encoder(parity=[0], size=8).add(128, b""), "column 128: "),
        (lambda: Encoder(parity=[0], size=8).add(-1, b""), "column -1: "),
        (
            lambda: Encoder(parity=[0], size=8).add(0, bytes(9)),
            "data cell: expected at most 8 bytes, found 9",
        ),
        (
            lambda: Encoder(parity=[0], size=0).add(0, b"a"),
            "data cell: expected at most 0 bytes, found 1",
        ),
        (lambda: [(one := Encoder(parity=[0], size=8)).add(0, b""), one.add(0, b"")], "column 0: "),
        (lambda: [(one := Encoder(parity=[0], size=8)).finish(), one.add(0, b"")], "column 0: "),
        (lambda: [(one := Encoder(parity=[0], size=8)).finish(), one.finish()], "finish: expected once"),
        (lambda: Recovery(lost=[128], parity=[0], size=8), "column 128: "),
        (lambda: Recovery(lost=[1, 1], parity=[0, 1], size=8), "column 1: "),
        (lambda: Recovery(lost=[1, 2], parity=[0, 0], size=8), "parity cell 0: "),
        (
            lambda: Recovery(lost=[1, 2], parity=[0], size=8),
            "2 lost cells: expected as many parity cells, found 1",
        ),
        (lambda: recovery().add_data(1, b""), "column 1: "),
        (lambda: recovery().add_parity(1, bytes(8)), "parity cell 1: "),
        (lambda: recovery().add_parity(2, bytes(7)), "parity cell 2: expected 8 bytes, found 7"),
        (
            lambda: [(one := recovery()).add_parity(2, bytes(8)), one.add_parity(2, bytes(8))],
            "parity cell 2: ",
        ),
        (lambda: recovery().finish(), "parity cell 2: expected before the end"),
        (
            lambda: [(one := recovery()).add_parity(2, bytes(8)), one.finish(), one.finish()],
            "finish: expected once",
        ),
        (
            lambda: [(one := recovery()).add_parity(2, bytes(8)), one.finish(), one.add_data(0, b"")],
            "column 0: ",
        ),
    ],
)
def test_wrong_use_is_told(use, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        use()
