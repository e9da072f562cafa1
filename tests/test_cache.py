"""The cache: what it gives out fits its digest, and processes do not get into each other's way."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from bundler.connected.cache import Cache, default_root
from bundler.core.digest import Digest
from bundler.errors import HostFault

DATA = b"some archive"
SHA = Digest.of(DATA)


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


def put(cache, data=DATA):
    with cache.scratch() as folder:
        (folder / "x").write_bytes(data)
        return cache.adopt(folder / "x", Digest.of(data))


def test_what_was_adopted_is_found_under_its_digest(cache):
    assert cache.find(SHA) is None
    path = put(cache)
    assert path == cache.root / "sha256" / SHA.hex[:2] / SHA.hex
    assert cache.find(SHA) == path
    assert path.read_bytes() == DATA
    assert put(cache) == path  # adopting it again is no error


def test_a_file_that_does_not_fit_its_digest_is_removed_and_not_found(cache):
    path = put(cache)
    path.write_bytes(b"rotten")
    assert cache.find(SHA) is None
    assert not path.exists()


def test_a_scratch_folder_is_gone_afterwards_even_after_a_failure(cache):
    def fail():
        with cache.scratch() as folder:
            (folder / "x").write_bytes(DATA)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list((cache.root / "tmp").iterdir()) == []


def test_a_partial_is_the_same_path_in_each_run_and_another_for_each_url(cache):
    with cache.partial("https://a/1") as first, cache.partial("https://a/2") as other:
        first.write_bytes(b"begun")
        assert first != other
    with cache.partial("https://a/1") as again:
        assert again.read_bytes() == b"begun"


def test_a_second_taker_of_a_partial_gets_a_private_path_that_does_not_stay(cache):
    with cache.partial("https://a/1") as first:
        first.write_bytes(b"begun")
        with cache.partial("https://a/1") as second:
            assert not second.exists()
            second.write_bytes(b"mine")
        assert not second.exists()
        assert first.read_bytes() == b"begun"


def test_many_threads_adopt_the_same_content_at_once(cache):
    threads = [threading.Thread(target=put, args=(cache,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.find(SHA).read_bytes() == DATA


def test_tidying_removes_what_is_stale_and_keeps_files_and_fresh_partials(cache):
    kept = put(cache)
    with cache.partial("https://a/1") as old, cache.partial("https://a/2") as fresh:
        old.write_bytes(b"old")
        fresh.write_bytes(b"fresh")
    (cache.root / "tmp" / "left").mkdir()
    (cache.root / "tmp" / "left" / "over").write_bytes(b"x")
    for path in (kept, old, cache.root / "tmp" / "left"):
        os.utime(path, (1, 1))
    cache.tidy()
    assert not old.exists()
    assert not (cache.root / "tmp" / "left").exists()
    assert kept.exists()
    assert fresh.exists()


def test_an_unusable_folder_is_the_hosts_fault_with_a_next_step(tmp_path):
    (tmp_path / "cache").write_text("a file")
    for use in (lambda cache: cache.find(SHA), lambda cache: cache.adopt(tmp_path / "cache", SHA)):
        with pytest.raises(HostFault, match=r"cannot be used as cache: Not a directory") as caught:
            use(Cache(tmp_path / "cache"))
        assert "UV_BUNDLER_CACHE_DIR" in caught.value.hint


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names the Linux folders")
@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"UV_BUNDLER_CACHE_DIR": "/x"}, Path("/x")),
        ({"UV_BUNDLER_CACHE_DIR": "x"}, Path.cwd() / "x"),
        ({"XDG_CACHE_HOME": "/c"}, Path("/c/uv-bundler")),
        ({"XDG_CACHE_HOME": "c"}, Path.home() / ".cache" / "uv-bundler"),
        ({"UV_BUNDLER_CACHE_DIR": ""}, Path.home() / ".cache" / "uv-bundler"),
    ],
)
def test_the_default_root_follows_the_environment(environ, expected):
    assert default_root(environ) == expected
