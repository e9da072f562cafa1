"""Which parity cells a row is recovered from, where some of them may be lies."""

import pytest

from bundler.volumes.choices import MAX_TRIES, ParityCell, choices


def chosen(columns, count):
    """Return the places of the cells in each choice; `columns` says of which column each cell is."""
    cells = [ParityCell(column=column, seen=place) for place, column in enumerate(columns)]
    return [tuple(one.seen for one in choice) for choice in choices(cells, count)]


def test_the_first_cells_come_first_and_no_choice_comes_twice():
    found = chosen(range(5), 3)
    assert found[0] == (0, 1, 2)
    assert len(found) == len(set(found)) == 10


@pytest.mark.parametrize("cells", [2, 3, 5, 12, 22, 40, MAX_TRIES])
def test_a_lie_among_more_cells_than_are_needed_is_not_in_every_choice(cells):
    for needed in range(1, cells):
        found = chosen(range(cells), needed)
        assert all(any(lie not in choice for choice in found) for lie in range(cells)), needed


def test_two_lies_are_passed_by_wherever_they_are_in_a_few_cells():
    assert {(1, 3, 4), (0, 2, 4)} <= set(chosen(range(5), 3))


def test_no_choice_has_two_cells_of_one_column():
    columns = (0, 1, 2, 0, 1, 2)
    found = chosen(columns, 2)
    assert found
    assert all(len({columns[place] for place in choice}) == 2 for choice in found)


def test_there_are_never_more_than_64_choices():
    assert len(chosen(range(100), 50)) == MAX_TRIES == 64
