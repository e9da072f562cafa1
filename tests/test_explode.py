"""The exploded form of a bundle: a folder in which everything lies as a plain file, and back to the same bytes."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bundles import (
    HOST,
    OTHER,
    PACKER,
    Packer,
    archive,
    make_bundle,
    make_document,
    request,
    small_content,
    tree,
)
from cli import bundler, check_refusal, process
from quarters import Notes, Series, edited, python
from quarters import archive as python_archive
from recompressed import delta_box, full_box

from bundler.core.progress import Silent
from bundler.errors import (
    BundlerError,
    DamagedFault,
    HostFault,
    IncompleteFault,
    SignatureFault,
    UsageFault,
)
from bundler.offline import explode as exploding
from bundler.offline.explode import explode
from bundler.offline.folder import FolderReader, is_exploded, plain_artifacts
from bundler.offline.inspect import describe
from bundler.offline.signedindex import parse_named
from bundler.offline.unpack import unpack
from bundler.offline.verify import verify_bundle
from bundler.volumes.placing import write_joined
from bundler.volumes.recutting import begin

FORMAT = (Path(__file__).parents[1] / "bundler" / "FORMAT.md").read_text(encoding="utf-8")
FULL = full_box().seal()
CHAIN = [make_document(2), make_document(3)]
COMPRESSIBLE = b"all the same " * 3000
STORED = make_bundle(
    archives=[archive(small_content()), archive(COMPRESSIBLE, version=(3, 12, 1))], chain=CHAIN
)
BUNDLES = {
    "stored as it is": make_bundle(archives=[archive(small_content())]),
    "compressed, with trust documents": STORED,
    "recompressed": FULL,
    "recompressed for two platforms": full_box(platforms=(HOST, OTHER)).seal(),
    "a delta": delta_box(FULL).seal(),
    "signed twice": make_bundle(packers=(PACKER, Packer(2))),
}


def exploded(data, folder, progress=None):
    return explode(io.BytesIO(data), folder, name="q4.uvb", trust=PACKER.trust, progress=progress or Silent())


def joined(folder):
    given, data = begin(FolderReader(folder), name=str(folder), trust=PACKER.trust), bytearray()
    write_joined(data.extend, source=given.source, blocks=given.blocks(), progress=Silent())
    return bytes(data)


def verify(folder):
    """Return what was told beside that every byte is as signed."""
    reader = FolderReader(folder)
    verify_bundle(reader, name=str(folder), trust=PACKER.trust, progress=Silent())
    return list(reader.told())


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


# --- a folder that somebody changed ---------------------------------------------------------------------------


def some_plain(folder):
    return next(path for path in sorted((folder / "plain").rglob("*.gz")) if path.is_file())


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_one_flipped_bit_of_any_file_is_found(folder):
    expected = {"bundle.json": SignatureFault, "bundle.json.sig": SignatureFault}
    for name in files_below(folder):
        before = (folder / name).read_bytes()
        flip(folder / name)
        with pytest.raises(expected.get(name, DamagedFault)) as caught:
            verify(folder)
        assert name.startswith("bundle.json") or name in caught.value.message
        assert (
            not name.startswith("payload") or ": block 1 of 1 at byte 0: sha256 is " in caught.value.message
        )
        (folder / name).write_bytes(before)
    assert verify(folder) == []


def test_any_file_that_is_missing_is_told_by_name(folder):
    for name in files_below(folder):
        before = (folder / name).read_bytes()
        (folder / name).unlink()
        if name == "plain/SHA256SUMS":
            assert verify(folder) == []
        elif name.startswith("plain/"):
            assert verify(folder) == [f"{folder}: 1 plain file not there, nothing needs them: {name}"]
        else:
            with pytest.raises(BundlerError) as caught:
                verify(folder)
            assert type(caught.value) is (SignatureFault if name.endswith(".sig") else IncompleteFault)
            assert name in caught.value.message
        (folder / name).write_bytes(before)


def test_a_missing_member_is_told_before_any_is_read(folder):
    reader = FolderReader(folder)
    index = parse_named(reader.read_signed_index(), name="x")
    reader.begin(index)
    (folder / index.members[-1].path).unlink()
    with pytest.raises(IncompleteFault, match="1 file of the bundle missing: payload/"):
        reader.begin(index)


def test_a_longer_or_shorter_file_is_found(folder):
    for name in files_below(folder):
        before = (folder / name).read_bytes()
        for after in (before + b"\n", before[:-1]):
            (folder / name).write_bytes(after)
            with pytest.raises((DamagedFault, SignatureFault)) as caught:
                verify(folder)
            if name.endswith((".gz", ".zst")):
                assert f"{name}: expected {len(before)} bytes, found {len(after)}" in caught.value.message
        (folder / name).write_bytes(before)


def test_what_a_gate_leaves_is_named_and_left_alone(folder, tmp_path):
    (folder / "report.txt").write_text("clean")
    (folder / "payload" / "scan").mkdir()
    (folder / "payload" / "scan" / "deep.log").write_text("clean")
    (folder / "plain" / "._x").write_text("")
    line = f"{folder}: 3 files not of this bundle, ignored: payload/scan, plain/._x, report.txt"
    assert verify(folder) == [line]
    reader = FolderReader(folder)
    unpack(reader, request(tmp_path / "p"), name="x", progress=Silent())
    assert reader.told() == (line,)
    assert joined(folder) == FULL


def test_many_foreign_files_are_counted_and_no_more_than_a_thousand(folder):
    (folder / "payload" / "x").touch()
    for number in range(7):
        (folder / f"r{number}").touch()
    assert verify(folder)[0].endswith("ignored: payload/x, r0, r1, r2, r3 and 3 more")
    for number in range(1100):
        (folder / f"s{number}").touch()
    assert "more than 1000 files not of this bundle" in verify(folder)[0]


def test_plain_files_are_verified_but_unpack_does_not_read_them(folder, tmp_path):
    flip(some_plain(folder))
    unpack(FolderReader(folder), request(tmp_path / "p"), name="x", progress=Silent())
    with pytest.raises(DamagedFault, match="plain/"):
        verify(folder)
    shutil.rmtree(folder / "plain")
    assert len(verify(folder)) == 1


# --- a hostile folder -----------------------------------------------------------------------------------------

posix = pytest.mark.skipif(os.name == "nt", reason="needs symbolic links and named pipes")


def kept_aside(folder, name):
    aside = folder.parent / "aside"
    shutil.move(folder / name, aside)
    return aside


@posix
@pytest.mark.parametrize("name", ["bundle.json", "bundle.json.sig", "SHA256SUMS", "payload", "plain"])
def test_no_symbolic_link_is_followed(folder, name):
    (folder / name).symlink_to(kept_aside(folder, name))
    with pytest.raises(DamagedFault, match=f"{name}: expected .*, found a symbolic link"):
        verify(folder)


@posix
def test_neither_a_pipe_nor_a_folder_is_read_as_a_file(folder):
    place = folder / "SHA256SUMS"
    for make in (os.mkfifo, os.mkdir):
        place.unlink() if place.is_file() else place.rmdir() if place.is_dir() else None
        make(place)
        with pytest.raises(DamagedFault, match="SHA256SUMS: expected a regular file, found something else"):
            verify(folder)
        place.unlink() if make is os.mkfifo else None


@posix
def test_a_file_that_becomes_a_pipe_after_the_first_look_is_not_waited_for(folder, monkeypatch):
    reader = FolderReader(folder)
    index = parse_named(reader.read_signed_index(), name="x")
    monkeypatch.setattr(reader._files, "look", lambda _: None)
    (folder / "SHA256SUMS").unlink()
    os.mkfifo(folder / "SHA256SUMS")
    with pytest.raises(DamagedFault, match="expected a regular file"):
        list(reader.blocks(index.members[0], block_size=index.block_size))


def test_signatures_and_documents_with_a_gap_are_refused(tmp_path):
    exploded(BUNDLES["signed twice"], tmp_path / "open")
    (tmp_path / "open" / "bundle.json.sig").unlink()
    with pytest.raises(
        DamagedFault, match=r"bundle.json.sig: is missing, expected it beside bundle.json.1.sig"
    ):
        verify(tmp_path / "open")
    exploded(make_bundle(chain=[make_document(n) for n in (2, 3, 4)]), tmp_path / "chain")
    (tmp_path / "chain" / "trust" / "3.json").unlink()
    with pytest.raises(DamagedFault, match=r"trust/3.json: is missing, expected it beside trust/4.json"):
        verify(tmp_path / "chain")


def test_a_trust_document_without_signature_is_refused(tmp_path):
    exploded(STORED, tmp_path / "open")
    (tmp_path / "open" / "trust" / "2.json.sig").unlink()
    with pytest.raises(DamagedFault, match=r"trust/2.json.sig: is missing"):
        verify(tmp_path / "open")


def test_a_front_that_is_too_large_is_not_read_to_its_end(folder):
    (folder / "bundle.json.sig").write_bytes(bytes(20 << 10))
    with pytest.raises(DamagedFault, match="expected at most 16384 bytes, found more"):
        verify(folder)


# --- whole, or not at all -------------------------------------------------------------------------------------


def test_what_no_trusted_signer_signed_is_not_exploded(tmp_path):
    with pytest.raises(SignatureFault):
        explode(io.BytesIO(FULL), tmp_path / "open", name="x", trust=Packer(3).trust, progress=Silent())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("at", [0.5, 0.9, 0.999])
def test_a_damaged_bundle_leaves_nothing(at, tmp_path):
    data = bytearray(FULL)
    data[int(len(data) * at) if at < 0.99 else len(data) - 1] ^= 1
    with pytest.raises(DamagedFault):
        exploded(bytes(data), tmp_path / "open")
    with pytest.raises(DamagedFault):
        exploded(FULL[:-600], tmp_path / "open")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_already_is_not_touched(tmp_path):
    (tmp_path / "open").mkdir()
    with pytest.raises(UsageFault, match="exists already, expected the name of a new folder"):
        exploded(FULL, tmp_path / "open")
    with pytest.raises(UsageFault, match="no such folder, expected one for the files of the bundle"):
        exploded(FULL, tmp_path / "none" / "open")
    (tmp_path / "other.SHA256SUMS").touch()
    with pytest.raises(UsageFault, match=r"other.SHA256SUMS: exists already"):
        exploded(FULL, tmp_path / "other")
    assert tree(tmp_path).keys() == {"open", "other.SHA256SUMS"}


def test_too_little_room_is_told_before_anything_is_written(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(exploding.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(HostFault, match=r"1000 B free, expected 16\.\d MiB"):
        exploded(FULL, tmp_path / "open")
    assert list(tmp_path.iterdir()) == []


# --- as the format says ---------------------------------------------------------------------------------------


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


# --- the commands ---------------------------------------------------------------------------------------------


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


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc to tell which file a descriptor is")
def test_every_file_and_folder_is_on_the_disk_before_the_folder_gets_its_name(tmp_path, monkeypatch):
    events = []
    sync, rename = os.fsync, Path.rename

    def synced(handle):
        events.append(Path(f"/proc/self/fd/{handle}").readlink())
        sync(handle)

    def renamed(path, target):
        events.append("renamed")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    exploded(FULL, tmp_path / "open")
    before = events[: events.index("renamed")]
    names = {"/".join(one.parts[len(tmp_path.parts) + 1 :]) for one in before}
    folders = {
        str(one.relative_to(tmp_path / "open")) for one in (tmp_path / "open").rglob("*") if one.is_dir()
    }
    wanted = {f"tree/{one}" for one in (*files_below(tmp_path / "open"), *folders)} | {"tree"}
    assert wanted <= names
    assert events[events.index("renamed") + 1] == tmp_path


def test_a_folder_that_cannot_be_moved_to_its_place_leaves_nothing(tmp_path, monkeypatch):
    def refused(path, target):
        raise OSError(28, "No space left on device", str(path), None, str(target))

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(HostFault, match="open: No space left on device"):
        exploded(FULL, tmp_path / "open")
    assert list(tmp_path.iterdir()) == []


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
