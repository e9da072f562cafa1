"""Fetching from servers that misbehave: the file arrives whole, or the failure is clean."""

from __future__ import annotations

import dataclasses
import random
import subprocess
import sys
import time

import hostile
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.connected.cache import Cache
from bundler.connected.fetch import Fetcher, Wanted
from bundler.connected.patience import Patience
from bundler.core.digest import Digest
from bundler.errors import HostFault, SourceFault

DATA = random.Random(7).randbytes(300_000)
WRONG = random.Random(8).randbytes(300_000)
SHA = Digest.of(DATA)
DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
QUICK = Patience(
    attempts=4,
    first_wait=0.001,
    longest_wait=0.005,
    longest_asked_wait=2.0,
    connect_timeout=2.0,
    stall_timeout=0.3,
    slow_window=0.2,
    slow_bytes=1000,
    progress_bytes=50_000,
    largest=1_000_000,
)


class Listener:
    def __init__(self):
        self.stages, self.bytes, self.notes = [], 0, []

    def stage(self, label, total):
        self.stages.append((label, total))

    def advance(self, count):
        self.bytes += count

    def note(self, line):
        self.notes.append(line)


class World:
    def __init__(self, server, session, cache, progress):
        self.server, self.session, self.cache, self.progress = server, session, cache, progress

    def fetcher(self, **options):
        options = {"patience": QUICK, **options}
        return Fetcher(cache=self.cache, session=self.session, progress=self.progress, **options)

    def fetch(self, *urls, sha256=SHA, size=None, **options):
        wanted = Wanted(label="python.tar.gz", candidates=urls, sha256=sha256, size=size)
        return self.fetcher(**options).fetch([wanted])[0]

    def cached(self):
        return sorted(path.name for path in self.cache.root.glob("sha256/*/*"))

    def partials(self):
        return sorted(path.stat().st_size for path in self.cache.root.glob("partial/*.part"))


@pytest.fixture
def world(tmp_path):
    with hostile.running() as server, requests.Session() as session:
        session.trust_env = False
        yield World(server, session, Cache(tmp_path / "cache"), Listener())


def check(world, fetched):
    assert fetched.path.read_bytes() == DATA
    assert (fetched.sha256, fetched.size) == (SHA, len(DATA))
    assert world.cached() == [SHA.hex]
    assert world.partials() == []


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


def test_a_cut_download_goes_on_where_it_was_cut_even_in_another_run(world):
    url = world.server.on("/a", hostile.serve(DATA, etag='"x"', upto=200_000))
    with pytest.raises(SourceFault):
        world.fetch(url, patience=dataclasses.replace(QUICK, attempts=1))
    assert world.partials() == [200_000]
    world.server.on("/a", hostile.serve(DATA, etag='"x"'))
    check(world, world.fetch(url))
    assert world.server.ranges() == [None, "bytes=200000-"]
    assert world.server.requests[-1][2]["If-Range"] == '"x"'


@pytest.mark.parametrize(
    ("etag", "modified", "condition"),
    [
        ('"strong"', DATE, '"strong"'),
        ('W/"weak"', DATE, DATE),  # RFC 9110, 13.1.5: a weak validator may not stand there
        ('W/"weak"', None, None),  # the digest guards what comes
    ],
)
def test_a_download_goes_on_under_the_best_condition_that_the_server_allows(world, etag, modified, condition):
    url = world.server.on(
        "/a",
        hostile.serve(DATA, etag=etag, modified=modified, upto=200_000),
        hostile.serve(DATA, etag=etag, modified=modified),
    )
    check(world, world.fetch(url))
    assert world.server.ranges() == [None, "bytes=200000-"]
    assert world.server.requests[-1][2].get("If-Range") == condition


def test_a_partial_of_another_digest_is_not_continued(world):
    url = world.server.on("/a", hostile.serve(DATA, upto=200_000))
    with pytest.raises(SourceFault):
        world.fetch(url, sha256=Digest.of(b"other"), patience=dataclasses.replace(QUICK, attempts=1))
    world.server.on("/a", hostile.serve(DATA))
    check(world, world.fetch(url))
    assert world.server.ranges() == [None, None]


