"""A download that was cut goes on where it was cut, and ends in the right file whatever lies there."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time

import hostile
import pytest
import requests
from fetching import DATA, QUICK, SHA, WRONG, Listener, check, world_in
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.connected.cache import Cache
from bundler.connected.fetch import Fetcher, Wanted
from bundler.core.digest import Digest
from bundler.errors import SourceFault

DATE = "Thu, 01 Jan 2026 00:00:00 GMT"


@pytest.fixture
def world(tmp_path):
    with world_in(tmp_path) as made:
        yield made


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
