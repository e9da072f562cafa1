"""`pack`: the same bytes twice, by a lock that is current, to a file or to a pipe."""

import io
import json
import os
import subprocess
import tarfile

import pytest
from bundles import members
from cli import Done, check_refusal, command, environment
from fakeindex import OWN_NAME, Site

REPRODUCIBLE = {"SOURCE_DATE_EPOCH": "1789000000"}


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_packing_twice_gives_the_same_bytes(tmp_path):
    """With an Ed25519 key the signature is the same as well, so all bytes are."""
    packed = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        here = Site(tmp_path / name)
        # The lock names the index that the manifest names, so both ask the same one here.
        manifest = here.manifest(pythons="[]", more=here.build)
        manifest.write_text(manifest.read_text().replace(str(tmp_path / name), str(tmp_path / "one")))
        assert here.pack(manifest=manifest, **REPRODUCIBLE).code == 0
        packed.append((here.folder / "q4.uvb").read_bytes())
    assert packed[0] == packed[1]
    assert b'"created": "2026-09-10' in packed[0]
    assert b'"serial": 20260910' in packed[0]


def test_a_serial_in_the_manifest_stays_while_time_goes_on(site):
    manifest = site.manifest(more="serial: 2026112001\n")
    serials = []
    for epoch in ("1789000000", "1790000000"):
        assert site.pack(manifest=manifest, SOURCE_DATE_EPOCH=epoch).code == 0
        serials.append(json.loads(site.run("inspect", site.folder / "q4.uvb", "--json").stdout)["serial"])
    assert serials == [2026112001, 2026112001]


def test_what_is_packed_can_be_unpacked(site):
    done = site.pack(manifest=site.manifest(pythons='["3.13", "3.12"]', more=site.build))
    assert done.stdout == f"{site.folder / 'q4.uvb'}\n"
    prefix = site.folder / "prefix"
    done = site.run(
        "unpack",
        site.folder / "q4.uvb",
        "--prefix",
        prefix,
        "--trust",
        site.trust,
        "--platform",
        "all",
        "--shell",
        "sh",
    )
    assert done.code == 0, done.stderr
    assert f"export UV_PYTHON_INSTALL_MIRROR='file://{prefix}/current/mirror'" in done.stdout
    rows = json.loads((prefix / "current" / "download-metadata.json").read_bytes())
    assert sorted(rows) == [
        "cpython-3.11.9-linux-x86_64-gnu", "cpython-3.12.7-linux-x86_64-gnu", "cpython-3.13.5-linux-x86_64-gnu",
    ]  # fmt: skip
    mirrored = {one.name: one.read_bytes() for one in (prefix / "current" / "mirror").rglob("*.tar.gz")}
    assert mirrored[OWN_NAME] == site.own.read_bytes()
    assert site.archives["cpython-3.13.5-linux-x86_64-gnu"].read_bytes() in mirrored.values()


def test_a_folder_gets_a_bundle_that_is_named_by_name_and_serial(site):
    (site.folder / "out").mkdir()
    done = site.pack(output=site.folder / "out", **REPRODUCIBLE)
    assert done.stdout == f"{site.folder}/out/plant-7-20260910002640.uvb\n"
    assert [one.name for one in (site.folder / "out").iterdir()] == ["plant-7-20260910002640.uvb"]


def test_what_is_odd_about_an_own_build_is_told_once_though_it_is_locked_and_packed(site):
    link = tarfile.TarInfo("python/share/terminfo")
    link.type, link.linkname = tarfile.SYMTYPE, "/lib/terminfo"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as new, tarfile.open(site.own) as old:
        for member in old:
            new.addfile(member, old.extractfile(member))
        new.addfile(link)
    site.own.write_bytes(packed.getvalue())
    done = site.pack(manifest=site.manifest(pythons="[]", more=site.build))
    assert done.code == 0, done.stderr
    assert done.stderr.count("has absolute links") == 1


