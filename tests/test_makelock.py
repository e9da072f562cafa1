"""A manifest locked to exact files: which they are, what of a lock stays, and wishes that nobody fulfils."""

import pytest
from lockworld import NEWER, ROWS, World, keys
from uvlists import LINUX, MAC, WINDOWS, row, wheel_of, write_index

from bundler.connected.http import open_session
from bundler.connected.lock import Lock
from bundler.connected.lockdiff import differences
from bundler.connected.ownbuilds import OwnBuild
from bundler.core.digest import Digest
from bundler.core.metadata import Row
from bundler.core.uvnames import own_build_url
from bundler.errors import UsageFault


@pytest.fixture(scope="module")
def session():
    with open_session() as opened:
        yield opened


@pytest.fixture
def world(tmp_path, session):
    return World(tmp_path, session)


def test_a_manifest_becomes_exact_files(world):
    lock = world.lock()
    assert (lock.uv, lock.latest, lock.platforms) == (("0.12.0",), "0.12.0", (LINUX,))
    assert keys(lock) == [f"cpython-3.13.5-{LINUX}"]
    assert lock.pythons[0].row == ROWS[4]
    (wheel,) = lock.wheels
    assert wheel.wheel.file == "uv-0.12.0-py3-none-manylinux_2_17_x86_64.whl"
    assert wheel.wheel.sha256 == Digest.of(wheel_of("0.12.0"))
    assert wheel.wheel.size == len(wheel_of("0.12.0"))
    assert lock.uv_list.file == "uv-0.12.0.tar.gz"
    assert lock.index is None
    assert str(world.folder).encode() not in lock.to_bytes()


def test_every_platform_and_every_uv_gets_its_wheel_and_the_newest_list_counts(world):
    write_index(world.folder, {"0.11.0": [], "0.12.0": ROWS})
    manifest = world.manifest(uv='["0.12.0", "0.11.0"]', platforms="[windows-x86_64-none, linux-x86_64-gnu]")
    lock = world.lock(manifest)
    assert (lock.uv, lock.latest, lock.uv_list.file) == (("0.12.0", "0.11.0"), None, "uv-0.12.0.tar.gz")
    assert [(item.version, item.platform) for item in lock.wheels] == [
        ("0.11.0", LINUX),
        ("0.11.0", WINDOWS),
        ("0.12.0", LINUX),
        ("0.12.0", WINDOWS),
    ]
    assert keys(lock) == [f"cpython-3.13.5-{LINUX}", f"cpython-3.13.5-{WINDOWS}"]


def test_locking_twice_gives_the_same_bytes(world):
    first = world.lock()
    assert world.lock().to_bytes() == first.to_bytes()
    assert world.lock(previous=first).to_bytes() == first.to_bytes()


def test_latest_stays_what_it_was_until_it_is_upgraded(world):
    before = world.lock()
    write_index(world.folder, {"0.12.0": ROWS, "0.13.0": NEWER})
    assert differences(before, world.lock(previous=before)) == []
    after = world.lock(previous=before, upgrade=True)
    assert (after.latest, keys(after)) == ("0.13.0", [f"cpython-3.13.6-{LINUX}"])
    assert "latest: 0.12.0, now 0.13.0" in differences(before, after)
    assert world.lock().latest == "0.13.0"


def test_a_latest_that_was_withdrawn_does_not_stay(world):
    before = world.lock()
    write_index(world.folder, {"0.12.0": ROWS, "0.13.0": NEWER})
    page = world.folder / "simple/uv/index.html"
    lines = [
        line.replace("<a ", '<a data-yanked="" ') if "0.12.0" in line else line
        for line in page.read_text().splitlines()
    ]
    page.write_text("\n".join(lines))
    assert world.lock(previous=before).latest == "0.13.0"
    assert world.lock(world.manifest(uv='"0.12.0"')).uv == ("0.12.0",)
    assert "uv 0.12.0: its authors have withdrawn it" in world.heard.notes


def test_an_exact_version_is_no_latest(world):
    assert world.lock(world.manifest(uv='"0.12.0"')).latest is None


def test_a_platform_without_a_wheel_is_refused_before_anything_is_fetched(world):
    with pytest.raises(UsageFault, match=f"uv 0.12.0: there is no wheel for {MAC}"):
        world.lock(world.manifest(platforms="[macos-aarch64-none]"))
    assert not world.cache.root.exists()


def test_a_uv_that_reads_no_list_is_refused(world):
    write_index(world.folder, {"0.6.12": ROWS, "0.12.0": ROWS})
    with pytest.raises(UsageFault, match=r"uv 0\.6\.12: cannot be given a list of Pythons"):
        world.lock(world.manifest(uv='["0.12.0", "0.6.12"]'))


def test_a_wish_that_another_uv_would_fulfil_says_so(world):
    write_index(world.folder, {"0.11.0": [row("3.13.1")], "0.12.0": ROWS, "0.13.0": NEWER})
    for request, version in (("3.13.6", "0.13.0"), ("3.13.1", "0.11.0")):
        with pytest.raises(UsageFault) as caught:
            world.lock(world.manifest(uv='["0.12.0", "0.11.0"]', pythons=f'["{request}"]'))
        assert caught.value.message.startswith(
            f"plant.yaml: pythons[0]: {request}: uv 0.12.0 knows no such Python"
        )
        assert caught.value.hint.endswith(f"in the list of uv: {version}")


def own_build(path):
    row = Row(
        name="cpython", version=(3, 13, 5), prerelease="", variant="", platform=LINUX, build="own-1",
        url=own_build_url(path.name, Digest.of(b"own")), sha256=Digest.of(b"own"),
    )  # fmt: skip
    return OwnBuild(row=row, path=path, sha256=Digest.of(b"own"), size=3, source="../own.tar.gz")


def test_an_own_build_stands_in_the_lock_in_place_of_uvs_row(world):
    own = own_build(world.folder / "cpython-3.13.5+own.tar.gz")
    lock = world.lock(world.manifest(pythons='["3.13", "3.12"]'), own=[own])
    assert keys(lock) == [f"cpython-3.12.7-{LINUX}"]
    (build,) = lock.builds
    assert (build.row, build.file, build.size, build.source) == (own.row, own.path.name, 3, "../own.tar.gz")
    assert Lock.from_bytes(lock.to_bytes()) == lock


def test_older_versions_of_uv_that_cannot_use_a_row_are_told_of(world):
    rows = [*ROWS, row("3.13.5", variant="debug")]
    write_index(world.folder, {"0.8.0": rows, "0.12.0": rows})
    world.lock(world.manifest(uv='["0.12.0", "0.8.0"]', pythons='["3.13d"]'))
    assert (
        f"uv 0.8.0 will not install cpython-3.13.5+debug-{LINUX}: only 0.8.18 and newer do"
        in world.heard.notes
    )
