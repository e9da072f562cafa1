"""Links in the places where commands for sets write: those in a circle, and those that lead elsewhere."""

from __future__ import annotations

import os

import pytest
from bundles import PACKER
from cli import bundler as run
from cli import check_refusal
from losing import files_of, put

from bundler.core.cut import Cut

pytest.importorskip("resource", reason="needs POSIX: links")

CUT = Cut(volumes=3, parity=1)


@pytest.fixture
def trust(tmp_path):
    path = tmp_path / "packer.pub"
    path.write_text(f"{PACKER.key} packer@site\n")
    return path


@pytest.fixture
def drive(tmp_path):
    files = files_of(CUT)
    return put(tmp_path / "drive", {name: files[name] for name in sorted(files)[1:]})


@pytest.fixture
def circle(tmp_path):
    path = tmp_path / "circle"
    path.symlink_to("circle")
    return path


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("collect", "DRIVE", "--into", "CIRCLE", "--trust", "TRUST"), 6),
        (("collect", "CIRCLE", "--into", "DRIVE", "--trust", "TRUST"), 2),
        (("repair", "DRIVE", "--to", "CIRCLE", "--trust", "TRUST"), 6),
        (("send", "DRIVE", "--out", "CIRCLE"), 6),
        (("receive", "--watch", "CIRCLE", "--into", "DRIVE/spool", "--trust", "TRUST", "--once"), 6),
        (("receive", "--watch", "DRIVE", "--into", "CIRCLE", "--trust", "TRUST", "--once"), 6),
    ],
)
def test_links_in_a_circle_are_refused_as_any_folder_that_is_none(trust, drive, circle, words, code):
    for word, path in (("DRIVE", drive), ("CIRCLE", circle), ("TRUST", trust)):
        words = [each.replace(word, str(path)) for each in words]
    check_refusal(run(*words), code, str(circle))


def test_a_link_in_the_place_of_the_state_folder_leads_nowhere(trust, drive, tmp_path):
    elsewhere, into = tmp_path / "elsewhere", tmp_path / "into"
    elsewhere.mkdir()
    into.mkdir()
    (into / ".collect").symlink_to(elsewhere)
    done = run("collect", drive, "--into", into, "--trust", trust)
    check_refusal(done, 6, "is a symbolic link, expected a folder of its own")
    assert list(elsewhere.iterdir()) == []
    assert [one.name for one in into.iterdir()] == [".collect"]


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_a_list_of_sums_that_is_no_file_is_none_of_ours(drive, tmp_path, kind):
    path, outside = drive / "q4.SHA256SUMS", tmp_path / "outside"
    path.unlink(missing_ok=True)
    outside.write_text("precious")
    {"link": lambda: path.symlink_to(outside), "folder": path.mkdir, "pipe": lambda: os.mkfifo(path)}[kind]()
    (tmp_path / "drop").mkdir()
    assert run("send", drive, "--out", tmp_path / "drop").code == 0
    assert {one.suffix for one in (tmp_path / "drop").iterdir()} == {".uvb"}
    assert run("keygen", tmp_path / "key").code == 0
    done = run("sign", drive, "--key", tmp_path / "key")
    assert done.code == 0, done.stderr
    assert outside.read_text() == "precious"