def test_stdout_gets_the_bundle_and_nothing_else(site):
    site.pack(**REPRODUCIBLE)
    done = subprocess.run(
        command("pack", site.folder / "plant.yaml", "-o", "-", "--key", site.key),
        env=environment(UV_BUNDLER_CACHE_DIR=site.cache, **REPRODUCIBLE), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == (site.folder / "q4.uvb").read_bytes()


def test_a_dry_run_fetches_no_archive_and_writes_nothing(site):
    for path in site.archives.values():
        path.unlink()
    manifest = site.manifest()
    before = sorted(site.folder.iterdir())
    done = site.run("pack", manifest, "-o", site.folder / "q4.uvb", "--dry-run")
    assert done.code == 0, done.stderr
    assert "cpython-3.13.5-linux-x86_64-gnu" in done.stdout
    assert "uv 0.13.8 for linux-x86_64-gnu" in done.stdout
    assert sorted(site.folder.iterdir()) == sorted([*before, site.cache])
    kept = [one for one in (site.cache / "sha256").rglob("*") if one.is_file()]
    assert len(kept) == 1  # the sdist, with the list of Pythons


def test_packing_again_needs_no_source(site):
    assert site.pack(**REPRODUCIBLE).code == 0
    first = (site.folder / "q4.uvb").read_bytes()
    for folder in ("simple", "mirror"):
        (site.folder / folder).rename(site.folder / f"{folder} is gone")
    assert site.pack(**REPRODUCIBLE).code == 0
    assert (site.folder / "q4.uvb").read_bytes() == first


def test_a_lock_is_current_until_the_manifest_means_something_else(site):
    manifest = site.manifest()
    done = site.run("lock", manifest)
    assert (done.code, done.stdout) == (0, f"{site.folder / 'plant.lock'}\n")
    assert "1 interpreter for 1 platform," in done.stderr
    lock = (site.folder / "plant.lock").read_bytes()
    done = site.run("lock", manifest, "--check")
    assert (done.code, done.stdout) == (0, "")
    assert done.stderr.endswith("plant.lock: is current\n")
    site.manifest(pythons='["3.12"]')
    done = site.run("lock", manifest, "--check")
    check_refusal(done, 2, "plant.lock: is not current: ", f"uv-bundler lock {manifest}")
    assert "cpython-3.12.7-linux-x86_64-gnu" in done.stderr
    assert (site.folder / "plant.lock").read_bytes() == lock


def test_a_lock_that_is_old_is_made_anew_by_pack_and_told_of(site):
    site.run("lock", site.manifest())
    site.manifest(pythons='["3.12"]')
    done = site.pack(manifest=site.folder / "plant.yaml")
    assert "plant.lock: was made from another state of the manifest, locking again" in done.stderr
    assert b"3.12.7" in (site.folder / "plant.lock").read_bytes()


def test_a_new_name_in_the_manifest_is_in_the_lock_that_is_packed(site):
    site.run("lock", site.manifest())
    assert site.pack(manifest=site.manifest(name="plant-8")).code == 0
    assert json.loads(members(site.folder / "q4.uvb")["bundle.json"])["name"] == "plant-8"
    assert json.loads((site.folder / "plant.lock").read_bytes())["name"] == "plant-8"


def test_a_lock_with_a_download_from_elsewhere_is_refused(site):
    site.run("lock", site.manifest())
    lock = json.loads((site.folder / "plant.lock").read_bytes())
    content = site.archives[lock["pythons"][0]["key"]]
    lock["pythons"][0]["url"] = "https://example.org/a.tar.gz"
    (site.folder / "plant.lock").write_text(json.dumps(lock))
    (site.folder / "mirror" / "a.tar.gz").write_bytes(content.read_bytes())
    done = site.pack(manifest=site.folder / "plant.yaml")
    check_refusal(done, 2, "expected a download of python-build-standalone", "lock again")
    assert not (site.folder / "q4.uvb").exists()


def test_stock_tar_lists_what_the_index_names(site):
    site.pack()
    found = members(site.folder / "q4.uvb")
    index = json.loads(found["bundle.json"])
    assert list(found)[:3] == ["bundle.json", "bundle.json.sig", "SHA256SUMS"]
    assert [one["path"] for one in index["members"]] == list(found)[2:]
    assert io.BytesIO(found["SHA256SUMS"]).readline().count(b"  ") == 1


def test_a_pipe_whose_reader_has_left_is_told_in_one_line(site):
    site.pack()
    read, write = os.pipe()
    os.close(read)
    with open(write, "wb") as stdout:  # noqa: PTH123  # a descriptor is no path
        done = subprocess.run(
            command("pack", site.folder / "plant.yaml", "-o", "-", "--key", site.key, "-q"), check=False,
            env=environment(UV_BUNDLER_CACHE_DIR=site.cache), stdout=stdout, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    check_refusal(
        Done(done.returncode, "", done.stderr), 6, "stdout: Broken pipe", "what reads it has ended early"
    )
