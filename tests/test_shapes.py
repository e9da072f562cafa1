import pytest

from bundler.core.fault import Fault
from bundler.core.shapes import Either, Flag, Key, Nothing, Record, Seq, Table, Text, Whole

SHAPE = Record(
    keys={
        "name": Key(shape=Text(what="a name", pattern="[a-z]+", max_chars=8), required=True),
        "count": Key(shape=Whole(minimum=1, maximum=9, unit="bytes"), default=1),
        "flag": Key(shape=Flag()),
        "kind": Key(shape=Text(options=("red", "green"))),
        "items": Key(shape=Seq(item=Text(), max_items=2), default=()),
        "either": Key(shape=Either(kinds=((str, Text()), (type(None), Nothing())), what="a string or null")),
        "table": Key(shape=Table(value=Whole())),
    }
)


def test_known_keys_are_read_and_absent_ones_defaulted():
    read = SHAPE.read({"name": "abc", "items": ["x"], "table": {"a": 1}})
    assert read == {
        "name": "abc", "count": 1, "flag": None, "kind": None, "items": ("x",), "either": None, "table": {"a": 1},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("document", "message", "hint"),
    [
        ([], "expected a mapping, found a list of 0", None),
        ({}, "name: missing, but required", None),
        ({"name": 1}, "name: expected a name, found the number 1", None),
        ({"name": "ABC"}, "name: expected a name, found the string 'ABC'", None),
        ({"name": "abcdefghi"}, "name: expected at most 8 characters, found 9", None),
        (
            {"name": "a", "count": True},
            "count: expected a whole number of bytes, found the truth value true",
            None,
        ),
        ({"name": "a", "count": 10}, "count: expected 1 to 9 of bytes, found 10", None),
        ({"name": "a", "flag": "yes"}, "flag: expected true or false, found the string 'yes'", None),
        (
            {"name": "a", "kind": "gren"},
            "kind: expected one of red, green; found 'gren'",
            "did you mean 'green'?",
        ),
        ({"name": "a", "items": ["x", None]}, "items[1]: expected a string, found nothing", None),
        ({"name": "a", "items": ["x"] * 3}, "items: expected 0 to 2 items, found 3", None),
        ({"name": "a", "either": []}, "either: expected a string or null, found a list of 0", None),
        ({"name": "a", "table": {"k": "v"}}, "table.k: expected a whole number, found the string 'v'", None),
    ],
)
def test_what_does_not_fit_is_named_with_its_path(document, message, hint):
    with pytest.raises(Fault) as caught:
        SHAPE.read(document)
    assert (str(caught.value), caught.value.hint) == (message, hint)


def test_an_unknown_key_names_the_nearest_known_one():
    with pytest.raises(Fault) as caught:
        SHAPE.read({"name": "a", "counts": 1})
    assert str(caught.value).startswith("counts: unknown key, expected one of name, count")
    assert caught.value.hint == "did you mean 'count'?"


def test_a_parser_is_called_and_its_error_gets_the_path():
    shape = Record(keys={"n": Key(shape=Text(what="a digit", parse=int))})
    assert shape.read({"n": "7"}) == {"n": 7}
    with pytest.raises(Fault, match="^n: expected a digit: invalid literal"):
        shape.read({"n": "x"})


def test_the_schema_says_what_read_takes():
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(SHAPE.schema())
    assert validator.is_valid({"name": "abc", "items": ["x"], "either": None})
    assert not validator.is_valid({"name": "ABC"})
    assert not validator.is_valid({"name": "abc", "nme": 1})
    assert not validator.is_valid({})


def test_a_word_of_megabytes_is_compared_with_nothing(monkeypatch):
    monkeypatch.setattr("difflib.get_close_matches", None)
    with pytest.raises(Fault, match="unknown key, expected one of") as caught:
        Record(keys={"name": Key(shape=Flag())}).read({"name" * (1 << 20): True})
    assert caught.value.hint is None


def test_a_key_of_megabytes_is_not_shown_whole():
    with pytest.raises(Fault) as caught:
        Record(keys={"name": Key(shape=Flag())}).read({"x" * (1 << 20): True})
    assert str(caught.value) == "x" * 100 + "…: unknown key, expected one of name"


def test_a_record_with_others_passes_over_what_it_does_not_know():
    shape = Record(keys=SHAPE.keys, others=True)
    assert shape.read({"name": "abc", "colour": 1}) == SHAPE.read({"name": "abc"})
    assert shape.schema()["additionalProperties"] is True
    assert SHAPE.schema()["additionalProperties"] is False
