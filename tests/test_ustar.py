import io
import subprocess
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.core import ustar
from bundler.core.fault import Fault

segments = st.from_regex(r"\A[a-z0-9_][a-z0-9._+-]{0,40}[a-z0-9]\Z").filter(
    lambda text: not text.startswith(("con", "prn", "aux", "nul", "com", "lpt"))
)
paths = st.lists(segments, min_size=1, max_size=5).map("/".join)


@given(paths, st.integers(0, ustar.MAX_SIZE))
def test_a_header_reads_back_as_the_name_and_size_it_was_made_of(name, size):
    assert ustar.parse_header(ustar.header(name, size)) == (name, size)


@given(paths, st.integers(0, 100_000), st.integers(0, 511), st.integers(1, 255))
def test_one_changed_byte_of_a_header_is_refused_or_another_header_of_ours(name, size, at, flip):
    block = bytearray(ustar.header(name, size))
    block[at] ^= flip
    try:
        read = ustar.parse_header(bytes(block))
    except Fault:
        return
    pytest.fail(f"a flipped byte passed as {read}: the checksum must catch every single one")


def test_pythons_tarfile_and_gnu_tar_read_what_we_write(tmp_path):
    long_name = "payload/mirror/20251010/" + "a" * 90 + ".tar.gz"
    data = b"content"
    raw = b"".join(
        ustar.header(name, len(data)) + data + ustar.padding(len(data)) for name in ("bundle.json", long_name)
    )
    bundle = tmp_path / "a.uvb"
    bundle.write_bytes(raw + ustar.END)
    with tarfile.open(fileobj=io.BytesIO(raw + ustar.END)) as archive:
        assert [one.name for one in archive] == ["bundle.json", long_name]
        assert {(one.mode, one.uid, one.type, one.mtime) for one in archive} == {
            (0o644, 0, b"0", 315_532_800)
        }
    listed = subprocess.run(["tar", "-tf", bundle], capture_output=True, text=True, check=True)
    assert listed.stdout.split() == ["bundle.json", long_name]
    assert listed.stderr == ""


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("a", ustar.MAX_SIZE + 1, "a: expected a size of at most 8589934591 bytes, found 8589934592"),
        ("../a", 1, "expected a path of letters, digits and ._+-, found '../a'"),
    ],
)
def test_what_ustar_cannot_say_is_refused(name, size, message):
    with pytest.raises(Fault, match="expected") as caught:
        ustar.header(name, size)
    assert str(caught.value) == message


@pytest.mark.parametrize("kind", [b"1", b"2", b"5", b"x", b"g", b"L", b"S", b"\0"])
def test_links_folders_and_extended_headers_are_refused(kind):
    block = bytearray(ustar.header("bundle.json", 3))
    block[156:157] = kind
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    with pytest.raises(Fault, match="found another at its byte"):
        ustar.parse_header(bytes(block))


def test_hostile_archives_of_others_are_refused(shared_vectors):
    archives = [
        one for one in (shared_vectors / "tar").rglob("*") if one.is_file() and one.stat().st_size >= 512
    ]
    assert archives
    for archive in archives:
        with archive.open("rb") as stream, pytest.raises(Fault):
            ustar.parse_header(stream.read(512))
