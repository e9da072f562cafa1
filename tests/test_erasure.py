"""The erasure code against the section of the format that specifies it, whose slow code in plain Python is run."""

import functools
import hashlib
import itertools
import random
import re

import pytest
from erasing import LENGTHS, SECTION, cells_of_rows, code_of_the_format, column_content, encode
from hypothesis import given
from hypothesis import strategies as st

from bundler.core import gf256
from bundler.core.cut import row_size
from bundler.core.erasure import COLUMNS, PARITY


@pytest.fixture(scope="module")
def slow():
    """What the code in the format's section defines."""
    return code_of_the_format()


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


numbers = st.lists(st.integers(0, PARITY - 1), min_size=1, max_size=3, unique=True)


@given(cells=cells_of_rows, parity=numbers)
def test_parity_is_what_the_code_in_the_format_makes(slow, cells, parity):
    size = row_size(max(map(len, cells.values()), default=0))
    assert encode(cells, parity=parity) == {
        number: slow["parity_cell"](number, cells, size) for number in parity
    }


# --- its matrix


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
