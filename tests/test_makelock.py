"""Locking against an index with small uvs in it: what is asked, what is kept, what is said."""

from pathlib import Path

import pytest
from hostile import running, serve, status
from uvlists import LINUX, MAC, WINDOWS, Heard, real_sdist, row, sdist_of, wheel_of, write_index

from bundler.connected.cache import Cache
from bundler.connected.fetch import Fetcher
from bundler.connected.http import open_session
from bundler.connected.indexsource import find_index
from bundler.connected.lock import Lock
from bundler.connected.lockdiff import differences
from bundler.connected.lockwants import wanted_pythons, wanted_wheels
from bundler.connected.makelock import make_lock
from bundler.connected.manifest import parse_manifest
from bundler.connected.ownbuilds import OwnBuild
from bundler.connected.packageindex import list_files
from bundler.connected.patience import Patience
from bundler.core.digest import Digest
from bundler.core.metadata import Row
from bundler.core.uvnames import file_name, own_build_url
from bundler.errors import SourceFault, UsageFault

ROWS = [row(version, platform) for version in ("3.12.7", "3.13.4", "3.13.5") for platform in (LINUX, WINDOWS)]
NEWER = [*ROWS, row("3.13.6", LINUX), row("3.13.6", WINDOWS)]
QUICK = Patience(attempts=1, first_wait=0.0, longest_wait=0.0, connect_timeout=0.2, stall_timeout=2.0)


@pytest.fixture(scope="module")
def session():
    with open_session() as opened:
        yield opened


class World:
    """An index in a folder, a mirror folder for the archives, and a cache."""

    def __init__(self, folder, session):
        self.folder, self.session, self.heard = folder, session, Heard()
        self.index = write_index(folder, {"0.12.0": ROWS})
        self.mirror = folder / "mirror"
        self.mirror.mkdir()
        self.cache = Cache(folder / "cache")
        self.fetcher = Fetcher(cache=self.cache, session=session, progress=self.heard, patience=QUICK)

    def manifest(self, *, uv="latest", pythons='["3.13"]', platforms="[linux-x86_64-gnu]", sources=""):
        sources = sources or f"{{pythons: {self.mirror.as_uri()}}}"
        text = (
            f"version: 1\nname: plant-7\nrelease: Q4\nuv: {uv}\npythons: {pythons}\n"
            f"platforms: {platforms}\nsources: {sources}\n"
        )
        return parse_manifest(text.encode(), path=Path("plant.yaml"))

    def lock(self, manifest=None, *, index=None, **options):
        return make_lock(
            manifest or self.manifest(),
            index=find_index(option=index or self.index),
            session=self.session,
            fetcher=self.fetcher,
            progress=self.heard,
            **options,
        )


@pytest.fixture
def world(tmp_path, session):
    return World(tmp_path, session)


def keys(lock):
    return [item.row.key for item in lock.pythons]


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


def test_the_index_is_recorded_where_the_manifest_names_it(world):
    lock = world.lock(world.manifest(sources=f"{{index: {world.index}}}"))
    assert lock.index == world.index


def test_sizes_of_archives_are_asked_at_the_mirror(world):
    archive = world.mirror / "20260101" / file_name(ROWS[4].url)
    archive.parent.mkdir()
    archive.write_bytes(b"12345")
    assert world.lock().pythons[0].size == 5


def test_sizes_that_nobody_tells_are_left_open_and_told_of_once(world):
    lock = world.lock(world.manifest(pythons='[{request: "3.13", patches: 2}, "3.12"]'))
    assert [item.size for item in lock.pythons] == [None, None, None]
    assert world.heard.notes == ["the sources cannot be asked for the size of 3 files: left open"]


def test_a_silent_host_is_waited_for_once(world):
    with running() as server:
        base = server.on("/", status(404)).rstrip("/")
        world.lock(world.manifest(pythons='[{request: "3.13", patches: 2}]', sources=f"{{pythons: {base}}}"))
        archives = {path for _, path, _ in server.requests}
    host = base.removeprefix("http://")
    assert world.heard.notes == [f"{host} cannot be asked for the size of 2 files: left open"]
    assert archives
    assert all("cpython-3.13.4" in path for path in archives)


def test_a_file_without_a_sha256_is_pinned_by_what_comes(world):
    page = world.folder / "simple/uv/index.html"
    page.write_text(page.read_text().replace("#sha256=", "#md5="))
    lock = world.lock()
    assert lock.wheels[0].wheel.sha256 == Digest.of(wheel_of("0.12.0"))
    assert lock.uv_list.sha256 == Digest.of((world.folder / "simple/uv/uv-0.12.0.tar.gz").read_bytes())
    assert world.heard.notes[0] == (
        "the index has no sha256 for uv-0.12.0-py3-none-manylinux_2_17_x86_64.whl: pinning what it serves today"
    )
    world.heard.notes.clear()
    assert world.lock(previous=lock) == lock
    assert not any("pinning" in note for note in world.heard.notes)