def test_a_complete_partial_needs_no_request(world):
    url = world.server.on("/a", hostile.serve(DATA, upto=200_000))
    with pytest.raises(SourceFault):
        world.fetch(url, patience=dataclasses.replace(QUICK, attempts=1))
    next(world.cache.root.glob("partial/*.part")).write_bytes(DATA)
    check(world, world.fetch(url))
    assert len(world.server.requests) == 1


def test_a_corrupted_partial_ends_in_the_right_file(world):
    url = world.server.on("/a", hostile.serve(DATA, upto=200_000))
    with pytest.raises(SourceFault):
        world.fetch(url, patience=dataclasses.replace(QUICK, attempts=1))
    next(world.cache.root.glob("partial/*.part")).write_bytes(WRONG[:250_000])
    world.server.on("/a", hostile.serve(DATA))
    check(world, world.fetch(url))


def test_a_corrupted_cache_entry_is_fetched_again(world):
    url = world.server.on("/a", hostile.serve(DATA))
    world.fetch(url).path.write_bytes(b"rotten")
    check(world, world.fetch(url))
    assert len(world.server.requests) == 2


def test_without_a_digest_only_a_strong_validator_lets_a_download_continue(world):
    once = dataclasses.replace(QUICK, attempts=1)
    for etag, expected in ((None, [None, None]), ('"x"', [None, "bytes=200000-"])):
        world.server.requests.clear()
        url = world.server.on("/a", hostile.serve(DATA, etag=etag, upto=200_000))
        with pytest.raises(SourceFault):
            world.fetch(url, sha256=None, patience=once)
        world.server.on("/a", hostile.serve(DATA, etag=etag))
        assert world.fetch(url, sha256=None).sha256 == SHA
        assert world.server.ranges() == expected


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


INTERRUPTED = """
import sys, threading, _thread, requests
from pathlib import Path
from bundler.connected.cache import Cache
from bundler.connected.fetch import Fetcher, Wanted
from bundler.core.digest import Digest
class Progress:
    def stage(self, *_): pass
    def note(self, *_): pass
    def advance(self, count): threading.Timer(0.1, _thread.interrupt_main).start()
wanted = Wanted(label="a", candidates=(sys.argv[1],), sha256=Digest.parse(sys.argv[2]))
try:
    with requests.Session() as session:
        Fetcher(cache=Cache(Path(sys.argv[3])), session=session, progress=Progress()).fetch([wanted])
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_ctrl_c_ends_the_program_soon_and_leaves_the_partial(world):
    url = world.server.on("/a", hostile.serve(DATA, upto=200_000, then=hostile.stall))
    begun = time.monotonic()
    arguments = [sys.executable, "-c", INTERRUPTED, url, SHA.hex, world.cache.root]
    done = subprocess.run(arguments, check=False, timeout=20)
    assert done.returncode == 130
    assert time.monotonic() - begun < 15  # the stall timeout is 30 seconds: nobody waited for it
    assert world.partials() == [200_000]


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 40_000), max_size=6),
    ranges=st.booleans(),
    etag=st.sampled_from([None, '"e"']),
)
def test_wherever_it_is_cut_the_file_arrives_whole(tmp_path_factory, cuts, ranges, etag):
    data = DATA[:40_000]
    with hostile.running() as server, requests.Session() as session:
        session.trust_env = False
        answers = [hostile.serve(data, upto=cut, ranges=ranges, etag=etag) for cut in cuts]
        url = server.on("/a", *answers, hostile.serve(data, ranges=ranges, etag=etag))
        cache = Cache(tmp_path_factory.mktemp("cache"))
        patience = dataclasses.replace(QUICK, attempts=8)
        fetcher = Fetcher(cache=cache, session=session, progress=Listener(), patience=patience)
        fetched = fetcher.fetch([Wanted(label="a", candidates=(url,), sha256=Digest.of(data))])
        assert fetched[0].path.read_bytes() == data
