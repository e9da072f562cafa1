import threading

import pytest

from bundler.core.digest import Digest
from bundler.errors import HostFault
from bundler.volumes import fileset
from bundler.volumes.fileset import Beside, whole_files


def fail():
    raise HostFault("full")


def test_calls_are_made_in_their_order_in_another_thread():
    made = []
    with Beside() as beside:
        for number in range(100):
            beside.call(lambda number=number: made.append((number, threading.current_thread())))
        beside.wait()
        assert [number for number, _ in made] == list(range(100))
    assert {thread for _, thread in made}.isdisjoint({threading.current_thread()})


def test_what_the_last_call_raises_is_raised_at_the_end():
    with pytest.raises(HostFault, match="full"), Beside() as beside:
        beside.call(fail)


def test_nothing_is_called_after_one_that_failed():
    made = []
    with pytest.raises(HostFault, match="full"), Beside() as beside:
        beside.call(fail)
        for _ in range(1000):
            beside.call(lambda: made.append(1))
    assert made == []


def test_an_error_of_the_block_comes_through_and_what_waits_is_dropped():
    made, go = [], threading.Event()
    with pytest.raises(KeyboardInterrupt), Beside() as beside:
        beside.call(go.wait)
        beside.call(lambda: made.append(1))
        threading.Timer(0.05, go.set).start()
        raise KeyboardInterrupt
    assert made == []


def test_a_file_knows_its_size_and_digest_and_none_appears_before_all_are_whole(tmp_path):
    with whole_files(tmp_path) as files:
        for name in ("a", "b"):
            one = files.create(name)
            one.write(b"some ")
            one.write(name.encode())
            one.finish()
            assert (one.size, one.sha256) == (6, Digest.of(b"some " + name.encode()).hex)
            assert not one.path.exists()
            assert one.temporary.name.startswith(".")
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"a": b"some a", "b": b"some b"}


def test_a_folder_that_is_not_there_is_told_by_the_files_name(tmp_path):
    with (
        pytest.raises(HostFault, match=r"none/a: No such file or directory"),
        whole_files(tmp_path / "none") as files,
    ):
        files.create("a")


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt()])
def test_what_took_the_place_of_a_file_stays_where_the_end_fails(tmp_path, monkeypatch, error):
    def failing(_):
        raise error

    (tmp_path / "old.uvb").write_bytes(b"old")
    monkeypatch.setattr(fileset, "sync_folder", failing)
    with pytest.raises((HostFault, KeyboardInterrupt)), whole_files(tmp_path) as files:
        for name in ("new.uvb", "old.uvb"):
            made = files.create(name)
            made.write(b"all of it")
            made.finish()
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"old.uvb": b"all of it"}
