"""A repair ticket as a line and as a file: any wrong character is told (FORMAT.md §17)."""

import pytest
from hypothesis import given, settings
from ticketneeds import INDEX, index_of, needs

from bundler.core.cut import Cut, Layout
from bundler.core.fault import Fault
from bundler.core.ticket import MAX_TICKET_BYTES, Ticket, ranges_of
from bundler.core.ticketfit import blocks_of, exact_ticket

CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+,-"
SAMPLES = (
    Ticket(
        index="7c2e904f1a",
        cut=Cut(volumes=40, parity=4),
        volumes=ranges_of([7, 19, 31, 32, 33]),
        blocks=ranges_of(range(515, 521)),
    ),
    Ticket(index="0000000000", cut=Cut(volumes=1), volumes=ranges_of([1])),
    Ticket(index="ffff111122", cut=Cut(volumes=300, parity=9, groups=3), volumes=ranges_of([8, 300])),
    Ticket(
        index="0123456789",
        cut=Cut(volumes=128, parity=3, whole=True),
        blocks=ranges_of([0, 2, 9, 99, 1000, 1001]),
    ),
)


def test_the_line_reads_as_people_say_it():
    assert str(SAMPLES[0]) == "UVB1 7C2E904F1A 40+4 V7,19,31-33 B515-520 BE75"
    assert str(SAMPLES[2]).startswith("UVB1 FFFF111122 300+9X3 V8,300 ")
    assert str(SAMPLES[3]).startswith("UVB1 0123456789 W128+3 B0,2,9,99,1000-1001 ")


@settings(max_examples=60, deadline=None)
@given(needs())
def test_line_and_file_say_what_they_were_made_of(case):
    layout, needed = case
    ticket = exact_ticket(needed, layout=layout, index=INDEX)
    assert blocks_of(ticket, layout) == needed
    assert Ticket.from_bytes(ticket.to_bytes()) == ticket
    read = Ticket.parse(str(ticket))
    assert str(read) == str(ticket)
    assert Ticket.parse(str(read)) == read
    assert (read.volumes, read.blocks, read.cut) == (ticket.volumes, ticket.blocks, ticket.cut)
    assert read.is_for(INDEX)
    assert not read.is_for("7c2e904f1b" + "5" * 54)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_every_wrong_character_is_told(sample):
    line = str(sample)
    for at, right in enumerate(line):
        for wrong in CHARACTERS:
            alike = {"O": "0", "I": "1", "L": "1", "S": "5", "Z": "2", "G": "6"}.get(wrong, wrong)
            if right in (" ", alike):
                continue
            with pytest.raises(Fault):
                Ticket.parse(line[:at] + wrong + line[at + 1 :])


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_every_two_characters_that_changed_places_are_told(sample):
    line = str(sample).replace(" ", "")
    for first in range(len(line)):
        for other in range(first + 1, len(line)):
            if line[first] != line[other]:
                swapped = list(line)
                swapped[first], swapped[other] = swapped[other], swapped[first]
                with pytest.raises(Fault):
                    Ticket.parse("".join(swapped))


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_a_character_that_was_left_out_or_doubled_is_told(sample):
    line = str(sample)
    for at, right in enumerate(line):
        if right not in " -":
            with pytest.raises(Fault):
                Ticket.parse(line[:at] + line[at + 1 :])
            with pytest.raises(Fault):
                Ticket.parse(line[:at] + right + line[at:])


@pytest.mark.parametrize(
    "typed",
    [
        "uvb1 7c2e904f1a 40+4 v7,19,31-33 b515-520 be75",
        "UVB17C2E904F1A40+4V7,19,31-33B515-520BE75",
        "  UVB1 7C2E9-O4FIA 40+4 V7, L9, 31-33 BSI5 - 5ZO BE-75\n",
        "UVB1-7C2E904F1A-40+4 V7,19,31\u201333 B515\u2212520-BE75",
    ],
)
def test_small_letters_blanks_hyphens_and_lookalikes_are_forgiven(typed):
    assert Ticket.parse(typed) == SAMPLES[0]


def rechecked(line):
    """Return the line with the check that fits it, whatever it says."""
    digits = line.replace(" ", "") + "0000"
    value = sum(CHARACTERS.index(one) * 16**at for at, one in enumerate(reversed(digits)))
    return f"{line} {(1 - value) % 65519:04X}"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("UVB1 7C2E904F1A 40+4", "expected volumes or blocks that are needed, found none"),
        ("UVB1 7C2E904F1A 40+4 V41", "expected volumes between 1 and 40, each once and ascending, found 41"),
        ("UVB1 7C2E904F1A 40+4 V0", "expected volumes between 1 and 40, each once and ascending, found 0"),
        ("UVB1 7C2E904F1A 40+4 V7,7", "expected volumes between 1 and 40, each once and ascending, found 7"),
        ("UVB1 7C2E904F1A 40+4 V7,8", "expected volumes between 1 and 40, each once and ascending, found 8"),
        ("UVB1 7C2E904F1A 40+4 B9-9", "expected a number or a range such as 31-33, found '9-9'"),
        ("UVB1 7C2E904F1A 40+4 B07", "expected a number or a range such as 31-33, found '07'"),
        ("UVB1 7C2E904F1A 040+4 B7", "expected a line as `missing` prints it"),
        ("UVB1 7C2E904F1A 40+4X1 B7", "expected a line as `missing` prints it"),
        (
            "UVB1 7C2E904F1A 400+4 B7",
            "expected a cut, found one of 400 volumes, 4 parity columns and 1 groups",
        ),
        ("UVB2 7C2E904F1A 40+4 B7", "expected a line that begins with UVB1"),
    ],
)
def test_a_line_that_no_need_gives_is_refused_although_its_check_fits(line, message):
    with pytest.raises(Fault) as caught:
        Ticket.parse(rechecked(line))
    assert message in str(caught.value)


def test_a_block_beyond_seven_digits_has_no_place_in_a_ticket():
    assert Ticket.parse(str(Ticket(index=INDEX, cut=Cut(volumes=1), blocks=ranges_of([9_999_999]))))
    with pytest.raises(Fault, match="expected blocks between 0 and 9999999, each once and ascending"):
        Ticket(index=INDEX, cut=Cut(volumes=1), blocks=ranges_of([10_000_000]))


def test_a_file_that_was_changed_or_cut_off_is_refused():
    data = exact_ticket([1, 5, *range(40, 80)], layout=Layout(index_of(100), Cut(volumes=8)), index=INDEX)
    data = data.to_bytes()
    for at in range(len(data)):
        with pytest.raises(Fault):
            Ticket.from_bytes(data[:at])
        with pytest.raises(Fault):
            Ticket.from_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    with pytest.raises(Fault, match="at most 2097152 bytes"):
        Ticket.from_bytes(data + b"\n" * MAX_TICKET_BYTES)


def test_a_file_may_hold_the_line_or_come_with_the_line_ends_of_windows():
    assert Ticket.from_bytes(f"{SAMPLES[0]}\r\n".encode()) == SAMPLES[0]
    whole = exact_ticket([1, 5], layout=Layout(index_of(100), Cut(volumes=8)), index=INDEX)
    assert Ticket.from_bytes(whole.to_bytes().replace(b"\n", b"\r\n")) == whole


def test_a_block_that_the_bundle_has_not_is_refused():
    ticket = Ticket(index=INDEX, cut=Cut(volumes=4), blocks=ranges_of([100]))
    with pytest.raises(Fault, match="the bundle has blocks 0 to 99, expected one of them, found 100"):
        blocks_of(ticket, Layout(index_of(100), Cut(volumes=4)))
