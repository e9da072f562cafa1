"""Many artifacts rebuilt at once, each when its content came; one fault ends all of them."""

import os
import time
from dataclasses import replace

import pytest
from deflatedparts import gzip_of, joined
from otherencoders import TAR, Changed, Told, installed
from spooled import described, put, recipe_of

from bundler.core.program import Copy
from bundler.core.progress import Silent
from bundler.deflate import catalog
from bundler.errors import DamagedFault
from bundler.offline.rebuilder import Rebuilder
from bundler.offline.spool import Spool
from bundler.offline.staging import Staging


@pytest.fixture
def spool(tmp_path):
    with Spool(tmp_path / "0") as one:
        yield one


@pytest.fixture(autouse=True)
def _nothing_is_remembered():
    yield
    catalog._shortcut.cache_clear()


def several(spool, count):
    found = []
    for number in range(count):
        parts = gzip_of(b"content %d " % number * 2000)
        recipe = recipe_of(spool, parts, member=f"m{number}")
        found.append((described(joined(parts), recipe, path=f"mirror/{number}.tar.gz"), joined(parts)))
    return found


def test_many_are_rebuilt_at_once_each_when_its_last_content_came(spool, tmp_path):
    made, progress = several(spool, 12), Told()
    with Staging(tmp_path / "1") as staging:
        with Rebuilder(
            [one for one, _ in made], spool=spool, staging=staging, progress=progress
        ) as rebuilder:
            for one, _ in made:
                for source in one.recipe.sources:
                    rebuilder.start(source)
                assert not (tmp_path / "1" / one.path).exists()
                rebuilder.start(one.recipe.member)
                rebuilder.start(one.recipe.member)
            rebuilder.finish()
        staging.finish()
    assert [(tmp_path / "1" / one.path).read_bytes() for one, _ in made] == [data for _, data in made]
    assert progress.advanced == sum(len(data) for _, data in made)


def test_what_never_came_is_told(spool, tmp_path):
    made = several(spool, 2)
    both = [one for one, _ in made]
    with (
        Staging(tmp_path / "1") as staging,
        Rebuilder(both, spool=spool, staging=staging, progress=Silent()) as one,
    ):
        one.start(made[1][0].recipe.member)
        with pytest.raises(DamagedFault, match=r"mirror/0.tar.gz: not all that it is rebuilt from came"):
            one.finish()


def test_one_fault_ends_all_at_once(spool, tmp_path):
    """A job that would go on for minutes ends where another one fails, and what comes later is not begun."""
    copies = put(spool, [Copy(0, 0, 1)] * 300_000, b"x", member="endless")
    endless = replace(described(b"", copies), size=1 << 34)
    wrong = described(b"y", put(spool, [Copy(0, 0, 1)], b"x", member="wrong"), path="mirror/wrong")
    later = described(b"x", put(spool, [Copy(0, 0, 1)], b"x", member="later"), path="mirror/later")
    jobs, begun = [], time.monotonic()

    def run_all():
        rebuilder = Rebuilder([endless, wrong, later], spool=spool, staging=staging, progress=Silent())
        with rebuilder:
            for one in (endless, wrong):
                rebuilder.start(one.recipe.sources[0])
                rebuilder.start(one.recipe.member)
                jobs.append(rebuilder._jobs[-1])
            for one in jobs:
                one.exception()
            rebuilder.start(later.recipe.sources[0])
            rebuilder.start(later.recipe.member)

    with (
        Staging(tmp_path / "1") as staging,
        pytest.raises(DamagedFault, match="mirror/wrong: rebuilt as 1 bytes"),
    ):
        run_all()
    assert jobs[0].exception() is None
    assert time.monotonic() - begun < 5
    assert not (tmp_path / "1" / "mirror" / "later").exists()


@pytest.mark.parametrize("drifted", [True, False])
def test_pure_python_takes_turns(spool, tmp_path, monkeypatch, drifted):
    """All of it shares one core, and each of its encoders takes memory."""
    made, at_work, most = several(spool, 4), [], []
    real = catalog.reference

    class Counted:
        def __init__(self, name):
            self._inner = real(name)
            at_work.append(self)
            most.append(len(at_work))

        def feed(self, data):
            time.sleep(0.01)
            return self._inner.feed(data)

        def finish(self):
            at_work.remove(self)
            return self._inner.finish()

    if drifted:
        installed(monkeypatch, Changed)
    else:
        monkeypatch.setattr(catalog, "_maker", lambda _name: "nothing is installed")
        catalog._shortcut.cache_clear()
    monkeypatch.setattr(catalog, "reference", Counted)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    with Staging(tmp_path / "1") as staging:
        with Rebuilder([one for one, _ in made], spool=spool, staging=staging, progress=Told()) as rebuilder:
            for one, _ in made:
                for source in (one.recipe.member, *one.recipe.sources):
                    rebuilder.start(source)
            rebuilder.finish()
        staging.finish()
    assert most == [1] * 4
    assert [(tmp_path / "1" / one.path).read_bytes() for one, _ in made] == [data for _, data in made]


def test_an_encoder_that_drifted_is_done_again_by_the_reference(spool, tmp_path, monkeypatch):
    parts = gzip_of(TAR)
    artifact = described(joined(parts), recipe_of(spool, parts))
    installed(monkeypatch, Changed)
    progress = Told()
    with Staging(tmp_path / "1") as staging:
        with Rebuilder([artifact], spool=spool, staging=staging, progress=progress) as rebuilder:
            for source in (artifact.recipe.member, *artifact.recipe.sources):
                rebuilder.start(source)
            rebuilder.finish()
        staging.finish()
    assert (tmp_path / "1" / artifact.path).read_bytes() == joined(parts)
    (note,) = progress.notes
    assert note == (
        "mirror/a.tar.gz: an installed library encodes differently than upstream's did, encoding it again in "
        "pure Python, which takes minutes"
    )
