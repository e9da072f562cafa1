import io
import os
import resource
import signal
from pathlib import Path

import pytest

from bundler.core.durable import host_faults, make_folder, read_up_to, whole_file
from bundler.errors import HostFault


def test_a_file_appears_when_the_block_ends_well(tmp_path):
    target = tmp_path / "a"
    with whole_file(target) as stream:
        stream.write(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o644


def test_only_its_owner_may_read_a_file_that_is_not_whole_yet(tmp_path):
    with whole_file(tmp_path / "a", mode=0o640):
        (begun,) = tmp_path.iterdir()
        assert begun.name.startswith(".a.")
        assert begun.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_what_was_there_stays_when_the_block_fails(tmp_path):
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), whole_file(target) as stream:
        stream.write(b"half")
        raise ZeroDivisionError
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_over_the_limit_names_itself_and_leaves_nothing(tmp_path):
    target = tmp_path / "a"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(HostFault) as caught, whole_file(target) as stream:
            stream.write(bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert str(caught.value) == f"{target}: File too large"
    assert "takes no such size" in caught.value.hint
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_named_with_the_next_step(tmp_path):
    with pytest.raises(HostFault) as caught, whole_file(tmp_path / "no" / "a"):
        pass
    assert str(caught.value) == f"{tmp_path}/no/a: No such file or directory"
    assert caught.value.hint == "create the folder first, or correct the path"


def test_a_file_in_the_place_of_a_folder_is_told_with_the_next_step(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(HostFault) as caught:
        make_folder(tmp_path / "a")
    assert caught.value.hint == "that name is taken: choose another one, or move what is there away"


def test_the_file_that_an_error_names_is_the_one_that_is_shown(tmp_path):
    with pytest.raises(HostFault, match="other"), host_faults(tmp_path / "one"):
        (tmp_path / "other").read_bytes()


def test_a_folder_that_another_process_makes_at_the_same_moment_is_as_good(tmp_path, monkeypatch):
    folder, look = tmp_path / "state", Path.is_dir

    def too_early(path):
        found = look(path)
        if path == folder and not found:
            os.mkdir(folder)  # noqa: PTH102  # by the other one, right after the look
        return found

    monkeypatch.setattr(Path, "is_dir", too_early)
    make_folder(folder)
    assert look(folder)


def test_what_cannot_be_removed_from_a_folder_is_told_by_a_path_that_one_can_find(tmp_path):
    (tmp_path / "2" / "uv").mkdir(parents=True)
    (tmp_path / "2" / "uv" / "file").write_bytes(b"")
    with pytest.raises(HostFault, match=f"^{tmp_path}: Directory not empty$"), host_faults(tmp_path):
        handle = os.open(tmp_path / "2", os.O_RDONLY)
        try:
            os.rmdir("uv", dir_fd=handle)
        finally:
            os.close(handle)


def test_a_rename_that_fails_is_told_by_the_name_that_was_to_appear(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "one").write_bytes(b"")
    with pytest.raises(HostFault, match="/folder: "), host_faults(tmp_path):
        (tmp_path / "one").replace(tmp_path / "folder")


class Drops(io.BytesIO):
    """A stream that gives a few bytes with each call, as a pipe may; `calls` has how many were asked for."""

    def __init__(self, data, *, each):
        super().__init__(data)
        self.each, self.calls = each, []

    def read(self, count=-1):
        self.calls.append(count)
        return super().read(min(count, self.each))


def test_so_many_bytes_are_read_however_few_a_call_gives_and_fewer_only_at_the_end():
    drops = Drops(b"0123456789", each=3)
    assert (read_up_to(drops, 7), drops.calls) == (b"0123456", [7, 4, 1])
    assert (read_up_to(drops, 7), drops.calls[3:]) == (b"789", [7, 4])
    assert read_up_to(drops, 7) == b""


def test_what_one_call_gives_is_not_copied():
    data = bytes(1000)

    class One:
        def read(self, count):
            return data[:count]

    assert read_up_to(One(), 1000) is data
