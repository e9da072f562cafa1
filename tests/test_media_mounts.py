"""Which mount a path lies on, from tables as kernels write them, and what its file system can hold."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import pytest

from bundler.errors import HostFault, UsageFault
from bundler.media import filesystems, mounts
from bundler.media.filesystems import filesystem_name, largest_file
from bundler.media.mounts import UNKNOWN, Mount, choose, mount_of, parse_table
from bundler.media.preflight import Medium, check_names, check_sizes, preflight, split_words

TABLE = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,discard
30 22 8:17 / /media/usb rw,nosuid,nodev shared:2 master:3 - vfat /dev/sdb1 rw,fmask=0022
31 22 0:40 / /media/usb\040stick\011\134\043 rw - fuse.fusefat fusefat rw,user_id=0
32 22 8:33 / /media/usb/inner ro,relatime - exfat /dev/sdc1 rw
33 22 8:49 /folder /mnt rw - ext4 /dev/sdd1 ro
34 22 0:50 /sub /data rw - btrfs /dev/sde1 rw,subvol=/sub
35 22 0:60 / /auto rw - autofs systemd-1 rw
36 35 8:65 / /auto rw - xfs /dev/sdf1 rw
a line of another form
37 22 8:81 / /over/under rw - ext4 /dev/sdg1 rw
38 22 8:97 / /over rw - ext4 /dev/sdh1 rw
39 22 8:113 / /twice rw - ext4 /dev/sdi1 rw
40 39 8:113 / /twice ro - ext4 /dev/sdi1 rw
"""


def at(path, *, major, minor):
    return choose(parse_table(TABLE), path, device=os.makedev(major, minor))


@pytest.mark.parametrize(
    ("path", "device", "kind", "source"),
    [
        ("/home", (8, 1), "ext4", "/dev/sda1"),
        ("/media/usb", (8, 17), "vfat", "/dev/sdb1"),
        ("/media/usb/folder", (8, 17), "vfat", "/dev/sdb1"),
        ("/media/usbstick", (8, 1), "ext4", "/dev/sda1"),
        ("/media/usb stick\t\\#/x", (0, 40), "fuse.fusefat", "fusefat"),
        ("/media/usb/inner", (8, 33), "exfat", "/dev/sdc1"),
        ("/data/x", (0, 51), "btrfs", "/dev/sde1"),  # as stat says it of a subvolume
        ("/auto/x", (8, 65), "xfs", "/dev/sdf1"),
        ("/over/under", (8, 97), "ext4", "/dev/sdh1"),  # what was mounted there before is hidden
    ],
)
def test_the_mount_of_a_path_is_found(path, device, kind, source):
    found = at(path, major=device[0], minor=device[1])
    assert (found.kind, found.source) == (kind, source)


def test_read_only_is_so_for_the_mount_or_for_the_whole_file_system():
    assert at("/media/usb/inner", major=8, minor=33).read_only
    assert at("/mnt", major=8, minor=49).read_only
    assert at("/twice", major=8, minor=113).read_only  # the last one there hides the others
    assert not at("/media/usb", major=8, minor=17).read_only


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the table")
def test_the_mount_of_this_very_folder_is_known(tmp_path):
    found = mount_of(tmp_path)
    assert found.known
    assert tmp_path.is_relative_to(found.point)


def test_where_no_table_is_nothing_is_claimed(tmp_path, monkeypatch):
    monkeypatch.setattr(mounts, "_TABLE", tmp_path / "none")
    assert mount_of(tmp_path) == UNKNOWN
    assert not UNKNOWN.known
    assert UNKNOWN.block_device is None
    assert filesystem_name(UNKNOWN) == "unknown"


def mounted(kind, source="none"):
    return Mount(point="/media/usb", kind=kind, source=source, device=None, options=frozenset())


@pytest.mark.parametrize(
    ("kind", "name", "largest"),
    [
        ("vfat", "FAT", (1 << 32) - 1),
        ("fuse.fusefat", "FAT", (1 << 32) - 1),
        ("exfat", "exFAT", None),
        ("ntfs3", "NTFS", None),
        ("ext4", "ext4", None),
        ("fuseblk", "fuseblk", None),
        ("unknown", "unknown", None),
    ],
)
def test_the_largest_file_is_known_by_the_type(kind, name, largest, monkeypatch):
    monkeypatch.setattr(filesystems, "_own_limit", lambda: None)
    assert filesystem_name(mounted(kind)) == name
    assert largest_file(mounted(kind)).size == largest


def test_a_device_of_another_number_is_not_taken_for_the_one_below(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "is_block_device", lambda _: True)
    (tmp_path / "sdb1").touch()  # its number is 0, as of all that is no device
    for number, found in ((0, tmp_path / "sdb1"), (os.makedev(8, 17), None)):
        mount = Mount(
            point="/", kind="vfat", source=str(tmp_path / "sdb1"), device=number, options=frozenset()
        )
        assert mount.block_device == found


