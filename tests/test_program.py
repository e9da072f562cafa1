import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.core.fault import Fault
from bundler.core.program import Copy, Encode, End, dump_program, parse_program

SIZES = (1000, 2**53 - 1, 7)


def parsed(data, *, sources=SIZES, encoders=3):
    return list(parse_program(data, sources=sources, encoders=encoders))


@st.composite
def copies(draw):
    source = draw(st.integers(0, len(SIZES) - 1))
    offset = draw(st.integers(0, SIZES[source] - 1))
    return Copy(source, offset, draw(st.integers(1, SIZES[source] - offset)))


@st.composite
def programs(draw, level=0):
    steps = []
    for _ in range(draw(st.integers(0, 5))):
        if level < 2 and draw(st.booleans()):
            steps += [Encode(draw(st.integers(0, 2))), *draw(programs(level=level + 1)), End()]
        else:
            steps.append(draw(copies()))
    return steps


@given(programs())
def test_a_program_reads_back_as_it_was_written(steps):
    assert parsed(dump_program(steps, sources=len(SIZES))) == steps


@given(st.lists(st.integers(0, 8) | st.integers(0, 255), max_size=30).map(bytes))
def test_what_is_read_has_one_way_to_be_written(data):
    try:
        steps = parsed(data)
    except Fault:
        return
    assert dump_program(steps, sources=len(SIZES)) == data
    depth = 0
    for step in steps:
        if isinstance(step, Copy):
            assert step.length >= 1
            assert 0 <= step.offset <= step.offset + step.length <= SIZES[step.source]
        depth += isinstance(step, Encode) - isinstance(step, End)
        assert 0 <= depth <= 2
    assert depth == 0


@given(programs(), st.data())
def test_a_program_that_is_cut_anywhere_is_refused(steps, data):
    whole = dump_program(steps, sources=len(SIZES))
    with pytest.raises(Fault):
        parsed(whole[: data.draw(st.integers(0, len(whole) - 1))])


def test_the_bytes_are_those_of_the_format():
    steps = [Copy(0, 5, 300), Encode(1), Copy(0, 300, 1), Copy(2, 0, 7), End()]
    assert dump_program(steps, sources=3) == bytes([1, 10, 0xAC, 2, 4, 1, 9, 1, 5, 0, 7, 0, 0])


BEYOND = "byte {}: expected a range of the {} bytes of source {}, found {} bytes at {}"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "byte 0: expected a number, found the end"),
        (b"\x02", "byte 1: expected a number, found the end"),
        (b"\x01\x00", "byte 2: expected a number, found the end"),
        (b"\x81", "byte 0: expected a number, found one without end"),
        (b"\x80" * 9 + b"\x01", "byte 0: expected a number, found one without end"),
        (b"\xff" * 400, "byte 0: expected a number, found one without end"),
        (b"\x81\x00", "byte 1: expected a number in its shortest form"),
        (b"\x80\x00", "byte 1: expected a number in its shortest form"),
        (b"\x01\x00\x85\x80\x00\x00", "byte 4: expected a number in its shortest form"),
        (b"\x00\x00", "byte 1: expected the end of the program, found 1 bytes more"),
        (b"\x02\x00\x00" + bytes(9), "byte 3: expected the end of the program, found 9 bytes more"),
        (b"\x07\x00\x01\x00", "byte 0: expected one of 3 sources, found number 3"),
        (b"\x08\x00\x00", "byte 0: expected one of 3 encoders, found number 3"),
        (b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f\x00\x00", f"byte 0: expected one of 3 encoders, found number {2**62 - 2}"),
        (b"\x02\x02\x02\x00\x00\x00\x00", "byte 2: expected at most 2 encoders in each other, found more"),
        (b"\x01\x00\x00\x00", BEYOND.format(0, 1000, 0, 0, 0)),
        (b"\x05\x00\x08\x00", BEYOND.format(0, 7, 2, 8, 0)),
        (b"\x05\x0e\x01\x00", BEYOND.format(0, 7, 2, 1, 7)),
        (b"\x05\x01\x01\x00", BEYOND.format(0, 7, 2, 1, -1)),
        (b"\x05\x00\x03\x05\x07\x01\x00", BEYOND.format(3, 7, 2, 1, -1)),
        (b"\x05\x00\x07\x05\x00\x01\x00", BEYOND.format(3, 7, 2, 1, 7)),
    ],
)  # fmt: skip
def test_what_is_no_program_is_refused(data, message):
    with pytest.raises(Fault) as caught:
        parsed(data)
    assert str(caught.value) == message


def test_the_longest_number_is_read():
    steps = [Copy(0, 2**53 - 2, 1), Copy(0, 0, 2**53 - 1)]
    assert parsed(dump_program(steps, sources=1), sources=(2**53 - 1,)) == steps


def test_without_sources_or_encoders_only_the_empty_program_is_one():
    assert parsed(b"\x00", sources=(), encoders=0) == []
    with pytest.raises(Fault, match="byte 0: expected one of 0 sources, found number 0"):
        parsed(b"\x01\x00\x01\x00", sources=())
    with pytest.raises(Fault, match="byte 0: expected one of 0 encoders, found number 0"):
        parsed(b"\x02\x00\x00", encoders=0)
