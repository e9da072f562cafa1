"""`write-media` without mounts: what it says, and what a person does next."""

from __future__ import annotations

import os

import pytest
from bundles import make_bundle
from cli import bundler, check_refusal
from mediafiles import three_volumes
from volumes import make_set, small_blocks

from bundler.core.digest import Digest


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
    return three_volumes(tmp_path / "volumes")


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


def test_a_part_of_a_set_is_proved_by_its_sums_and_the_whole_by_its_signature(tmp_path, usb):
    make_set(small_blocks(), tmp_path / "set", volumes=3, parity=1)
    first, *others = sorted((tmp_path / "set").glob("*.uvb"))
    done = bundler("write-media", first, "--to", usb)
    assert done.stderr.endswith(f"plug it in again: cd {usb} && sha256sum -c SHA256SUMS\n")
    done = bundler("write-media", tmp_path / "set", "--to", usb)
    assert done.stderr.endswith(f"plug it in again: uv-bundler verify {usb} --trust KEY.pub\n")
    others[0].unlink()
    done = bundler("write-media", tmp_path / "set", "--to", usb)
    assert done.stderr.endswith("sha256sum -c SHA256SUMS\n")


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


def test_an_empty_label_is_refused_and_nothing_is_written(bundle, usb):
    check_refusal(
        bundler("write-media", bundle, "--to", usb, "--drive", ""), 2, "--drive: expected a label of 1 to 32"
    )
    assert list(usb.iterdir()) == []


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
