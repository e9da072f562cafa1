"""What a lock tells to fetch, and from where: the index is asked only for what the cache lacks."""

import pytest
from lockworld import ROWS, World
from uvlists import write_index

from bundler.connected.http import open_session
from bundler.connected.lockwants import wanted_pythons, wanted_wheels
from bundler.connected.packageindex import list_files
from bundler.errors import SourceFault


@pytest.fixture(scope="module")
def session():
    with open_session() as opened:
        yield opened


@pytest.fixture
def world(tmp_path, session):
    return World(tmp_path, session)


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
