"""A bundle cut into volumes and parity: each file as it must be, and all of them or none."""

import errno
import hashlib
import os
from pathlib import Path

import pytest
from volumes import blocks_of, make_set, small_blocks, source_of

from bundler.core import ustar
from bundler.core.blocks import Blocks
from bundler.core.cut import Cut, Layout
from bundler.core.erasure import Recovery
from bundler.core.progress import Silent
from bundler.core.volumehead import Head
from bundler.errors import DamagedFault, HostFault, UsageFault
from bundler.volumes import fileset
from bundler.volumes.splitting import write_parity, write_set


@pytest.fixture(scope="module")
def bundle():
    return small_blocks()


@pytest.fixture(scope="module")
def source(bundle):
    return source_of(bundle)


def members_of(path, source):
    """Return head and members after the front of a volume, as stock code sees them."""
    data = path.read_bytes()
    assert data.startswith(source.front)
    at, found = len(source.front), []
    while data[at : at + 1024] != bytes(1024):
        name, size = ustar.parse_header(data[at : at + 512])
        found.append((name, data[at + 512 : at + 512 + size]))
        at += ustar.stored_size(size)
    assert data[at:] == ustar.END
    assert found[0][0] == "VOLUME"
    return Head.parse(found[0][1]), found[1:]


CUTS = [Cut(volumes=1), Cut(volumes=5), Cut(volumes=7, groups=3), Cut(volumes=40, groups=2)]


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_each_volume_has_the_front_what_it_is_and_its_blocks(cut, bundle, source, tmp_path):
    files = make_set(bundle, tmp_path, volumes=cut.volumes, groups=cut.groups)
    layout, blocks, found = Layout(source.index, cut), list(blocks_of(bundle)), []
    assert len(files) == cut.volumes
    for volume, path in enumerate(files):
        head, members = members_of(path, source)
        assert head == Head(kind="data", number=volume + 1, cut=cut, index=source.digest)
        assert path.name == f"q4.{volume + 1:04d}-of-{cut.volumes:04d}.uvb"
        numbers = [layout.blocks.parse_name(name) for name, _ in members]
        assert numbers == list(layout.volume_blocks(volume))
        assert [data for _, data in members] == [blocks[number] for number in numbers]
        found += numbers
    assert sorted(found) == list(range(len(Blocks(source.index))))


def test_parity_volumes_have_the_cells_of_all_rows(bundle, source, tmp_path):
    cut = Cut(volumes=7, parity=2, groups=2)
    files = make_set(bundle, tmp_path, volumes=7, parity=2, groups=2)
    layout, blocks = Layout(source.index, cut), list(blocks_of(bundle))
    assert [one.name for one in files[7:]] == [f"q4.p{number:04d}-of-0004.uvb" for number in (1, 2, 3, 4)]
    for volume, path in enumerate(files[7:]):
        head, members = members_of(path, source)
        assert head == Head(kind="parity", number=volume + 1, cut=cut, index=source.digest)
        for (group, row, column), (name, cell) in zip(layout.parity_cells(volume), members, strict=True):
            assert name == f"parity/{group:04d}-{row:07d}-{column:03d}-{hashlib.sha256(cell).hexdigest()}"
            row_of = layout.row_blocks(group, row)
            lost = max(row_of)
            recovery = Recovery(lost=[lost], parity=[column], size=layout.row_size(group, row))
            for other in row_of.keys() - {lost}:
                recovery.add_data(other, blocks[row_of[other]])
            recovery.add_parity(column, cell)
            assert recovery.finish()[lost].startswith(blocks[row_of[lost]])


def test_a_whole_set_is_the_bundle_itself_and_one_parity_volume(bundle, source, tmp_path):
    cut = Cut(volumes=6, parity=2, whole=True)
    file, parity = make_set(bundle, tmp_path, volumes=6, parity=2, whole=True)
    assert (file.name, parity.name) == ("q4.uvb", "q4.parity.uvb")
    assert file.read_bytes() == bundle
    layout, blocks = Layout(source.index, cut), list(blocks_of(bundle))
    head, members = members_of(parity, source)
    assert head == Head(kind="parity", number=1, cut=cut, index=source.digest)
    assert len(members) == 2 * layout.rows(0)
    for (group, row, column), (name, cell) in zip(layout.parity_cells(0), members, strict=True):
        assert name.startswith(f"parity/{group:04d}-{row:07d}-{column:03d}-")
        row_of = layout.row_blocks(group, row)
        recovery = Recovery(lost=[0], parity=[column], size=layout.row_size(group, row))
        for other in row_of.keys() - {0}:
            recovery.add_data(other, blocks[row_of[other]])
        recovery.add_parity(column, cell)
        assert recovery.finish()[0].startswith(blocks[row_of[0]])


