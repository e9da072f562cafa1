"""The erasure code: any loss within the parity is recovered, also of rows at the rim, and in any order."""

import itertools
import random
import tracemalloc

from erasing import cells_of_rows, column_content, encode, padded, recover
from hypothesis import given
from hypothesis import strategies as st

from bundler.core.cut import row_size
from bundler.core.erasure import COLUMNS, PARITY, Encoder

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
