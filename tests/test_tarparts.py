import io
import random
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.connected import tarparts
from bundler.connected.tarparts import cut_tar

LONG = "python/" + "/".join(["a-long-name"] * 30)


def tar(entries, *, form=tarfile.GNU_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, content, facts in entries:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1_700_000_000
            for field, value in facts.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


ENTRIES = [
    ("python/bin/python3.13", b"\x7fELF" * 300, {"mode": 0o755}),
    ("python/bin/python3", b"", {"type": tarfile.SYMTYPE, "linkname": "python3.13"}),
    ("python/lib/empty.py", b"", {}),
    ("python/lib/block.py", b"x" * 512, {}),
    ("python/lib", b"", {"type": tarfile.DIRTYPE, "mode": 0o755}),
    (LONG, b"deep", {}),
    ("python/hard", b"", {"type": tarfile.LNKTYPE, "linkname": LONG}),
    ("python/ä", b"name beyond ASCII", {}),
]


def check(data):
    """Return the entries, having checked that they and the rest are all bytes, in order and without a gap."""
    entries, rest = cut_tar(memoryview(data))
    at = 0
    for entry in entries:
        assert entry.begin == at
        assert entry.begin < entry.data <= entry.data + entry.size <= entry.end
        assert not any(data[entry.data + entry.size : entry.end])
        at = entry.end
    assert rest == at <= len(data)
    return entries


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_dialect_is_read_as_python_reads_it(form):
    written = ENTRIES if form != tarfile.USTAR_FORMAT else [one for one in ENTRIES if LONG not in str(one)]
    data = tar(written, form=form)
    entries = check(data)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        expected = archive.getmembers()
    assert [one.name.rstrip("/") for one in entries] == [one.name for one in expected]
    assert [(one.data, one.size, one.mode, one.mtime, one.target) for one in entries] == [
        (one.offset_data, one.size, one.mode, one.mtime, one.linkname) for one in expected
    ]
    kinds = {
        tarparts.FILE: "isfile",
        tarparts.LINK: "islnk",
        tarparts.SYMLINK: "issym",
        tarparts.FOLDER: "isdir",
    }
    for one, other in zip(entries, expected, strict=True):
        assert getattr(other, kinds[one.kind])()


def test_the_zeros_at_the_end_are_the_rest():
    data = tar(ENTRIES[:1])
    entries, rest = cut_tar(memoryview(data))
    assert rest == entries[0].end == 512 + 1536
    assert not any(data[rest:])


@pytest.mark.parametrize(
    "data",
    [b"", b"x", bytes(512), bytes(10240), b"all work and no play " * 100, tar(ENTRIES[:1])[:1000]],
    ids=["empty", "a byte", "a block of zeros", "zeros", "text", "cut off"],
)
def test_what_is_no_tar_is_all_rest(data):
    assert cut_tar(memoryview(data)) == ([], 0)


def test_padding_that_is_not_zeros_goes_to_the_next_header():
    data = bytearray(tar([("a", b"abc", {}), ("b", b"def", {})]))
    data[600] = 7
    first, second = check(bytes(data))
    assert (first.end, second.begin, second.data) == (515, 515, 1536)


def test_an_entry_that_lost_its_end_belongs_to_the_rest():
    data = tar([*ENTRIES[:1], ("b", b"y" * 900, {})])
    entries, rest = cut_tar(memoryview(data[: 2048 + 512 + 700]))
    assert (len(entries), rest) == (1, 2048)


@pytest.mark.parametrize("seed", range(60))
def test_flipped_bytes_lose_nothing(seed):
    chance = random.Random(seed)
    data = bytearray(tar(ENTRIES, form=chance.choice([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])))
    for _ in range(chance.randrange(1, 6)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    check(bytes(data))


def test_a_size_beyond_octal_is_read_and_not_believed():
    data = bytearray(tar(ENTRIES[:1]))
    data[124:136] = b"\x80" + b"\xff" * 11
    data[148:156] = b"%06o\0 " % (sum(data[:148]) + sum(data[156:512]) + 256)
    assert cut_tar(memoryview(bytes(data))) == ([], 0)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=600),
            st.builds(lambda text: tar([("a", text, {})])[:-10240], st.binary(max_size=600)),
            st.builds(lambda text: tar([(LONG, text, {})])[: 4096 + 512], st.binary(max_size=600)),
        )
    ).map(b"".join)
)
def test_any_bytes_come_apart_without_loss(data):
    check(data)


def pax(records):
    """Return an entry of pax with these records."""
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, len(records)
    return info.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % 512)


@pytest.mark.parametrize("digits", ["1" * 5000, "\N{ARABIC-INDIC DIGIT ONE}", "0x1"])
def test_a_size_in_pax_that_is_no_number_is_none(digits):
    record = f"size={digits}\n".encode()
    length = len(record) + 1
    length = next(n for n in range(length, length + 9) if n == len(str(n)) + length)
    entries = check(pax(b"%d %s" % (length, record)) + tar([("a", b"abc", {})]))
    assert [(one.name, one.size) for one in entries] == [("a", 3)]


@pytest.mark.parametrize("facts", [{}, {"type": tarfile.SYMTYPE, "linkname": "t" * 5000}])
@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_name_that_no_system_takes_is_no_entry(form, facts):
    name = "a" if facts else "n" * 5000
    entries = check(tar([("first", b"1", {}), (name, b"", facts), ("last", b"2", {})], form=form))
    assert [one.name for one in entries] == ["first"]


def test_records_of_no_use_are_not_kept():
    many = b"".join(b"%d key%06d=v\n" % (15, number) for number in range(1000))
    found = tarparts._longer(b"x", many + b"10 path=a\n")
    assert found == {"path": "a"}


def test_entries_end_where_they_are_too_many(monkeypatch):
    monkeypatch.setattr(tarparts, "_MAX_ENTRIES", 3)
    assert len(check(tar([(f"f{number}", b"abc", {}) for number in range(5)]))) == 3
