"""Fetching from servers that misbehave: the file arrives whole, or the failure is clean."""

from __future__ import annotations

import hostile
import pytest
from fetching import DATA, SHA, WRONG, check, world_in

from bundler.connected.fetch import Wanted
from bundler.core.digest import Digest
from bundler.errors import HostFault, SourceFault

DATE = "Thu, 01 Jan 2026 00:00:00 GMT"


@pytest.fixture
def world(tmp_path):
    with world_in(tmp_path) as made:
        yield made


def test_a_file_is_fetched_cached_and_not_fetched_again(world):
    url = world.server.on("/a", hostile.serve(DATA))
    first = world.fetch(url)
    check(world, first)
    assert first.source == url
    assert world.fetch(url).source == "cache"
    assert len(world.server.requests) == 1


GOOD = {
    "a cut": [hostile.serve(DATA, upto=100_000), hostile.serve(DATA)],
    "many cuts, each after some progress": [hostile.serve(DATA, upto=60_000)],
    "a cut before the first byte": [hostile.serve(DATA, upto=0), hostile.serve(DATA)],
    "a stall": [hostile.serve(DATA, upto=100_000, then=hostile.stall), hostile.serve(DATA)],
    "a trickle": [hostile.trickle, hostile.serve(DATA)],
    "503": [hostile.status(503), hostile.status(503), hostile.serve(DATA)],
    "429 with Retry-After": [hostile.status(429, Retry_After="0"), hostile.serve(DATA)],
    "ranges ignored": [hostile.serve(DATA, upto=100_000), hostile.serve(DATA, ranges=False)],
    "another range than asked for": [hostile.serve(DATA, upto=100_000), hostile.wrong_range(DATA)],
    "a length that is too long": [hostile.lying(DATA, len(DATA) + 9)],
    "no length": [hostile.without_length(DATA)],
    "no length and a cut": [hostile.without_length(DATA[:100_000]), hostile.without_length(DATA)],
    "chunks": [hostile.chunked(DATA)],
    "chunks and a cut": [hostile.chunked(DATA[:100_000], finished=False), hostile.serve(DATA)],
    "a redirect": [hostile.status(302, Location="/elsewhere")],
    "a file that changed under us, told by its ETag": [
        hostile.serve(WRONG, etag='"1"', upto=100_000),
        hostile.serve(DATA, etag='"2"'),
    ],
    "a file that changed under us, untold": [hostile.serve(WRONG, upto=100_000), hostile.serve(DATA)],
    "a weak ETag, and a date": [
        hostile.serve(DATA, etag='W/"1"', modified=DATE, upto=100_000),
        hostile.serve(DATA, etag='W/"1"', modified=DATE),
    ],
    "Content-Encoding on an archive": [hostile.serve(DATA, Content_Encoding="gzip")],
}


@pytest.mark.parametrize("answers", GOOD.values(), ids=GOOD.keys())
def test_the_file_arrives_whole_in_spite_of(world, answers):
    world.server.on("/elsewhere", hostile.serve(DATA))
    url = world.server.on("/a", *answers)
    check(world, world.fetch(url))
    assert world.progress.bytes == len(DATA)


BAD = {
    "404": ([hostile.status(404)], "answered 404 Not Found"),
    "403": ([hostile.status(403)], "answered 403 Forbidden"),
    "always 503": ([hostile.status(503)], "answered 503 (tried 4 times)"),
    "a long Retry-After": (
        [hostile.status(503, Retry_After="86400")],
        "answered 503, and asks to come back later (Retry-After: 86400)",
    ),
    "wrong bytes": ([hostile.serve(WRONG)], f"has the sha256 {Digest.of(WRONG)}, expected {SHA}"),
    "wrong bytes without a length": (
        [hostile.without_length(WRONG)],
        f"has the sha256 {Digest.of(WRONG)}, expected {SHA}",
    ),
    "a length that is too short": (
        [hostile.lying(DATA, 1000)],
        f"has the sha256 {Digest.of(DATA[:1000])}, expected {SHA}",
    ),
    "an endless body": ([hostile.endless], "sends more than 1000000 bytes"),
    "an endless body, announced": (
        [hostile.lying(b"x", 10**15)],
        f"has {10**15} bytes, expected at most 1000000",
    ),
    "a trickle": ([hostile.trickle], "stalled, almost no bytes in time (tried 4 times)"),
    "a stall": (
        [hostile.serve(DATA, upto=0, then=hostile.stall)],
        "stalled, no byte in time (tried 4 times)",
    ),
    "redirects in circles": ([hostile.status(302, Location="/a")], "redirected in circles"),
    "always cut at the same place": (
        [hostile.serve(DATA, ranges=False, upto=60_000)],
        "cut off before its end (tried 4 times)",
    ),
}


