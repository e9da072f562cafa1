"""`split --exploded`, and what the other commands make of the folder."""

from __future__ import annotations

import pytest
from bundles import PACKER
from cli import bundler, check_refusal, process
from explodedfolders import FULL, exploded, flip, joined, some_plain


@pytest.fixture
def folder(tmp_path):
    exploded(FULL, tmp_path / "open")
    return tmp_path / "open"


@pytest.fixture
def place(tmp_path):
    (tmp_path / "q4.uvb").write_bytes(FULL)
    (tmp_path / "packer.pub").write_text(f"{PACKER.key} packer@site\n")
    return tmp_path


def test_a_bundle_from_a_pipe_is_exploded_as_it_comes(place):
    words = ("split", "-", "--exploded", "-o", place / "open", "--trust", place / "packer.pub")
    done = process(*words, input=FULL)
    assert done.code == 0, done.stderr
    assert joined(place / "open") == FULL


def test_split_and_join_give_the_folder_and_the_bundle(place):
    trust = ("--trust", place / "packer.pub")
    done = bundler("split", place / "q4.uvb", "--exploded", "-o", place / "open", *trust)
    assert (done.code, done.stdout) == (0, f"{place / 'open'}\n{place / 'open'}.SHA256SUMS\n"), done.stderr
    assert "every byte is as signed; 6 files as stored, 2 files of " in done.stderr
    (place / "open" / "report.txt").write_text("clean")
    done = bundler("join", place / "open", "-o", place / "again.uvb", *trust)
    assert done.code == 0, done.stderr
    assert "1 file not of this bundle, ignored: report.txt" in done.stderr
    assert (place / "again.uvb").read_bytes() == FULL


def test_every_command_takes_the_folder(place):
    exploded(FULL, place / "open")
    trust = ("--trust", place / "packer.pub")
    assert bundler("inspect", place / "open").stdout.startswith("plant-7 2026Q4, serial 7")
    assert bundler("verify", place / "open", *trust).code == 0
    done = bundler("unpack", place / "open", *trust, "--prefix", place / "prefix", "--shell", "sh")
    assert done.code == 0, done.stderr
    done = bundler("split", place / "open", "-o", place, "--parity", "10%", *trust)
    assert done.code == 0, done.stderr
    assert (place / "plant-7-7.uvb").read_bytes() == FULL
    flip(some_plain(place / "open"))
    check_refusal(bundler("verify", place / "open", *trust), 5, "plain/mirror/", "copy the folder again")


def test_what_is_wrong_with_the_words_is_told_before_anything_is_read(place):
    for words, code, message in (
        (("-o", "-"), 2, "-: expected the name of a new folder"),
        (("-o", place), 2, f"{place}: exists already, expected the name of a new folder"),
        (
            ("-o", place / "open", "--parity", "10%"),
            2,
            "--exploded: expected without --volume-size and --parity",
        ),
        (("-o", place / "open", "--trust", place / "none.pub"), 2, "none.pub: no such"),
    ):
        done = bundler("split", place / "none.uvb", "--exploded", *words)
        assert (done.code, done.stdout) == (code, ""), done.stderr
        assert message in done.stderr
    assert not (place / "open").exists()


def test_what_takes_files_says_how_a_folder_becomes_one(folder, tmp_path):
    (tmp_path / "usb").mkdir()
    bundler("keygen", tmp_path / "second")
    signing = ("sign", folder, "--key", tmp_path / "second")
    for words in (
        signing,
        ("write-media", folder, "--to", tmp_path / "usb"),
        ("send", folder, "--out", tmp_path),
    ):
        done = bundler(*words)
        check_refusal(done, 2, "found none", f"make one file first: uv-bundler join {folder} -o q4.uvb")
