"""A need that no line has room for is widened, and as little as the search finds (FORMAT.md §17)."""

from dataclasses import replace

from hypothesis import given, settings
from ticketneeds import INDEX, index_of, needs

from bundler.core.cut import Cut, Layout
from bundler.core.ticket import LINE_CHARS, MAX_TICKET_BYTES, Ticket, ranges_of
from bundler.core.ticketfit import blocks_of, exact_ticket, fitting


@settings(max_examples=60, deadline=None)
@given(needs())
def test_what_a_line_asks_for_holds_all_that_is_needed_in_80_characters(case):
    layout, needed = case
    exact = exact_ticket(needed, layout=layout, index=INDEX)
    short = fitting(exact, layout=layout)
    assert len(str(short)) <= LINE_CHARS
    assert set(needed) <= set(blocks_of(short, layout))
    if len(str(exact)) <= LINE_CHARS:
        assert blocks_of(short, layout) == needed


def test_a_line_of_80_characters_is_exact_and_one_more_is_too_much():
    layout = Layout(index_of(100), Cut(volumes=1))
    for needed, characters in (([0, 2, *range(10, 43, 2)], 80), ([0, *range(10, 45, 2)], 81)):
        exact = exact_ticket(needed, layout=layout, index=INDEX)
        assert len(str(exact)) == characters
        assert (blocks_of(fitting(exact, layout=layout), layout) == needed) is (characters == 80)


def test_the_largest_need_fits_a_line_too():
    layout = Layout(index_of(100_000), Cut(volumes=9999, parity=83, groups=120))
    needed = range(1, 100_000, 2)
    exact = exact_ticket(needed, layout=layout, index=INDEX)
    assert len(exact.to_bytes()) < MAX_TICKET_BYTES
    assert max(line.count(b",") for line in exact.to_bytes().splitlines()) == 11  # twelve ranges
    assert Ticket.from_bytes(exact.to_bytes()) == exact
    short = fitting(exact, layout=layout)
    assert len(str(short)) <= LINE_CHARS
    assert set(needed) <= set(blocks_of(short, layout))


def test_scattered_blocks_of_one_volume_are_asked_for_as_that_volume():
    layout = Layout(index_of(4000), Cut(volumes=40))
    half = list(layout.volume_blocks(6))[50:]
    short = fitting(exact_ticket([*half, 3999], layout=layout, index=INDEX), layout=layout)
    assert (short.volumes, short.blocks) == (ranges_of([7]), ranges_of([3999]))


def test_of_the_ways_to_join_the_one_that_asks_for_least_is_taken():
    layout = Layout(index_of(4000), Cut(volumes=100))
    ends = [*layout.volume_blocks(0), *layout.volume_blocks(99)]
    short = fitting(exact_ticket([*ends, *range(1001, 3000, 131)], layout=layout, index=INDEX), layout=layout)
    assert len(blocks_of(short, layout)) == 720  # as one range of volumes they would be the whole bundle


def test_of_two_damaged_volumes_the_one_that_lost_more_is_asked_for_whole():
    layout = Layout(index_of(4000), Cut(volumes=40))
    needed = [*list(layout.volume_blocks(2))[:2], *list(layout.volume_blocks(30))[20:]]
    short = fitting(exact_ticket(needed, layout=layout, index=INDEX), layout=layout)
    assert short.volumes == ranges_of([31])
    assert blocks_of(replace(short, volumes=()), layout) == needed[:2]


def test_ranges_are_joined_where_the_gaps_are_smallest():
    layout = Layout(index_of(400_000), Cut(volumes=1))
    needed = [at + step for at in range(0, 400_000, 100_000) for step in range(0, 10, 2)]
    short = fitting(exact_ticket(needed, layout=layout, index=INDEX), layout=layout)
    assert len(blocks_of(short, layout)) <= 4 * 9
    assert len(short.blocks) >= 4
