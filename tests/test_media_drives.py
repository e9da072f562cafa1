"""The packing list and `SHA256SUMS` of a drive: strict when read, the same again when written."""

from __future__ import annotations

import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.core.digest import Digest
from bundler.core.fault import Fault
from bundler.media.drives import MAX_LIST_BYTES, Drive, PackingList, check_label, fresh_label
from bundler.media.sums import parse_sums, write_sums

LABELS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", fullmatch=True)
NAMES = st.from_regex(r"[a-z0-9_]{4}[a-z0-9._+-]{0,20}x", fullmatch=True)
LISTS = st.lists(
    st.tuples(LABELS, st.lists(NAMES, min_size=1, max_size=3)),
    max_size=5,
    unique_by=lambda one: one[0].casefold(),
).filter(
    lambda found: len({name for _, names in found for name in names}) == sum(len(names) for _, names in found)
)


def packing(*drives):
    return PackingList(tuple(Drive(label=label, files=tuple(files)) for label, files in drives))


@given(LISTS)
def test_a_list_written_and_read_is_the_same(drives):
    found = packing(*drives)
    assert PackingList.parse(found.to_bytes()) == found


@given(LISTS, LISTS)
def test_a_list_is_taken_over_as_its_drives_are_one_after_the_other(first, second):
    first, second = packing(*first), packing(*second)
    expected = first
    try:
        for drive in second.drives:
            expected = expected.with_drive(drive.label, drive.files)
    except Fault:
        return  # names that differ in case only
    assert first.with_list(second) == expected


def test_the_longest_list_is_taken_over_in_one_pass():
    names = [[f"f{drive}-{number}-{'x' * 85}" for number in range(40)] for drive in range(1000)]
    longest = packing(*((f"D{drive}", files) for drive, files in enumerate(names)))
    begun = time.monotonic()
    assert packing(("D7", names[9])).with_list(longest).owners() == longest.owners()
    assert time.monotonic() - begun < 10  # one drive after the other takes a minute


def test_the_form_of_the_list_is_one_line_for_each_drive():
    assert str(packing(("A", ["x.uvb", "y.uvb"]), ("2nd", ["z.uvb"]))) == "A: x.uvb y.uvb\n2nd: z.uvb\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"A: x.uvb", "expected a line end after the last line, found none"),
        (b"A x.uvb\n", "line 1: expected LABEL: FILE FILE ..., found 'A x.uvb'"),
        (b"A: x.uvb\n\n", "line 2: expected LABEL: FILE FILE ..., found ''"),
        (b"A: x.uvb\r\n", "line 1: expected LABEL: FILE FILE ..., found 'A: x.uvb\\r'"),
        (b"A: \xe9.uvb\n", "line 1: expected LABEL: FILE FILE ..., found 'A: \xe9.uvb'"),
        (b"A:  x.uvb\n", "expected a path of letters, digits and ._+-, found ''"),
        (b"A: ../x.uvb\n", "expected a path of letters, digits and ._+-, found '../x.uvb'"),
        (b"A: a/x.uvb\n", "expected the name of a file, found 'a/x.uvb'"),
        (b"A: x.uvb\na: y.uvb\n", "expected each drive once, found 'a' again"),
        (b"A: x.uvb\nB: X.uvb\n", "expected each file on one drive, found 'X.uvb' again"),
        (
            b"-A: x.uvb\n",
            "expected a label of 1 to 32 letters, digits, dots, dashes and underscores, found '-A'",
        ),
        (b"x" * (MAX_LIST_BYTES + 1), "expected at most 4194304 bytes, found more"),
        (b"".join(b"%d: x%d\n" % (n, n) for n in range(1001)), "expected at most 1000 drives, found 1001"),
    ],
)
def test_what_is_no_list_is_refused_with_its_line(data, message):
    with pytest.raises(Fault) as caught:
        PackingList.parse(data)
    assert str(caught.value) == message


def test_a_drive_is_known_by_its_label_by_its_files_and_by_what_lies_on_it():
    found = packing(("A", ["x", "y"]), ("B", ["z"]))
    assert found.files_of("a") == ("x", "y")
    assert found.files_of("C") == ()
    assert found.owners() == {"x": "A", "y": "A", "z": "B"}
    assert (found.recognise({"z", "w"}), found.recognise({"w"})) == ("B", None)


def test_a_file_that_moves_to_another_drive_is_on_that_one_only():
    found = packing(("A", ["x", "y"]), ("B", ["z"]))
    assert found.with_drive("B", ["y", "z"]) == packing(("A", ["x"]), ("B", ["y", "z"]))
    assert found.with_drive("b", []) == packing(("A", ["x", "y"]))
    assert found.with_drive("C", ["x", "y", "z"]) == packing(("C", ["x", "y", "z"]))


def test_the_next_label_is_the_first_letter_that_no_list_has():
    assert fresh_label([]) == "A"
    assert fresh_label([packing(("A", ["x"])), packing(("b", ["y"]))]) == "C"
    letters = packing(*((chr(65 + number), [f"f{number}"]) for number in range(26)))
    assert fresh_label([letters]) == "AA"
    assert fresh_label([letters, packing(("AA", ["x"]))]) == "AB"


@pytest.mark.parametrize("label", ["", " ", "A B", "A:", "é", "x" * 33, "_A", "A\n"])
def test_labels_are_short_words(label):
    with pytest.raises(Fault):
        check_label(label)


@given(st.dictionaries(NAMES, st.binary(min_size=32, max_size=32).map(bytes.hex).map(Digest), max_size=5))
def test_sums_written_and_read_are_the_same(digests):
    assert parse_sums(write_sums(digests)) == digests


def test_sha256sum_reads_our_sums_and_we_read_its_own(tmp_path):
    (tmp_path / "b+1.uvb").write_bytes(b"content")
    (tmp_path / "a.uvb").write_bytes(b"")
    for flag in ("--text", "--binary"):
        theirs = subprocess.run(
            ["sha256sum", flag, "a.uvb", "b+1.uvb"], cwd=tmp_path, capture_output=True, check=True
        ).stdout
        (tmp_path / "SHA256SUMS").write_bytes(write_sums(parse_sums(theirs)))
        done = subprocess.run(
            ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == b"a.uvb: OK\nb+1.uvb: OK\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{'0' * 64} x", "line 1: expected a sha256, two blanks and a name"),
        (f"{'0' * 63}  x", "line 1: expected a sha256, two blanks and a name"),
        (f"{'A' * 64}  x", "line 1: expected a sha256, two blanks and a name"),
        (f"\\{'0' * 64}  a\\nb", "line 1: expected a sha256, two blanks and a name"),
        (f"{'0' * 64}  a/x", "line 1: expected the name of a file beside it, once, found 'a/x'"),
        (f"{'0' * 64}  ./x", "expected a path of letters, digits and ._+-, found './x'"),
        (f"{'0' * 64}  x\n{'0' * 64}  x", "line 2: expected the name of a file beside it, once, found 'x'"),
        (f"{'0' * 64}  x\n\n", "line 2: expected a sha256, two blanks and a name, found ''"),
    ],
)
def test_sums_of_another_form_are_refused(line, message):
    with pytest.raises(Fault, match=".*") as caught:
        parse_sums(f"{line}\n".encode())
    assert message in str(caught.value)