def test_a_file_that_the_index_has_changed_is_told_of(world):
    before = world.lock()
    wheel = world.folder / "simple/uv/uv-0.12.0-py3-none-manylinux_2_17_x86_64.whl"
    page = world.folder / "simple/uv/index.html"
    page.write_text(page.read_text().replace(str(before.wheels[0].wheel.sha256), str(Digest.of(b"other"))))
    after = world.lock(previous=before)
    assert f"{wheel.name}: the index has another file of this name than the lock so far" in world.heard.notes
    assert differences(before, after) == [f"wheel uv 0.12.0 for {LINUX}: differs"]


def test_an_sdist_with_other_bytes_than_the_index_says_is_refused(world):
    (world.folder / "simple/uv/uv-0.12.0.tar.gz").write_bytes(sdist_of("0.12.0", NEWER))
    with pytest.raises(SourceFault, match=r"uv-0\.12\.0\.tar\.gz"):
        world.lock()


def test_an_index_without_the_sdist_is_refused(world):
    page = world.folder / "simple/uv/index.html"
    page.write_text("\n".join(line for line in page.read_text().splitlines() if "tar.gz" not in line))
    with pytest.raises(UsageFault) as caught:
        world.lock(world.manifest(uv='"0.12.0"'))
    message = "uv 0.12.0: the index has no sdist of it, and that holds the list of Pythons"
    assert caught.value.message == message


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


def test_an_index_over_http_is_asked_for_sizes_and_served_files(world):
    with running() as server:
        for path in (world.folder / "simple/uv").iterdir():
            server.on(f"/simple/uv/{path.name}", serve(path.read_bytes()))
        page = (world.folder / "simple/uv/index.html").read_bytes()
        index = server.on("/simple/uv/", serve(page, Content_Type="text/html")).removesuffix("uv/")
        lock = world.lock(index=index)
    assert lock == world.lock()


def test_the_lock_tells_what_to_fetch(world):
    lock = world.lock()
    listing = list_files(world.index, "uv", session=world.session)
    (wheel,) = wanted_wheels(lock, cache=world.cache, listing=lambda: listing)
    assert wheel.candidates == ((world.folder / "simple/uv" / wheel.label).as_uri(),)
    assert world.fetcher.fetch([wheel])[0].sha256 == lock.wheels[0].wheel.sha256
    (python,) = wanted_pythons(lock, mirrors=["https://m.example/pbs"])
    assert python.candidates[0].startswith("https://m.example/pbs/20260101/cpython-3.13.5")
    assert python.sha256 == ROWS[4].sha256


def test_the_index_is_not_asked_for_wheels_that_are_in_the_cache(world):
    lock = world.lock()
    listing = list_files(world.index, "uv", session=world.session)
    world.fetcher.fetch(wanted_wheels(lock, cache=world.cache, listing=lambda: listing))
    (again,) = wanted_wheels(lock, cache=world.cache, listing=lambda: pytest.fail("asked"))
    assert world.fetcher.fetch([again])[0].source == "cache"


def test_a_locked_wheel_that_the_index_lacks_or_has_changed_is_refused(world):
    lock = world.lock()
    with pytest.raises(SourceFault, match="in the lock, but the index does not have it"):
        wanted_wheels(lock, cache=world.cache, listing=list)
    write_index(world.folder, {"0.12.0": ROWS})
    page = world.folder / "simple/uv/index.html"
    page.write_text(page.read_text().replace(str(lock.wheels[0].wheel.sha256), "0" * 64))
    with pytest.raises(SourceFault, match=f"the index has the sha256 {'0' * 64}, the lock "):
        wanted_wheels(
            lock, cache=world.cache, listing=lambda: list_files(world.index, "uv", session=world.session)
        )


@pytest.mark.slow
def test_the_real_index_is_locked_to_files_with_digest_and_size(world):
    real_sdist("0.13.8")  # skips where the index is not reachable
    manifest = world.manifest(
        uv='["0.13.8", "0.6.17"]', platforms="[linux-aarch64-musl, windows-x86_64-none]"
    )
    lock = world.lock(manifest, index=find_index().url)
    assert [(item.version, str(item.platform)) for item in lock.wheels] == [
        (version, platform)
        for version in ("0.6.17", "0.13.8")
        for platform in ("linux-aarch64-musl", "windows-x86_64-none")
    ]
    assert all(item.wheel.size > 10 << 20 for item in lock.wheels)
    assert [item.row.platform for item in lock.pythons] == list(manifest.platforms)
    listing = list_files(find_index().url, "uv", session=world.session)
    for wanted, item in zip(
        wanted_wheels(lock, cache=world.cache, listing=lambda: listing), lock.wheels, strict=True
    ):
        assert wanted.candidates[0].rpartition("/")[2] == item.wheel.file