@pytest.mark.parametrize(("answers", "why"), BAD.values(), ids=BAD.keys())
def test_the_fetch_fails_cleanly_on(world, answers, why):
    url = world.server.on("/a", *answers)
    with pytest.raises(SourceFault) as caught:
        world.fetch(url)
    assert caught.value.message == f"python.tar.gz: {url}: {why}"
    assert caught.value.hint
    assert world.cached() == []


def test_a_web_page_in_place_of_the_file_is_called_one(world):
    url = world.server.on(
        "/a", hostile.status(200, b"<p>Log in</p>", Content_Type="text/html; charset=utf-8")
    )
    with pytest.raises(SourceFault, match=r"has 13 bytes \(a web page\), expected 300000"):
        world.fetch(url, size=len(DATA))


def test_the_next_candidate_is_tried_after_wrong_bytes_and_404(world):
    wrong = world.server.on("/wrong", hostile.serve(WRONG))
    missing = world.server.on("/missing%2B1", hostile.status(404))
    good = world.server.on("/missing+1", hostile.serve(DATA))
    fetched = world.fetch(wrong, missing, good)
    check(world, fetched)
    assert fetched.source == good
    assert [path for _, path, _ in world.server.requests] == ["/wrong", "/missing%2B1", "/missing+1"]


def test_credentials_in_a_url_are_not_shown(world):
    url = world.server.on("/a", hostile.status(503)).replace("//", "//user:secret@")
    with pytest.raises(SourceFault) as caught:
        world.fetch(url + "?token=secret")
    assert "secret" not in caught.value.message + str(world.progress.notes)


def test_local_files_are_copied_and_checked(world, tmp_path):
    (tmp_path / "good").write_bytes(DATA)
    (tmp_path / "bad").write_bytes(WRONG)
    bad, good = (tmp_path / "bad").as_uri(), (tmp_path / "good").as_uri()
    missing = (tmp_path / "missing").as_uri()
    check(world, world.fetch(missing, bad, good))
    with pytest.raises(SourceFault) as caught:
        world.fetch(missing, bad, sha256=Digest.of(b"?"))
    assert caught.value.message == (
        f"python.tar.gz: {missing}: no such file or directory; "
        f"{bad}: has the sha256 {Digest.of(WRONG)}, expected {Digest.of(b'?')}"
    )


def test_a_local_folder_is_the_last_resort(world, tmp_path):
    (tmp_path / "usb" / "deep").mkdir(parents=True)
    (tmp_path / "usb" / "deep" / "some.name").write_bytes(DATA)
    url = world.server.on("/a", hostile.status(404))
    fetched = world.fetch(url, folders=(tmp_path / "usb",))
    check(world, fetched)
    assert fetched.source == (tmp_path / "usb" / "deep" / "some.name").as_uri()


def test_no_source_at_all_is_said(world):
    with pytest.raises(SourceFault, match=r"^python\.tar\.gz: no source is configured$"):
        world.fetch()


def test_a_size_that_does_not_fit_the_digest_is_refused_before_anything_is_asked(world):
    world.fetch(world.server.on("/a", hostile.serve(DATA)))
    with pytest.raises(SourceFault, match="the file with that sha256 has 300000 bytes, expected 9"):
        world.fetch(world.server.on("/a", hostile.serve(DATA)), size=9)


SIZES = {
    "HEAD": ([hostile.serve(DATA)], 300_000),
    "GET alone": ([hostile.status(403), hostile.serve(DATA)], 300_000),
    "GET alone, without ranges": ([hostile.status(405), hostile.serve(DATA, ranges=False)], 300_000),
    "neither": ([hostile.status(404)], None),
    "no length": ([hostile.without_length(b"")], None),
}


@pytest.mark.parametrize(("answers", "size"), SIZES.values(), ids=SIZES.keys())
def test_a_size_is_asked_for_without_fetching(world, answers, size):
    url = world.server.on("/a", *answers)
    assert world.fetcher().sizes_of([Wanted(label="a", candidates=(url,), sha256=SHA)]) == [size]
    assert world.cached() == []


def test_a_cache_that_cannot_be_written_is_the_hosts_fault(world, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(HostFault, match="cannot be used as cache"):
        world.fetch(world.server.on("/a", hostile.serve(DATA)))
