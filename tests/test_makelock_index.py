"""What the index and the mirror tell while a lock is made: sizes, digests, changed and missing files."""

import pytest
from hostile import running, serve, status
from lockworld import NEWER, ROWS, World
from uvlists import LINUX, real_sdist, sdist_of, wheel_of

from bundler.connected.http import open_session
from bundler.connected.indexsource import find_index
from bundler.connected.lockdiff import differences
from bundler.connected.lockwants import wanted_wheels
from bundler.connected.packageindex import list_files
from bundler.core.digest import Digest
from bundler.core.uvnames import file_name
from bundler.errors import SourceFault, UsageFault


@pytest.fixture(scope="module")
def session():
    with open_session() as opened:
        yield opened


@pytest.fixture
def world(tmp_path, session):
    return World(tmp_path, session)


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


def test_an_index_over_http_is_asked_for_sizes_and_served_files(world):
    with running() as server:
        for path in (world.folder / "simple/uv").iterdir():
            server.on(f"/simple/uv/{path.name}", serve(path.read_bytes()))
        page = (world.folder / "simple/uv/index.html").read_bytes()
        index = server.on("/simple/uv/", serve(page, Content_Type="text/html")).removesuffix("uv/")
        lock = world.lock(index=index)
    assert lock == world.lock()


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
