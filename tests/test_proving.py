"""What a program must yield for its recipe to be used: the parts of the cut, encoded where they were, to the byte."""

import io

import pytest
from smallpythons import LINUX, gzipped, ingredient, text

from bundler.connected.cutting import cut
from bundler.connected.proving import encodes, yields
from bundler.core.program import Copy, Encode, End, dump_program
from bundler.core.recipe import Recipe

FIRST, SECOND = text("first"), text("second")
HEAD, TAIL = 10, 8
M, S = "member", "payload/x/text.tar.zst"


@pytest.fixture
def two(tmp_path):
    """Return an archive of two gzip members, cut: literal, body, literal, body, literal."""
    (tmp_path / "in").mkdir()
    data = gzipped(FIRST) + gzipped(SECOND, "zlib-9-8")
    done = cut(ingredient(tmp_path / "in", data, platform=LINUX), tmp_path / "spool", proved={})
    assert [type(part).__name__ for part in done.parts] == ["Kept", "Body", "Kept", "Body", "Kept"]
    return done


def literals(done):
    return [bytes(done.views[0][one.content : one.content + one.size]) for one in done.parts[::2]]


def tells(done, steps, *, encoders=("zlib-6-8", "zlib-9-8")):
    """Run the steps over: source 0 the three literals, source 1 both contents."""
    program = dump_program(steps, sources=2)
    raw = b"".join(literals(done))
    recipe = Recipe(member=M, offset=len(raw), length=len(program), sources=(M, S), encoders=encoders)
    contents = {M: memoryview(raw + program), S: memoryview(FIRST + SECOND)}
    return yields(done, recipe, contents, {})


def good():
    middle = HEAD + TAIL + HEAD
    return [
        Copy(0, 0, HEAD), Encode(0), Copy(1, 0, len(FIRST)), End(),
        Copy(0, HEAD, TAIL + HEAD), Encode(1), Copy(1, len(FIRST), len(SECOND)), End(),
        Copy(0, middle, TAIL),
    ]  # fmt: skip


def changed(**places):
    """Return the good steps with some in other words; None takes one out, a list puts several there."""
    steps = []
    for number, step in enumerate(good()):
        new = places.get(f"at{number}", step)
        steps += new if isinstance(new, list) else [] if new is None else [new]
    return steps


def test_the_program_that_yields_the_parts_is_told(two):
    assert tells(two, good())
    assert tells(two, changed(at2=[Copy(1, 0, 1), Copy(1, 1, len(FIRST) - 1)]))
    assert tells(two, good(), encoders=("zlib-6-8", "zlib-9-8"))


WRONG = {
    "another encoder": {"at1": Encode(1)},
    "another literal": {"at0": Copy(0, 1, HEAD)},
    "another content": {"at2": Copy(1, 1, len(FIRST))},
    "a content that ends early": {"at2": Copy(1, 0, len(FIRST) - 1)},
    "a content that goes on": {"at2": Copy(1, 0, len(FIRST) + 1)},
    "a literal that ends early": {"at0": Copy(0, 0, HEAD - 1)},
    "a literal that goes on": {"at0": Copy(0, 0, HEAD + 1)},
    "a literal in a body": {"at0": None, "at1": [Encode(0), Copy(0, 0, HEAD)]},
    "a content that is not encoded": {"at1": None, "at3": None},
    "a literal that is encoded": {"at8": [Encode(0), Copy(0, HEAD + TAIL + HEAD, TAIL), End()]},
    "no end": {"at8": None},
    "more after the end": {"at8": [Copy(0, HEAD + TAIL + HEAD, TAIL), Copy(1, 0, 1)]},
    "a body more": {"at8": [Copy(0, HEAD + TAIL + HEAD, TAIL), Encode(0), End()]},
    "an encoder in an encoder": {"at2": [Encode(0), Copy(1, 0, len(FIRST)), End()]},
    "a body in two": {"at2": [Copy(1, 0, 9), End(), Encode(0), Copy(1, 9, len(FIRST) - 9)]},
    "nothing": dict.fromkeys((f"at{number}" for number in range(9)), None),
}


@pytest.mark.parametrize("places", WRONG.values(), ids=WRONG)
def test_any_other_program_is_refused(two, places):
    assert not tells(two, changed(**places))


def test_encoders_of_the_same_number_are_compared_by_name(two):
    assert not tells(two, good(), encoders=("zlib-9-8", "zlib-6-8"))


def test_encoding_the_contents_gives_the_file(two):
    done = io.BytesIO()
    assert encodes(two, lambda count: done.write(bytes(count)))
    assert len(done.getvalue()) == two.ingredient.size


@pytest.mark.parametrize("at", [3, 40, -60, -1])
def test_a_file_with_another_byte_is_not_what_was_encoded(two, at):
    """A byte of a body is seen when it is compared, a byte around it by the digest that was promised."""
    data = bytearray(two.ingredient.source.read_bytes())
    data[at] ^= 1
    two.ingredient.source.write_bytes(bytes(data))
    again = cut(two.ingredient, two.ingredient.source.with_name("again"), proved={})
    assert again.reason or not encodes(again, lambda _: None)
    assert not encodes(two, lambda _: None) or at in (3, -1)  # literals were read when it was cut
