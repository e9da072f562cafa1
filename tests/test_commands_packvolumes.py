"""`pack --volume-size --parity`: straight into volumes, the same as `split` makes of the bundle in one file."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest
from bundles import small_content
from cli import check_refusal
from fakeindex import Site

from bundler.core.text import size

REPRODUCIBLE = {"SOURCE_DATE_EPOCH": "1789000000"}
VOLUMES = ("--volume-size", "1200K")


@pytest.fixture
def site(tmp_path):
    """A site whose own build has 4 MB that do not compress."""
    made = Site(tmp_path)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(made.own.read_bytes()))) as old:
        files = {one: old.extractfile(one).read() for one in old}
    with tarfile.open(made.own, "w:gz") as new:
        for member, data in files.items():
            content = small_content(size=4_000_000) if "library" in member.name else data
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    return made


def pack(site, *words):
    (site.folder / "out").mkdir(exist_ok=True)
    manifest = site.manifest(pythons="[]", more=site.build + "serial: 2026112001\n")
    output = site.folder / "out"
    return site.pack("--plain", *words, manifest=manifest, output=output, **REPRODUCIBLE)


def test_pack_writes_the_volumes_that_split_makes(site):
    assert pack(site).code == 0
    whole = site.folder / "out" / "plant-7-2026112001.uvb"
    kept = whole.rename(site.folder / "whole.uvb")
    for number, words in enumerate(((*VOLUMES, "--parity", "20%"), VOLUMES, ("--parity", "20%"))):
        done = pack(site, *words)
        assert done.code == 0, done.stderr
        (site.folder / f"split{number}").mkdir()
        split = site.run("split", kept, "-o", site.folder / f"split{number}", *words)
        packed = [(line, Path(line).read_bytes()) for line in done.stdout.splitlines()]
        again = [(line, Path(line).read_bytes()) for line in split.stdout.splitlines()]
        assert [data for _, data in packed] == [data for _, data in again]
        assert len(packed) == (6, 5, 3)[number]


def test_it_says_how_many_volumes_there_are_and_how_large_they_are(site):
    lines = pack(site, *VOLUMES, "--parity", "1").stderr.splitlines()
    largest = max(one.stat().st_size for one in (site.folder / "out").glob("*.uvb"))
    said = f"in 4 volumes and 1 of parity, the largest {size(largest)}"
    assert any(line.endswith(said) for line in lines), lines
    folder = site.folder / "out"
    assert any(f" {folder}/plant-7-2026112001.*.uvb: plant-7 2026Q4 " in line for line in lines), lines


def test_what_fits_is_one_file_as_without_the_option(site):
    done = pack(site, "--volume-size", "fat32")
    assert done.stdout == f"{site.folder}/out/plant-7-2026112001.uvb\n"


def test_what_is_packed_in_volumes_verifies_and_unpacks_with_one_lost(site):
    *volumes, _ = pack(site, *VOLUMES, "--parity", "1").stdout.splitlines()
    Path(volumes[1]).unlink()
    trust = ("--trust", site.trust)
    assert site.run("verify", site.folder / "out", *trust).code == 0
    where = ("--prefix", site.folder / "prefix", "--shell", "sh", "--platform", "linux-x86_64-gnu")
    done = site.run("unpack", site.folder / "out", *trust, *where)
    assert done.code == 0, done.stderr


def test_a_dry_run_tells_about_how_many_volumes(site):
    manifest = site.manifest(pythons="[]", more=site.build)

    def last(*words):
        return site.pack("--plain", "--dry-run", *words, manifest=manifest).stdout.splitlines()[-1].strip()

    assert last(*VOLUMES) == "in about 4 volumes"
    assert last(*VOLUMES, "--parity", "25%") == "in about 4 volumes, and 1 of parity"
    assert last("--volume-size", "fat32") == "in one file"
    assert last("--volume-size", "fat32", "--parity", "10%") == "in one file, and its parity"


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("--volume-size", "64K"), "--volume-size: expected room for more than one block, which has 65536", "say"),
        (("--parity", "2"), "--parity: expected a share such as 10% for a bundle in one file, found 2", "add"),
        (("--volume-size", "1100000", "--parity", "x"), "--parity: expected a number of volumes, or a share", "10%"),
    ],
)  # fmt: skip
def test_wishes_that_cannot_be_are_refused_before_anything_is_fetched(words, message, hint, site):
    check_refusal(pack(site, *words), 2, message, hint)
    assert not site.cache.exists()
    assert list((site.folder / "out").iterdir()) == []


def test_a_name_that_volumes_cannot_have_is_refused_before_anything_is_fetched(site):
    done = site.pack("--plain", *VOLUMES, output=site.folder / ".hidden.uvb")
    check_refusal(done, 2, "'.hidden': expected a name for volumes without control characters", "-o")
    assert not site.cache.exists()


def test_volumes_do_not_go_to_stdout(site):
    done = site.pack("--plain", *VOLUMES, output="-")
    check_refusal(done, 2, "stdout: takes one file, expected a folder for volumes and parity", "leave out")
