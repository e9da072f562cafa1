import errno
import os
import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.core.recipe import Range
from bundler.errors import HostFault
from bundler.offline import spool as module
from bundler.offline.spool import Spool


@pytest.fixture(params=[True, False], ids=["pread", "without pread"])
def spool(request, tmp_path, monkeypatch):
    if not request.param:
        monkeypatch.delattr(os, "pread", raising=False)
    elif not hasattr(os, "pread"):
        pytest.skip("this system has no pread")
    with Spool(tmp_path / "0") as one:
        yield one


def content(seed, size=700_000):
    return random.Random(seed).randbytes(size)


def test_every_range_of_every_content_comes_back(spool):
    whole = {name: content(name) for name in "abc"}
    for name, data in whole.items():
        spool.add(name, (data[at : at + 50_001] for at in range(0, len(data), 50_001)))
    assert [spool.size(name) for name in "abc"] == [700_000] * 3
    for name, data in whole.items():
        for offset, length in ((0, 700_000), (0, 1), (699_999, 1), (262_144, 262_144), (5, 300_000), (9, 0)):
            pieces = list(spool.read(name, offset, length))
            assert b"".join(pieces) == data[offset : offset + length]
            assert all(0 < len(one) <= 1 << 18 for one in pieces)


@given(st.lists(st.binary(max_size=9), max_size=6))
def test_contents_lie_beside_each_other(tmp_path_factory, contents):
    with Spool(tmp_path_factory.mktemp("spool") / "0") as spool:
        for number, data in enumerate(contents):
            assert str(number) not in spool
            spool.add(str(number), [data])
        for number, data in enumerate(contents):
            assert str(number) in spool
            assert b"".join(spool.read(str(number), 0, len(data))) == data


def test_ranges_are_joined_in_their_order(spool):
    spool.add("a", [b"0123456789"])
    spool.add("b", [b"abc"])
    ranges = [
        Range(source=name, offset=at, length=count)
        for name, at, count in (("b", 1, 2), ("a", 8, 2), ("a", 0, 1))
    ]
    assert b"".join(spool.join(ranges)) == b"bc890"
    assert list(spool.join([])) == []


def test_a_content_that_ends_in_a_fault_is_none(spool):
    def broken():
        yield b"half"
        raise EOFError

    with pytest.raises(EOFError):
        spool.add("a", broken())
    assert "a" not in spool
    spool.add("b", [b"whole"])
    assert b"".join(spool.read("b", 0, 5)) == b"whole"


def test_it_is_read_while_it_is_written(spool):
    data = content(1)
    spool.add("a", [data])
    wrong, end = [], threading.Event()

    def reader():
        rng = random.Random(2)
        while not end.is_set():
            at = rng.randrange(len(data) - 1000)
            if b"".join(spool.read("a", at, 1000)) != data[at : at + 1000]:
                wrong.append(at)

    threads = [threading.Thread(target=reader) for _ in range(3)]
    for one in threads:
        one.start()
    more = [content(seed, 3000) for seed in range(150)]
    spool.add("b", more)
    end.set()
    for one in threads:
        one.join()
    assert not wrong
    assert b"".join(spool.read("b", 0, spool.size("b"))) == b"".join(more)


def test_it_leaves_no_file(tmp_path):
    with pytest.raises(KeyboardInterrupt), Spool(tmp_path / "0") as spool:
        spool.add("a", [b"x"])
        assert (tmp_path / "0").stat().st_mode & 0o777 == 0o600
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_lies_in_its_place_is_not_written_to(tmp_path):
    (tmp_path / "other").write_bytes(b"mine")
    (tmp_path / "0").symlink_to(tmp_path / "other")
    with pytest.raises(HostFault, match="0: File exists"), Spool(tmp_path / "0"):
        pass
    assert (tmp_path / "other").read_bytes() == b"mine"


def test_a_full_disk_is_a_fault_of_the_host(spool, tmp_path, monkeypatch):
    def full(_handle, _data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "write", full)
    with pytest.raises(HostFault) as caught:
        spool.add("a", [b"x"])
    assert str(caught.value) == f"{tmp_path / '0'}: No space left on device"


def test_a_write_that_takes_a_part_goes_on_with_the_rest(spool, monkeypatch):
    real = os.write
    monkeypatch.setattr(module.os, "write", lambda handle, data: real(handle, data[:3]))
    spool.add("a", [b"0123456789"])
    assert b"".join(spool.read("a", 0, 10)) == b"0123456789"


def test_a_file_that_was_cut_is_a_fault_of_the_host(spool, tmp_path):
    spool.add("a", [bytes(1000)])
    os.truncate(tmp_path / "0", 10)
    with pytest.raises(HostFault, match="expected 990 bytes at 10, found the end of the file"):
        list(spool.read("a", 0, 1000))


def test_a_device_that_fails_when_the_spool_is_closed_is_named(tmp_path, monkeypatch):
    def failing(handle, close=os.close):
        close(handle)
        raise OSError(errno.EIO, "Input/output error")

    file = tmp_path / "0"
    with pytest.raises(HostFault, match=f"^{file}: Input/output error$"), Spool(file):
        monkeypatch.setattr(os, "close", failing)
    monkeypatch.undo()
    assert not file.exists()