def test_the_list_of_sums_names_exactly_the_files_that_cross(bundle, tmp_path):
    files = make_set(bundle, tmp_path, volumes=4, parity=1)
    lines = (tmp_path / "q4.SHA256SUMS").read_text().splitlines()
    assert lines == [f"{hashlib.sha256(one.read_bytes()).hexdigest()}  {one.name}" for one in files]
    assert sorted(tmp_path.iterdir()) == sorted([*files, tmp_path / "q4.SHA256SUMS"])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_every_file_can_be_read_by_all_users(bundle, tmp_path):
    make_set(bundle, tmp_path, volumes=2, parity=1)
    assert {one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {0o644}


def test_the_same_bundle_makes_the_same_files(bundle, tmp_path):
    made = [make_set(bundle, tmp_path / name, volumes=5, parity=2, groups=2) for name in ("a", "b")]
    assert len({tuple(one.read_bytes() for one in files) for files in made}) == 1


def test_names_sort_as_they_count_beyond_999(bundle, tmp_path):
    files = make_set(bundle, tmp_path, volumes=1001, groups=11)
    assert [one.name for one in files] == sorted(one.name for one in files)
    assert files[-1].name == "q4.1001-of-1001.uvb"


def test_parity_is_added_beside_a_bundle_in_one_file(bundle, source, tmp_path):
    both = make_set(bundle, tmp_path / "both", volumes=6, parity=2, whole=True)
    (tmp_path / "later").mkdir()
    there = tmp_path / "later" / "q4.uvb"
    there.write_bytes(bundle)
    written = write_parity(
        there, stem="q4", source=source, cut=Cut(volumes=6, parity=2, whole=True),
        blocks=blocks_of(bundle), progress=Silent(),
    )  # fmt: skip
    for one, other in zip(written, [*both, both[0].with_name("q4.SHA256SUMS")], strict=True):
        assert one.path.name == other.name
        assert one.path.read_bytes() == other.read_bytes()
        assert (one.size, one.sha256) == (
            len(other.read_bytes()),
            hashlib.sha256(other.read_bytes()).hexdigest(),
        )


def test_what_differs_when_it_is_read_again_makes_no_parity(bundle, source, tmp_path):
    there = tmp_path / "q4.uvb"
    there.write_bytes(bundle[:300_000] + bytes(8) + bundle[300_008:])
    with pytest.raises(
        DamagedFault, match=r"q4.uvb: block \d of 6 of payload/.*: differs from what was there"
    ):
        write_parity(
            there, stem="q4", source=source, cut=Cut(volumes=6, parity=2, whole=True),
            blocks=blocks_of(bundle), progress=Silent(),
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == [there]


def failing(blocks, *, after, error):
    for number, block in enumerate(blocks):
        if number == after:
            raise error
        yield block


@pytest.mark.parametrize("error", [DamagedFault("x"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("cut", [Cut(volumes=4, parity=1), Cut(volumes=4, parity=1, whole=True)], ids=str)
def test_nothing_is_left_where_the_blocks_end_badly(cut, error, bundle, source, tmp_path):
    (tmp_path / "q4.0001-of-0004.uvb").write_text("older")
    with pytest.raises(type(error)):
        write_set(
            tmp_path, stem="q4", source=source, cut=cut,
            blocks=failing(blocks_of(bundle), after=11, error=error), progress=Silent(),
        )  # fmt: skip
    assert [one.read_text() for one in tmp_path.iterdir()] == ["older"]


@pytest.mark.parametrize("call", range(1, 40, 3))
def test_nothing_is_left_where_the_disk_is_full(call, bundle, tmp_path, monkeypatch):
    calls, real = iter(range(1, 1000)), os.write

    def full(handle, data):
        if next(calls) == call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, data)

    monkeypatch.setattr("bundler.core.durable.os.write", full)
    with pytest.raises(HostFault, match=r"q4\..*: No space left on device"):
        make_set(bundle, tmp_path, volumes=4, parity=1)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_where_a_file_cannot_take_its_name(bundle, tmp_path):
    (tmp_path / "q4.0003-of-0004.uvb").mkdir()
    with pytest.raises(HostFault, match=r"q4\.0003-of-0004\.uvb: "):
        make_set(bundle, tmp_path, volumes=4)
    assert [one.name for one in tmp_path.iterdir()] == ["q4.0003-of-0004.uvb"]


def test_all_files_are_synced_before_the_first_takes_its_name_and_the_folder_after_the_last(
    bundle, tmp_path, monkeypatch
):
    told, sync, replace, folder = [], os.fsync, Path.replace, fileset.sync_folder
    monkeypatch.setattr(
        "bundler.volumes.fileset.os.fsync", lambda handle: (told.append("sync"), sync(handle))
    )
    monkeypatch.setattr(Path, "replace", lambda one, to: (told.append(to.name), replace(one, to)))
    monkeypatch.setattr(fileset, "sync_folder", lambda one: (told.append("folder"), folder(one)))
    files = make_set(bundle, tmp_path, volumes=4, parity=1)
    told = [one for number, one in enumerate(told) if not (one == "sync" and told[number - 1] == "folder")]
    assert told[:6] == ["sync"] * 6
    assert told[6:] == [*(one.name for one in files), "q4.SHA256SUMS", "folder"]


@pytest.mark.parametrize("stem", ["", ".q4", "q\\4", "q\n4", "q\x1b4"])
def test_a_name_that_a_list_of_sums_cannot_hold_is_refused(stem, bundle, tmp_path):
    with pytest.raises(UsageFault, match="expected a name for volumes without control characters"):
        make_set(bundle, tmp_path, stem=stem)
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_without_a_single_long_block_makes_volumes_too(tmp_path):
    from bundles import make_bundle

    small = make_bundle(archives=[], uv_for=())
    files = make_set(small, tmp_path, volumes=2, parity=1)
    assert [len(members_of(one, source_of(small))[1]) for one in files] == [1, 1, 1]
