import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.core import strictjson
from bundler.core.fault import Fault

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_what_we_dump_is_what_we_parse(value):
    assert strictjson.parse(strictjson.dump(value), max_bytes=1 << 20) == value


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice in one object"),
        (b"1.5", "expected a whole number, found 1.5"),
        (b"1e3", "expected a whole number, found 1e3"),
        (b"NaN", "expected a whole number, found NaN"),
        (b"-Infinity", "expected a whole number, found -Infinity"),
        (b"1" * 20, "expected at most 19 digits, found 20"),
        (b"\xef\xbb\xbf{}", "expected UTF-8 without a byte order mark"),
        (b'"\xff"', "expected UTF-8, found byte 0xff at offset 1"),
        (b'"\\ud800"', "expected text, found half of a surrogate pair"),
        (b"[" * 17 + b"]" * 17, "expected at most 16 levels"),
        (b"{}" + b" " * 100, "expected at most 64 bytes, found 102"),
        (b"{} {}", "line 1 column 4: Extra data"),
        (b"", "line 1 column 1: Expecting value"),
        (b"{'a': 1}", "line 1 column 2: Expecting property name enclosed in double quotes"),
    ],
)
def test_what_is_not_strict_json_is_refused(data, message):
    with pytest.raises(Fault) as caught:
        strictjson.parse(data, max_bytes=64)
    assert str(caught.value) == message


def test_a_hundred_thousand_brackets_are_refused_not_crashed_on():
    with pytest.raises(Fault, match="at most 16 levels"):
        strictjson.parse(b"[" * 100_000, max_bytes=1 << 20)


def test_a_document_of_too_many_values_is_refused_before_it_is_parsed():
    with pytest.raises(Fault, match="expected at most 500000 values"):
        strictjson.parse(b"[" + b"[]," * 500_001 + b"1]", max_bytes=1 << 22)


def test_a_large_document_is_ascii_because_other_text_takes_four_times_the_memory():
    face = "\N{GRINNING FACE}".encode()
    assert strictjson.parse(b'"' + face + b'"', max_bytes=1 << 23) == face.decode()
    large = b" " * (4 << 20)
    assert strictjson.parse(large + b'"\\ud83d\\ude00"', max_bytes=1 << 23) == face.decode()
    with pytest.raises(Fault, match="expected ASCII in a document of more than 4194304 bytes"):
        strictjson.parse(large + b'"' + face + b'"', max_bytes=1 << 23)


def test_jsontestsuite_is_judged_as_strictly_as_it_asks(shared_vectors):
    cases = sorted((shared_vectors / "json" / "test_parsing").glob("*.json"))
    assert len(cases) > 300
    stricter_on_purpose = ("expected a whole number", "stands twice", "expected at most 19 digits")
    for case in cases:
        try:
            strictjson.parse(case.read_bytes(), max_bytes=1 << 20)
        except Fault as fault:
            if case.name.startswith("y_"):
                assert any(reason in str(fault) for reason in stricter_on_purpose), case.name
        else:
            assert not case.name.startswith("n_"), case.name
