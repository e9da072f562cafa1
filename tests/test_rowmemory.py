"""How many parity cells of a row are in memory at once."""

import pytest

from bundler.volumes.rowmemory import ROW_BYTES, fits, parts


def test_as_many_cells_fit_as_the_bound_has_room_for():
    assert fits(32, size=ROW_BYTES // 32)
    assert not fits(33, size=ROW_BYTES // 32)


@pytest.mark.parametrize(
    ("count", "size", "lengths"),
    [
        (5, ROW_BYTES // 2, [2, 2, 1]),
        (5, ROW_BYTES // 2 + 1, [1, 1, 1, 1, 1]),
        (3, 2 * ROW_BYTES, [1, 1, 1]),  # one cell is read whatever it takes
        (4, ROW_BYTES // 4, [4]),
        (4, 0, [4]),
        (0, 8, [0]),
    ],
)
def test_columns_come_in_parts_that_fit_and_all_of_them_once(count, size, lengths):
    found = list(parts(range(10, 10 + count), size=size))
    assert [len(one) for one in found] == lengths
    assert [column for one in found for column in one] == [*range(10, 10 + count)]
