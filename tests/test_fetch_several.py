"""Several files at a time: each failure is told once, and the others are fetched."""

from __future__ import annotations

import hostile
import pytest
from fetching import world_in

from bundler.connected.fetch import Wanted
from bundler.core.digest import Digest
from bundler.errors import SourceFault


@pytest.fixture
def world(tmp_path):
    with world_in(tmp_path) as made:
        yield made


def test_every_failure_is_named_once_and_the_others_are_fetched(world):
    urls = [world.server.on(f"/{name}", hostile.serve(name.encode())) for name in "abcd"]
    world.server.on("/b", hostile.status(404))
    world.server.on("/c", hostile.serve(b"evil"))
    wanted = [
        Wanted(label=f"{name}.whl", candidates=(url,), sha256=Digest.of(name.encode()), size=None)
        for name, url in zip("abcd", urls, strict=True)
    ]
    with pytest.raises(SourceFault) as caught:
        world.fetcher().fetch(wanted)
    assert caught.value.message == (
        f"2 of 4 files could not be fetched: b.whl: {urls[1]}: answered 404 Not Found; "
        f"c.whl: {urls[2]}: has the sha256 {Digest.of(b'evil')}, expected {Digest.of(b'c')}"
    )
    assert world.cached() == sorted([Digest.of(b"a").hex, Digest.of(b"d").hex])


def test_a_folder_that_lacks_several_files_is_named_once(world, tmp_path):
    mirror = (tmp_path / "mirror").as_uri()
    wanted = [
        Wanted(label=name, candidates=(f"{mirror}/2026/{name}",), sha256=Digest.of(name.encode()), size=None)
        for name in "ab"
    ]
    with pytest.raises(SourceFault) as caught:
        world.fetcher().fetch(wanted)
    assert caught.value.message == (
        f"2 of 2 files could not be fetched: {mirror}: no such file or directory (a, b)"
    )


def test_many_files_with_the_same_trouble_are_told_in_one_sentence(world):
    urls = [world.server.on(f"/{number}", hostile.status(404)) for number in range(6)]
    wanted = [
        Wanted(label=f"{number}.whl", candidates=(url,), sha256=Digest.of(bytes([number])), size=None)
        for number, url in enumerate(urls)
    ]
    with pytest.raises(SourceFault) as caught:
        world.fetcher().fetch(wanted)
    host = urls[0].split("/")[2]
    assert caught.value.message == (
        f"6 of 6 files could not be fetched: {host}: answered 404 Not Found (0.whl, 1.whl, 2.whl and 3 more)"
    )


def test_the_order_is_kept_and_equal_content_is_fetched_once(world):
    a = world.server.on("/a", hostile.serve(b"a"))
    b = world.server.on("/b", hostile.serve(b"b"))
    wanted = [
        Wanted(label="1", candidates=(b,), sha256=Digest.of(b"b"), size=1),
        Wanted(label="2", candidates=(a,), sha256=Digest.of(b"a"), size=1),
        Wanted(label="3", candidates=(b,), sha256=Digest.of(b"b"), size=1),
    ]
    assert [item.path.read_bytes() for item in world.fetcher().fetch(wanted)] == [b"b", b"a", b"b"]
    assert len(world.server.requests) == 2
    assert world.progress.stages == [("fetching", 2)]
    assert world.progress.bytes == 2


def test_a_host_that_does_not_answer_is_asked_in_vain_only_once(world):
    port = hostile.closed_port()
    wanted = [
        Wanted(label=name, candidates=(f"http://127.0.0.1:{port}/{name}",), sha256=Digest.of(name.encode()))
        for name in ("a", "b", "c")
    ]
    with pytest.raises(SourceFault) as caught:
        world.fetcher(workers=1).fetch(wanted)
    assert world.progress.notes == ["127.0.0.1: connection refused, trying again for a while"]
    assert caught.value.message == (
        f"3 of 3 files could not be fetched: 127.0.0.1:{port}: connection refused (tried 4 times) (a, b, c)"
    )
