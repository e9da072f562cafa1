"""The medium is hostile: it changes while it is read, and nothing on it may have an effect before it is verified."""

from __future__ import annotations

import itertools
import os
import shutil

import pytest
from bundles import PACKER, Packer, archive, make_bundle, small_content, tree, unpack_bytes
from cli import check_refusal
from faulthost import LOG_NAME, lean, outside_log
from syscalls import need_strace, record, stopped_at

CONTENT, EVIL = (archive(small_content(seed)) for seed in (1, 2))
GOOD = make_bundle(archives=[CONTENT], uv_for=())


def options(folder):
    return ("--trust", folder / "trust", "--prefix", folder / "p", "--shell", "sh", "-q")


@pytest.fixture
def site(tmp_path):
    """A medium with a bundle of one archive, and a host that has unpacked nothing."""
    need_strace()
    (tmp_path / "trust").write_text(PACKER.line + "\n")
    medium = tmp_path / "medium"
    medium.mkdir()
    (medium / "q4.uvb").write_bytes(GOOD)
    return tmp_path


def reads(calls, bundle):
    """Return the byte ranges of the file that were read, in their order."""
    at, ranges = {}, []
    for call in calls:
        if not call.below(bundle):
            continue
        handle = call.words.split("<")[0]
        if call.name == "lseek":
            at[handle] = call.result
        elif call.name == "read":
            begin = at.get(handle, 0)
            ranges.append((begin, begin + call.result))
            at[handle] = begin + call.result
        else:
            assert call.name in ("openat", "newfstatat", "statx", "close", "ioctl", "fcntl"), str(call)
    return ranges


@pytest.mark.parametrize("words", [("unpack", "--prefix", "p", "--shell", "sh"), ("verify",), ("inspect",)])
@pytest.mark.parametrize("by", lean(["file", "folder"], "file"))
def test_the_bundle_is_opened_once_no_byte_is_read_twice_and_the_medium_never_written(site, words, by):
    medium, bundle = site / "medium", site / "medium" / "q4.uvb"
    before = tree(medium), bundle.stat().st_mtime_ns
    trust = () if words[0] == "inspect" else ("--trust", "trust")
    done, calls = record(
        words[0], {"file": bundle, "folder": medium}[by], *words[1:], *trust, cwd=site, log=site / "log"
    )
    assert done.code == 0, done.stderr
    assert [str(one) for one in calls if one.below(medium) and one.changes] == []
    assert len([one for one in calls if one.opens and one.below(bundle)]) == 1
    ranges = sorted(reads(calls, bundle))
    assert len(ranges) > 4
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(ranges)), ranges
    if words[0] != "inspect":
        assert sum(end - begin for begin, end in ranges) == bundle.stat().st_size
    assert (tree(medium), bundle.stat().st_mtime_ns) == before


def test_a_bundle_is_never_mapped_into_memory(site):
    # What is mapped may change between two looks at it, and no call shows that.
    bundle = site / "medium" / "q4.uvb"
    done, calls = record("unpack", bundle, *options(site), cwd=site, log=site / "log", only="mmap")
    assert done.code == 0
    assert calls
    assert not [str(one) for one in calls if str(bundle) in one.words]


def swaps():
    """Return, by name, what the medium shows later: as long as the good bundle, and laid out like it."""
    later = {
        "another signed one": make_bundle(archives=[EVIL], uv_for=()),
        "one of a stranger": make_bundle(archives=[EVIL], uv_for=(), packers=[Packer(2)]),
        "a forged one": GOOD.replace(CONTENT[0], EVIL[0]),
        "noise": os.urandom(len(GOOD)),
    }
    assert all(len(one) == len(GOOD) and one != GOOD for one in later.values())
    return later


def moments(calls, bundle):
    """Return the calls after which the medium can change: the opening, and each reading."""
    return [one for one in calls if one.below(bundle) and one.name in ("openat", "read", "lseek")]


def swap_everywhere(site, *, by, later, step=1):
    """Stop at each reading of the medium, swap the bundle, go on; return what became of each."""
    bundle, prefix = site / "medium" / "q4.uvb", site / "p"
    words = ("unpack", bundle, *options(site))
    shutil.rmtree(prefix, ignore_errors=True)
    bundle.write_bytes(GOOD)
    done, calls = record(*words, cwd=site, log=site / "log")
    assert done.code == 0, done.stderr
    good = tree(prefix)
    outcomes = []
    for call in moments(calls, bundle)[::step]:
        shutil.rmtree(prefix)
        bundle.write_bytes(GOOD)
        with stopped_at(call, *words, cwd=site, log=site / "stop") as go_on:
            if by == "rename":
                (site / "medium" / "other").write_bytes(later)
                (site / "medium" / "other").replace(bundle)
            else:
                with bundle.open("r+b") as stream:
                    stream.write(later)
            done = go_on()
        if done.code == 0:
            outcomes.append("good" if comparable(tree(prefix)) == comparable(good) else "other")
        else:
            check_refusal(done, done.code, "")
            assert done.code in (3, 5), done.stderr
            assert set(outside_log(prefix)) <= {"state", "staging"}, str(call)
            outcomes.append("refused")
        if outcomes[-1] == "other":
            assert comparable(tree(prefix)) == site_of(later, site), str(call)
    return outcomes


def comparable(found):
    """Return a tree without the log, which has times."""
    return {path: facts for path, facts in found.items() if path != f"state/{LOG_NAME}"}


def site_of(data, site):
    """Return the tree of a prefix into which the whole of `data` was unpacked, undisturbed."""
    shutil.rmtree(site / "p")
    unpack_bytes(data, site / "p")
    return comparable(tree(site / "p"))


SWAPS = swaps()


@pytest.mark.slow
@pytest.mark.parametrize("later", SWAPS)
def test_another_file_put_in_the_place_of_the_bundle_has_no_effect(site, later):
    outcomes = swap_everywhere(site, by="rename", later=SWAPS[later])
    assert set(outcomes) == {"good"}


def test_a_medium_that_is_swapped_at_some_readings_has_no_effect(site):
    assert set(swap_everywhere(site, by="rename", later=SWAPS["another signed one"], step=8)) == {"good"}
    overwritten = swap_everywhere(site, by="overwriting", later=SWAPS["one of a stranger"], step=8)
    assert set(overwritten) == {"good", "refused"}


@pytest.mark.slow
@pytest.mark.parametrize("later", SWAPS)
def test_a_bundle_overwritten_while_it_is_read_is_refused_or_without_effect(site, later):
    outcomes = swap_everywhere(site, by="overwriting", later=SWAPS[later])
    # Before a byte of the index was read, another bundle that is truly signed is simply that bundle.
    others = outcomes.count("other")
    assert set(outcomes[others:]) == {"good", "refused"}
    assert others <= (2 if later == "another signed one" else 0)
    assert outcomes[-1] == "good"
