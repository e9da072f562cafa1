import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.deflate.tarwrites import TarWrites

ZEROS = bytes(1024)


def writes(data, *, cut=1 << 20):
    cutter = TarWrites()
    sizes = [size for at in range(0, len(data), cut) for size in cutter.feed(data[at : at + cut])]
    return sizes + cutter.finish()


def header(size, *, field=None):
    info = tarfile.TarInfo("name")
    info.size = size
    made = info.tobuf(tarfile.GNU_FORMAT)
    return made if field is None else made[:124] + field + made[136:]


def entry(size):
    return header(size) + b"x" * size + bytes(-size % 512)


def written_by_tar_rs(contents):
    """Return a tar and its writes, made forwards: what tar-rs's append and finish hand to their writer."""
    made = []
    for content in contents:
        made.append(header(len(content)))
        made += [content[at : at + 8192] for at in range(0, len(content), 8192)]
        made += [bytes(-len(content) % 512)] * (len(content) % 512 > 0)
    made.append(ZEROS)
    return b"".join(made), [len(one) for one in made]


CONTENTS = st.lists(
    st.one_of(st.binary(max_size=40), st.sampled_from([511, 512, 513, 8191, 8192, 8193, 17000]).map(bytes)),
    max_size=6,
)


@given(CONTENTS, st.integers(1, 20000))
def test_the_writes_of_tar_rs_are_found_again_however_the_tar_arrives(contents, cut):
    tar, sizes = written_by_tar_rs(contents)
    assert writes(tar, cut=max(cut, len(tar) // 500 + 1)) == sizes


@given(st.binary(max_size=3000), CONTENTS, st.integers(1, 700), st.booleans())
def test_any_bytes_are_cut_in_one_way_only(noise, contents, cut, behind):
    tar, _ = written_by_tar_rs(contents)
    data = (tar + noise if behind else tar[: len(noise) * 9] + noise)[:40000]
    sizes = writes(data)
    assert sum(sizes) == len(data)
    assert all(0 < size <= 8192 for size in sizes)
    assert writes(data, cut=max(cut, len(data) // 500 + 1)) == sizes


@pytest.mark.parametrize(
    ("data", "sizes"),
    [
        (b"", []),
        (b"x", [1]),
        (b"x" * 512, [512]),
        (b"x" * 20000, [8192, 8192, 3616]),
        (entry(0), [512]),
        (entry(1), [512, 1, 511]),
        (entry(512), [512, 512]),
        (entry(8193), [512, 8192, 1, 511]),
        (entry(3) + entry(8192) + ZEROS, [512, 3, 509, 512, 8192, 1024]),
        (entry(9000)[:700], [512, 188]),
        (entry(9000)[:9512], [512, 8192, 808]),
        (entry(9000)[:9513], [512, 8192, 808, 1]),
        (entry(0)[:100], [100]),
        # Behind the end come pieces of 8192, whatever they are.
        (ZEROS + bytes(512), [1024, 512]),
        (ZEROS + entry(20), [1024, 1024]),
        (entry(2) + ZEROS + bytes(8704), [512, 2, 510, 1024, 8192, 512]),
        # One block of zeros is no end: from there on it is not a tar.
        (bytes(512), [512]),
        (bytes(600), [600]),
        (bytes(512) + entry(20) + ZEROS, [2560]),
        (entry(1) + bytes(512) + b"x" * 9000, [512, 1, 511, 8192, 1320]),
        # GNU tar's binary sizes, and sizes that are none.
        (header(0, field=b"\x80" + bytes(9) + b"\x24\x00") + b"x" * 9216, [512, 8192, 1024]),
        (header(0, field=b"\x80" + b"\xff" * 11) + b"x" * 9000, [512, 8192, 808]),
        (header(0, field=b"  11 \0      ") + b"x" * 600, [512, 9, 503, 88]),
        (header(0, field=b"\xff" * 12) + b"x" * 9000, [8192, 1320]),
        (header(0, field=b"00000000018\0") + b"x" * 9000, [8192, 1320]),
        (header(0, field=b"0000000_001\0") + b"x" * 9000, [8192, 1320]),
        (header(0, field=bytes(12)) + b"x" * 9000, [8192, 1320]),
    ],
)
def test_the_cut_of_each_case_is_fixed(data, sizes):
    assert writes(data) == sizes
    assert writes(data, cut=7) == sizes


def test_a_tar_of_pythons_is_cut_by_the_same_rule():
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for size in (0, 700, 9000):
            info = tarfile.TarInfo(f"f{size}")
            info.size = size
            tar.addfile(info, io.BytesIO(b"y" * size))
    sizes = [512, 512, 700, 324, 512, 8192, 808, 216, 1024]
    tail = 20480 - sum(sizes)
    assert writes(made.getvalue()) == [*sizes, tail]


def test_a_giant_of_zeros_needs_no_memory():
    cutter = TarWrites()
    data = header(0, field=b"\x80" + bytes(3) + b"\x01" + bytes(7)) + bytes(1 << 20)
    assert cutter.feed(data) == [512] + [8192] * 128
    assert len(cutter._header) == 0