@pytest.mark.parametrize(
    ("at", "magic", "name"),
    [(3, b"EXFAT   ", "exFAT"), (3, b"NTFS    ", "NTFS"), (82, b"FAT32   ", "FAT"), (54, b"FAT16   ", "FAT"), (0, b"", "fuseblk")],
)  # fmt: skip
def test_behind_fuse_the_first_sector_says_what_it_is(tmp_path, monkeypatch, at, magic, name):
    sector = bytearray(512)
    sector[at : at + len(magic)] = magic
    (tmp_path / "sdb1").write_bytes(sector)
    monkeypatch.setattr(Mount, "block_device", tmp_path / "sdb1")
    assert filesystem_name(mounted("fuseblk")) == name


def test_of_the_process_and_the_file_system_the_tighter_bound_counts(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1000, 1000))
    assert largest_file(mounted("vfat")).size == 1000
    assert "ulimit -f" in largest_file(mounted("vfat")).reason
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1 << 40, 1 << 40))
    assert largest_file(mounted("vfat")).size == (1 << 32) - 1
    assert largest_file(mounted("ext4")).size == 1 << 40


def medium(kind):
    mount = mounted(kind)
    return Medium(
        folder=Path("usb"), mount=mount, largest=largest_file(mount), free=1, inodes=None, unit=4096, folds_case=False
    )  # fmt: skip


def test_a_file_of_4_gib_less_one_byte_fits_on_fat_and_one_byte_more_does_not(monkeypatch):
    monkeypatch.setattr(filesystems, "_own_limit", lambda: None)
    fat, most = medium("vfat"), (1 << 32) - 1
    check_sizes(fat, [(Path("a.uvb"), most)])
    with pytest.raises(HostFault) as caught:
        check_sizes(fat, [(Path("a.uvb"), most), (Path("b.uvb"), most + 1)])
    assert (
        caught.value.message
        == "b.uvb: has 4294967296 bytes, expected at most 4294967295: FAT holds no larger file"
    )
    assert (
        caught.value.hint == "cut it into volumes first: uv-bundler split b.uvb -o FOLDER --volume-size fat32"
    )
    check_sizes(medium("exfat"), [(Path("b.uvb"), most + 1)])


def test_the_command_that_remounts_can_be_pasted(tmp_path, monkeypatch):
    stick = Mount(point="/media/my stick", kind="vfat", source="", device=None, options=frozenset({"ro"}))
    monkeypatch.setattr("bundler.media.preflight.mount_of", lambda _: stick)
    with pytest.raises(HostFault) as caught:
        preflight(tmp_path)
    assert "mount -o remount,rw '/media/my stick'; where" in caught.value.hint


def test_a_file_takes_whole_units_of_room():
    assert [medium("vfat").room_of(size) for size in (0, 1, 4096, 4097)] == [0, 4096, 4096, 8192]


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("q4.uvb", "q4.uvb"),
        ("my sets/q4.uvb", "'my sets/q4.uvb'"),
        ("my sets/q4.0002-of-0004.uvb", "'my sets'"),
        ("out/q4.p0002-of-0004.uvb", "out"),
        ("q4.0002-of-0004.uvb", "."),
    ],
)
def test_the_command_that_cuts_anew_names_all_of_the_bundle_and_can_be_pasted(file, named):
    assert split_words(Path(file), "2G") == f"uv-bundler split {named} -o FOLDER --volume-size 2G"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["q4.uvb", "a b.uvb"], "expected a path of letters, digits and ._+-, found 'a b.uvb'"),
        (["sha256:1.uvb"], "expected a path of letters, digits and ._+-, found 'sha256:1.uvb'"),
        (["con.uvb"], "expected a name that Windows does not keep for itself, found 'con.uvb'"),
        (["q4.uvb", "Q4.uvb"], "'Q4.uvb' and 'q4.uvb' are one name on some file systems"),
        (["x" * 101], f"expected names of at most 100 characters, found '{'x' * 101}'"),
    ],
)
def test_names_that_some_file_system_does_not_take_are_refused(names, message):
    with pytest.raises(UsageFault) as caught:
        check_names(names)
    assert caught.value.message == f"the names of the files: {message}"


def test_looking_at_a_medium_leaves_nothing_there(tmp_path):
    before = tmp_path.stat().st_mode
    found = preflight(tmp_path)
    assert os.listdir(tmp_path) == []
    assert tmp_path.stat().st_mode == before
    assert found.free > 0
    assert not found.folds_case or sys.platform != "linux"
    assert [found.room_of(size) % found.unit for size in (0, 1, 4096, 4097)] == [0, 0, 0, 0]
    assert found.room_of(1) == found.unit


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "no such folder, expected the folder where the drive is mounted"),
        (lambda path: path.write_bytes(b""), "is a file, expected the folder where the drive is mounted"),
    ],
)
def test_what_is_no_folder_is_no_medium(tmp_path, make, message):
    path = tmp_path / "usb"
    make(path)
    with pytest.raises(HostFault) as caught:
        preflight(path)
    assert caught.value.message == f"{path}: {message}"


def test_a_folder_that_takes_no_files_is_told_as_that(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", "secret temporary name")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(HostFault) as caught:
        preflight(tmp_path)
    assert caught.value.message == f"{tmp_path}: takes no files: Permission denied"
    assert "as a user who may write there" in caught.value.hint


def test_a_medium_that_gives_other_bytes_back_at_once_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "read_bytes", lambda _: b"other")
    with pytest.raises(HostFault, match="a small file did not come back as it was written"):
        preflight(tmp_path)
    assert os.listdir(tmp_path) == []
