import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.core.text import counted, duration, listed, printable, size, span


@pytest.mark.parametrize(
    ("things", "most", "written"),
    [
        ("", 1, ""),
        ("a", 1, "a"),
        ("ab", 1, "a and 1 more"),
        ("abc", 2, "a, b and 1 more"),
        ("abc", 3, "a, b, c"),
        ([1, "b", 3, 4], 2, "1, b and 2 more"),
    ],
)
def test_of_many_things_the_first_are_named_and_the_others_are_counted(things, most, written):
    assert listed(iter(things), most=most) == written


@given(st.text())
def test_printable_text_moves_no_cursor(text):
    shown = printable(text)
    assert all(unicodedata.category(char)[0] not in "CZ" or char == " " for char in shown)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb", "a\\nb"),
        ("a\u202eb", "a\\u202eb"),
        ("\xa0", "\\xa0"),
        ("tab\there", "tab\\there"),
        ("grün ✓", "grün ✓"),
    ],
)
def test_escapes_and_bidi_marks_are_shown_as_text(hostile, shown):
    assert printable(hostile) == shown


def test_long_text_is_cut():
    assert printable("x" * 50, limit=10) == "x" * 10 + "…"


def test_naughty_strings_become_one_line(shared_vectors):
    for text in json.loads((shared_vectors / "blns.json").read_text()):
        assert len(printable(text).splitlines()) <= 1


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (6 << 30, "6.0 GiB")]
)
def test_sizes_have_binary_units(count, shown):
    assert size(count) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(0.44, "0.4 s"), (12.2, "12 s"), (185, "3 min 05 s")])
def test_durations_read_as_people_say_them(seconds, shown):
    assert duration(seconds) == shown


@pytest.mark.parametrize(("count", "shown"), [(0, "0 files"), (1, "1 file"), (2, "2 files")])
def test_a_noun_takes_an_s_unless_there_is_one_of_it(count, shown):
    assert counted(count, "file") == shown


@pytest.mark.parametrize(("numbers", "shown"), [((3,), "3"), ((2, 3), "2 to 3"), ((2, 3, 4), "2 to 4")])
def test_consecutive_numbers_are_told_by_their_ends(numbers, shown):
    assert span(numbers) == shown
