"""The exploded form of a bundle: a folder in which everything lies as a plain file, and back to the same bytes."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
from pathlib import Path

import pytest
from bundles import PACKER, request, tree
from explodedfolders import BUNDLES, FULL, STORED, exploded, files_below, flip, joined, some_plain, verify
from quarters import Notes, Series, edited, python
from quarters import archive as python_archive

from bundler.core.progress import Silent
from bundler.offline.folder import FolderReader, is_exploded, plain_artifacts
from bundler.offline.inspect import describe
from bundler.offline.unpack import unpack


@pytest.fixture
def folder(tmp_path):
    exploded(FULL, tmp_path / "open")
    return tmp_path / "open"


# --- both ways ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BUNDLES)
def test_the_folder_is_the_same_bundle_byte_for_byte(kind, tmp_path):
    exploded(BUNDLES[kind], tmp_path / "open")
    assert joined(tmp_path / "open") == BUNDLES[kind]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["open", "open.SHA256SUMS"]


def test_what_pack_makes_comes_back_byte_for_byte(tmp_path):
    """Carried as it is, recompressed, and as a delta whose archives need the base."""
    series = Series(tmp_path)
    files = python()
    old = python_archive(files)
    new = python_archive({name: edited(data) if data else data for name, data in files.items()}, "3.13.6")
    plain = series.pack(old, serial=2, level=None)
    full = series.pack(old, serial=3)
    delta = series.pack(new, serial=4, since=[full], uv=b"vu" * 900)
    for bundle, archives_of in ((plain, "payload"), (full, "plain"), (delta, None)):
        folder = tmp_path / bundle.stem
        made = exploded(bundle.read_bytes(), folder)
        assert joined(folder) == bundle.read_bytes()
        assert {path.relative_to(folder).parts[0] for path in folder.rglob("*.gz")} == {archives_of} - {None}
        assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o644}
        assert [one.role for one in made.left_out].count("archive") == (archives_of is None)
        assert verify(folder) == []


@pytest.mark.parametrize("kind", BUNDLES)
def test_every_file_that_a_bundle_brings_lies_there_plain_and_once(kind, tmp_path):
    made = exploded(BUNDLES[kind], tmp_path / "open")
    index = made.verified.index
    found = [
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (tmp_path / "open").rglob("*")
        if path.is_file()
    ]
    wanted = {one.sha256.hex for one in index.artifacts} - {one.sha256.hex for one in made.left_out}
    assert wanted <= set(found)
    assert all(found.count(one.sha256.hex) == 1 for one in plain_artifacts(index))
    assert len(made.left_out) == (2 if kind == "a delta" else 0)


def test_a_delta_says_what_only_a_host_with_its_base_can_rebuild(tmp_path):
    notes = Notes()
    exploded(BUNDLES["a delta"], tmp_path / "open", notes)
    assert notes.lines == [
        "2 files can only be rebuilt on a host that has plant-7 2026Q4 (serial 7): not below plain/"
    ]
    assert not (tmp_path / "open" / "plain").exists()
    assert verify(tmp_path / "open") == []


@pytest.mark.skipif(not shutil.which("tar"), reason="needs tar")
@pytest.mark.parametrize("data", [STORED, FULL])
def test_the_folder_holds_what_stock_tar_makes_of_the_bundle_and_plain_files(data, tmp_path):
    exploded(data, tmp_path / "open")
    (tmp_path / "tar").mkdir()
    subprocess.run(["tar", "-xf", "-", "-C", tmp_path / "tar"], input=data, check=True)
    ours, stock = ({k: v[1] for k, v in tree(tmp_path / one).items()} for one in ("open", "tar"))
    assert {path: facts for path, facts in ours.items() if path.split("/")[0] != "plain"} == stock
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "open").rglob("*") if path.is_file()}
    assert modes == {0o644}


@pytest.mark.parametrize("kind", BUNDLES)
def test_the_list_beside_the_folder_has_exactly_its_files(kind, tmp_path):
    folder = tmp_path / "open"
    exploded(BUNDLES[kind], folder)
    there = {path: hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in files_below(folder)}
    lines = (tmp_path / "open.SHA256SUMS").read_text().splitlines()
    assert {line[66:]: line[:64] for line in lines} == there
    assert len(lines) == len(there)


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="needs sha256sum")
def test_sha256sum_checks_both_lists(folder):
    for place in (folder, folder / "plain"):
        subprocess.run(["sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS"], cwd=place, check=True)


def test_a_folder_is_told_from_one_that_holds_a_bundle(folder, tmp_path):
    assert is_exploded(folder)
    assert not is_exploded(tmp_path)
    (folder / "q4.UVB").write_bytes(FULL)
    assert not is_exploded(folder)


# --- as a bundle ----------------------------------------------------------------------------------------------


def test_a_folder_unpacks_to_the_same_generation(folder, tmp_path):
    for source, prefix in ((FolderReader(folder), "one"), (io.BytesIO(FULL), "two")):
        unpack(source, request(tmp_path / prefix), name="x", progress=Silent())
    one, two = (
        {
            path: facts
            for path, facts in tree(tmp_path / name / "generations").items()
            if not path.endswith("uv.toml")
        }
        for name in ("one", "two")
    )
    assert one == two


def test_a_folder_is_described_as_its_bundle_is_but_for_its_size(folder):
    one, two = describe(FolderReader(folder), name="x"), describe(io.BytesIO(FULL), name="x")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert one == two | {"stored_size": size}


# --- as the format says ---------------------------------------------------------------------------------------

FORMAT = (Path(__file__).parents[1] / "bundler" / "FORMAT.md").read_text(encoding="utf-8")


@pytest.mark.skipif(
    not all(map(shutil.which, ("ssh-keygen", "sha256sum", "sh"))), reason="needs ssh-keygen and sha256sum"
)
@pytest.mark.parametrize("data", [STORED, FULL])
def test_stock_tools_check_the_folder_as_the_format_says(data, tmp_path):
    section = FORMAT.split("\n### Exploded\n", 1)[1].split("\n##", 1)[0]
    script = "".join(f"{line[4:]}\n" for line in section.splitlines() if line.startswith("    "))
    place = tmp_path / "open"
    exploded(data, place)
    (place / "allowed_signers").write_text(f"{PACKER.line}\n")

    def run():
        return subprocess.run(
            ["sh", "-ec", script.replace("packer@site", PACKER.name)],
            cwd=place, capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = run()
    assert done.returncode == 0, done.stderr
    assert "not signed" not in done.stdout
    assert (
        done.stdout.count(": OK\n")
        == len(files_below(place / "payload")) + len(files_below(place / "plain")) - 1
    )
    (place / "plain" / "x").write_text("x")
    with (place / "plain" / "SHA256SUMS").open("a") as out:
        out.write(f"{hashlib.sha256(b'x').hexdigest()}  x\n")
    assert "not signed" in run().stdout
    flip(some_plain(place))
    assert run().returncode != 0
