"""`write-media` without mounts: order of the steps, what is kept, what is left for the next drive, what is said."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest
from bundles import make_bundle, tree
from cli import bundler, check_refusal
from volumes import make_set, small_blocks

from bundler.core.digest import Digest
from bundler.core.progress import Silent
from bundler.errors import DamagedFault, HostFault, LockedFault, UsageFault
from bundler.media import copying, filling, readback, writing
from bundler.media.copying import put_bytes, put_file, temporary_path
from bundler.media.mounts import UNKNOWN
from bundler.media.preflight import preflight
from bundler.media.readback import Expected, read_back
from bundler.media.writing import find_sources, write_media


@pytest.fixture
def usb(tmp_path):
    (tmp_path / "usb").mkdir()
    return tmp_path / "usb"


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "plant-7-7.uvb"
    path.write_bytes(make_bundle())
    return path


@pytest.fixture
def volumes(tmp_path):
    """Three files of 1 MiB that are called as volumes."""
    folder = tmp_path / "volumes"
    folder.mkdir()
    for number in (1, 2, 3):
        (folder / f"plant-7-7.000{number}-of-0003.uvb").write_bytes(bytes([number]) * (1 << 20))
    return sorted(folder.iterdir())


def write(paths, folder, **options):
    options = {"drive": None, "state": None, "progress": Silent(), **options}
    return write_media(find_sources(paths), folder, **options)


def with_room(monkeypatch, *, for_files):
    """Let media say that they have room for so many files of 1 MiB."""
    room = filling._MARGIN + for_files * (1 << 20)
    real = preflight

    def small(folder):
        from dataclasses import replace

        return replace(real(folder), free=room, unit=4096)

    monkeypatch.setattr(writing, "preflight", small)


# --- one file ---------------------------------------------------------------------------------------------------


def test_a_file_is_synced_before_its_name_is_and_the_name_before_it_counts(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)

        def noted(*words, name=name, real=real):
            calls.append(
                name if name == "replace" or not Path(f"/proc/self/fd/{words[0]}").is_dir() else "folder"
            )
            return real(*words)

        monkeypatch.setattr(os, name, noted)
    put = put_bytes(b"content", tmp_path / "x.uvb")
    assert calls == ["fsync", "replace", "folder"]
    assert put.durable
    assert put.digest == Digest.of(b"content")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_file_that_cannot_be_synced_does_not_appear(bundle, usb, monkeypatch, code):
    def fail(_):
        raise OSError(code, os.strerror(code))

    (usb / bundle.name).write_bytes(b"what was there before")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(HostFault, match=os.strerror(code)):
        put_file(bundle, usb / bundle.name, size=bundle.stat().st_size, progress=Silent())
    assert tree(usb)[bundle.name][1] == b"what was there before"
    assert os.listdir(usb) == [bundle.name]


@pytest.mark.parametrize(("more", "word"), [(b"more", "more"), (None, "fewer")])
def test_a_source_that_changes_while_it_is_copied_is_refused(bundle, usb, more, word):
    size = bundle.stat().st_size
    bundle.write_bytes(bundle.read_bytes() + more if more else bundle.read_bytes()[:-1])
    with pytest.raises(DamagedFault, match=f"has {word} bytes than the {size} that it had before"):
        put_file(bundle, usb / bundle.name, size=size, progress=Silent())
    assert os.listdir(usb) == []


@pytest.mark.parametrize("late", [False, True], ids=["before", "at that moment"])
def test_a_link_that_waits_under_the_temporary_name_is_not_followed(usb, tmp_path, monkeypatch, late):
    target, victim = usb / "x.uvb", tmp_path / "victim"
    victim.write_bytes(b"keep")
    temporary_path(target).symlink_to(victim)
    if late:  # put there again, right after it was removed
        with monkeypatch.context() as patch, pytest.raises(HostFault, match=f"^{target}: File exists$"):
            patch.setattr(Path, "unlink", lambda *_, **__: None)
            put_bytes(b"content", target)
        assert not target.exists()
    else:
        put_bytes(b"content", target)
        assert (target.read_bytes(), target.is_symlink()) == (b"content", False)
    assert victim.read_bytes() == b"keep"


@pytest.mark.parametrize("fails", [False, True])
def test_all_users_of_a_far_machine_may_read_it_whatever_the_umask(bundle, usb, monkeypatch, fails):
    def refuse(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")  # as on FAT

    if fails:
        monkeypatch.setattr(os, "fchmod", refuse)
    before = os.umask(0o077)
    try:
        write([bundle], usb)
    finally:
        os.umask(before)
    modes = {one.stat().st_mode & 0o777 for one in usb.iterdir()}
    assert modes == ({0o600} if fails else {0o644})


def test_a_file_system_that_syncs_no_folders_is_not_called_durable(bundle, usb, monkeypatch):
    def refuse(_):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(copying, "sync_folder", refuse)
    done = bundler("write-media", bundle, "--to", usb)
    assert done.code == 0
    assert "safe to remove" not in done.stderr
    assert "eject or unmount it before you remove it" in done.stderr


# --- the command ------------------------------------------------------------------------------------------------


def test_it_ends_with_what_a_person_does_next(bundle, usb):
    done = bundler("write-media", bundle, "--to", usb)
    assert (done.code, done.stdout) == (0, f"{usb / bundle.name}\n")
    lines = [line.removeprefix("uv-bundler: ") for line in done.stderr.splitlines()]
    assert lines[-4].startswith(f"{usb}: 1 file written, ")
    assert lines[-3].startswith(("read back: dropped (", "read back: cached (", "read back: device ("))
    assert lines[-2] == f"{usb}: safe to remove"
    assert (
        lines[-1]
        == f"to reach replug, plug it in again: uv-bundler verify {usb / bundle.name} --trust KEY.pub"
    )
    assert (usb / "SHA256SUMS").read_text() == f"{Digest.of(bundle.read_bytes())}  {bundle.name}\n"
    assert sorted(os.listdir(usb)) == ["SHA256SUMS", bundle.name]


def test_where_trust_is_known_the_last_line_is_a_command_as_it_stands(bundle, usb):
    done = bundler("write-media", bundle, "--to", usb, UV_BUNDLER_TRUST="packer.pub")
    assert done.stderr.endswith(f"plug it in again: uv-bundler verify {usb / bundle.name}\n")


def test_parity_that_stays_at_home_is_told(tmp_path, usb):
    file, *_ = make_set(small_blocks(), tmp_path / "set", volumes=4, parity=1, whole=True)
    done = bundler("write-media", file, "--to", usb)
    assert f"warning: {tmp_path / 'set'}: has 1 more file of this bundle, not written" in done.stderr


def test_of_two_bundles_on_one_drive_the_digests_are_compared(tmp_path, usb):
    for serial in (7, 8):
        make_set(small_blocks(serial=serial), tmp_path / str(serial), volumes=2, stem=f"plant-7-{serial}")
    done = bundler("write-media", tmp_path / "7", tmp_path / "8", "--to", usb)
    assert done.stderr.endswith(f"plug it in again: cd {usb} && sha256sum -c SHA256SUMS\n")
    assert (usb / "SHA256SUMS").read_text().count("\n") == 4


def test_volumes_that_no_drive_will_have_are_told(tmp_path, usb):
    first, second, third = make_set(small_blocks(), tmp_path / "set", volumes=3)
    second.unlink()
    done = bundler("write-media", tmp_path / "set", "--to", usb)
    assert f"warning: {tmp_path / 'set'}: 1 of 3 volumes is missing, and not written: 2\n" in done.stderr
    done = bundler("write-media", first, "--to", usb)
    assert f"{tmp_path / 'set'}: has 1 more file of this bundle, not written" in done.stderr
    assert "1 of 3" not in done.stderr
    assert (usb / third.name).exists()


def test_quiet_is_quiet(bundle, usb):
    done = bundler("write-media", bundle.parent, "--to", usb, "--quiet")
    assert done.code == 0
    assert [line for line in done.stderr.splitlines() if "warning" not in line] == []


def test_companions_of_macos_stay_at_home(bundle, usb):
    (bundle.parent / f"._{bundle.name}").write_bytes(b"\0\5\x16\7")
    done = bundler("write-media", bundle.parent, "--to", usb)
    assert done.stdout == f"{usb / bundle.name}\n"


def test_a_folder_without_a_bundle_is_refused(tmp_path, usb):
    (tmp_path / "empty").mkdir()
    check_refusal(
        bundler("write-media", tmp_path / "empty", "--to", usb),
        2,
        "expected a .uvb file in there, found none",
    )
    check_refusal(bundler("write-media", tmp_path / "none.uvb", "--to", usb), 2, "no such file or folder")
    check_refusal(bundler("write-media", tmp_path / "empty", "--to", usb, "--drive", ""), 2, "")


def test_what_is_no_bundle_is_written_with_a_warning(volumes, usb):
    done = bundler("write-media", volumes[0], "--to", usb)
    assert done.code == 0
    assert f"warning: {volumes[0]}: is written all the same, but is no part of a bundle: " in done.stderr


def test_a_folder_of_this_system_is_told_not_to_be_a_drive(bundle, usb, monkeypatch):
    from bundler.media import mounts

    mount = mounts.Mount(point="/", kind="ext4", source="/dev/sda1", device=None, options=frozenset())
    monkeypatch.setattr(mounts, "mount_of", lambda _: mount)
    done = bundler("write-media", bundle, "--to", usb)
    assert f"warning: {usb}: is on the file system of /, expected a drive of its own" in done.stderr


# --- what is there already --------------------------------------------------------------------------------------


def test_a_second_run_writes_nothing_and_a_spoiled_file_is_written_again(volumes, usb):
    write(volumes, usb)
    before = [(usb / path.name).stat().st_ino for path in volumes]
    again = write(volumes, usb)
    assert (len(again.load.kept), again.load.writing) == (3, ())
    (usb / volumes[1].name).write_bytes(bytes(1 << 20))  # the right size, and not the right bytes
    third = write(volumes, usb)
    assert [one.name for one in third.load.writing] == [volumes[1].name]
    after = [(usb / path.name).stat().st_ino for path in volumes]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True]
    assert (usb / volumes[1].name).read_bytes() == volumes[1].read_bytes()


def test_what_lies_on_the_medium_already_may_be_its_own_source(bundle, usb):
    target = usb / bundle.name
    target.write_bytes(bundle.read_bytes())
    written = write([usb / bundle.name], usb)
    assert (len(written.load.kept), written.load.writing) == (1, ())


def test_ctrl_c_leaves_nothing_half_written_and_what_was_done_is_kept(volumes, usb):
    class Stopped(Silent):
        done = 0

        def advance(self, count):
            self.done += count
            if self.done == 2 << 20:  # the second file has all its bytes, and not yet its name
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(volumes, usb, progress=Stopped())
    assert os.listdir(usb) == [volumes[0].name]
    assert [one.name for one in write(volumes, usb).load.kept] == [volumes[0].name]


def test_a_list_of_sums_that_is_not_ours_is_left_alone(bundle, usb):
    (usb / "SHA256SUMS").write_text(f"{'0' * 64}  photos/1.jpg\n")
    before = tree(usb)
    check_refusal(
        bundler("write-media", bundle, "--to", usb), 6, f"{usb}/SHA256SUMS: line 1: expected the name of a file beside it",
        "name a folder of its own on the drive with --to",
    )  # fmt: skip
    assert tree(usb) == before


def test_two_runs_at_once_are_not_let_at_one_drive(bundle, usb):
    handle = os.open(usb, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(LockedFault, match="another uv-bundler is writing there"):
            write([bundle], usb)
    finally:
        os.close(handle)
    assert os.listdir(usb) == []


# --- several drives ---------------------------------------------------------------------------------------------


def test_the_next_drive_takes_what_the_first_one_left(volumes, tmp_path, monkeypatch):
    with_room(monkeypatch, for_files=2)
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    on_first = write(volumes, first)
    assert [one.name for one in on_first.load.left] == [volumes[2].name]
    done = bundler("write-media", volumes[0].parent, "--to", second)
    assert done.stdout == f"{second / volumes[2].name}\n"
    assert f"cd {second} && sha256sum -c SHA256SUMS" in done.stderr
    names = [path.name for path in volumes]
    listed = volumes[0].with_name("plant-7-7.drives").read_text()
    assert listed == f"A: {names[0]} {names[1]}\nB: {names[2]}\n"
    assert (second / "plant-7-7.drives").read_text() == listed


def test_volumes_named_in_any_order_are_the_same_set(volumes, usb, monkeypatch):
    with_room(monkeypatch, for_files=2)
    written = write([volumes[2], volumes[0], volumes[1], volumes[0]], usb)
    assert [one.name for one in written.load.held] == [path.name for path in volumes[:2]]


def test_a_drive_that_lost_a_file_gets_it_back(volumes, tmp_path, monkeypatch):
    with_room(monkeypatch, for_files=1)
    drives = [tmp_path / name for name in "ABC"]
    for drive in drives:
        drive.mkdir()
        write(volumes, drive)
    (drives[1] / volumes[1].name).unlink()
    written = write(volumes, drives[1], drive="B")
    assert [one.name for one in written.load.writing] == [volumes[1].name]
    assert str(volumes[0].with_name("plant-7-7.drives").read_text()).count("\n") == 3


def test_what_fits_on_one_drive_has_no_list_and_every_drive_takes_all_of_it(volumes, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert len(write(volumes, tmp_path / name).load.held) == 3
    assert not volumes[0].with_name("plant-7-7.drives").exists()


def test_a_list_that_somebody_spoiled_is_refused_before_anything_is_written(volumes, usb):
    volumes[0].with_name("plant-7-7.drives").write_text("A x\n")
    with pytest.raises(UsageFault, match="plant-7-7.drives: line 1: expected LABEL: FILE FILE"):
        write(volumes, usb)
    assert os.listdir(usb) == []


def test_a_label_that_cannot_be_written_into_the_list_is_refused(volumes, usb):
    done = bundler("write-media", *volumes, "--to", usb, "--drive", "the red one")
    check_refusal(done, 2, "--drive: expected a label of 1 to 32 letters", "such as: --drive A")


def test_the_list_is_written_only_after_the_drive_was_read_back(volumes, usb, monkeypatch):
    with_room(monkeypatch, for_files=1)
    real = writing.read_back

    def spoil(*words, **more):
        (usb / volumes[0].name).write_bytes(b"other")
        return real(*words, **more)

    monkeypatch.setattr(writing, "read_back", spoil)
    with pytest.raises(DamagedFault, match="gives others back"):
        write(volumes, usb)
    assert not volumes[0].with_name("plant-7-7.drives").exists()


# --- reading back -----------------------------------------------------------------------------------------------


def expected(folder, name, content):
    (folder / name).write_bytes(content)
    return Expected(name=name, size=len(content), digest=Digest.of(content))


def test_each_file_is_told_apart(tmp_path):
    files = [expected(tmp_path, name, b"x" * 5000) for name in ("good", "other", "short", "gone", "empty")]
    files[4] = expected(tmp_path, "empty", b"")
    (tmp_path / "other").write_bytes(b"y" * 5000)
    (tmp_path / "short").write_bytes(b"x" * 4000)
    (tmp_path / "gone").unlink()
    back = read_back(files, tmp_path, mount=UNKNOWN, progress=Silent())
    assert [one.wrong for one in back.outcomes] == [
        "",
        "its sha256 is another one",
        "has 4000 bytes, expected 5000",
        "cannot be read: No such file or directory",
        "",
    ]
    assert [one.file.name for one in back.bad] == ["other", "short", "gone"]
    assert back.level.value == "cached"  # of an unknown mount nothing is claimed


def test_a_medium_that_drops_what_is_past_its_end_is_found_in_every_file_that_it_hit(
    volumes, usb, monkeypatch
):
    kept, real = 1 << 20 | 5000, os.write

    class Fake:
        taken = 0

        def write(self, handle, data):
            name = str(Path(f"/proc/self/fd/{handle}").readlink())
            if ".uvb" not in name or "probe" in name:
                return real(handle, data)
            left = max(0, kept - self.taken)
            self.taken += len(data)
            real(handle, bytes(data[:left]).ljust(len(data), b"\0"))
            return len(data)

    monkeypatch.setattr(os, "write", Fake().write)
    done = bundler("write-media", *volumes, "--to", usb)
    check_refusal(
        done,
        5,
        f"in 2 of 4 files: {volumes[1].name}, {volumes[2].name} (its sha256 is another one)",
        "f3probe",
    )
    assert "safe to remove" not in done.stderr


def test_all_is_written_before_anything_is_read_back(volumes, usb, monkeypatch):
    events = []
    put, look = writing.put_file, readback._look
    monkeypatch.setattr(
        writing, "put_file", lambda *words, **more: (events.append("write"), put(*words, **more))[1]
    )
    monkeypatch.setattr(readback, "_look", lambda *words: (events.append("read"), look(*words))[1])
    write(volumes, usb)
    assert events == ["write"] * 3 + ["read"] * 4


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_that_a_list_on_the_drive_names_is_not_waited_for(bundle, usb):
    os.mkfifo(usb / "waits")
    (usb / "SHA256SUMS").write_text(f"{'0' * 64}  waits\n")
    assert write([bundle], usb).load.writing
    assert (usb / "SHA256SUMS").read_text().endswith("  plant-7-7.uvb\n")
