"""Deltas: unpacked where the bundle that they build on is, refused before anything is written where it is not."""

import functools
import io
import json
import os
import random
import stat
import time

import pytest
from bundles import HOST, OTHER, request, tree, unpack_bytes
from cli import bundler, check_refusal
from rebuilt import files, rot
from recompressed import (
    NEW_TAR,
    OLD_TAR,
    TEXT,
    Box,
    Taken,
    delta_box,
    full_box,
    gzip_of,
    index_of,
    joined,
    sha,
    with_wheel,
)
from test_reader import OneWay, verified

from bundler.core.index import parse_index
from bundler.core.progress import Silent
from bundler.errors import DamagedFault, IncompleteFault
from bundler.offline import streams
from bundler.offline.deciding import dry_run
from bundler.offline.rollback import roll_back
from bundler.offline.unpack import unpack

OLD, WHEEL = joined(gzip_of(OLD_TAR)), joined(gzip_of(*with_wheel(OLD_TAR)))
NEW = joined(gzip_of(NEW_TAR))
HINT = "unpack that bundle here first, for these platforms, or a full one (packed without --since)"
FULL_HINT = (
    "unpack a newer full bundle (packed without --since); or remove the link `current` in the prefix, then "
    "unpack the earlier bundle again and this one after it"
)


def lacks(count):
    said = "1 file of it is" if count == 1 else f"{count} files of it are"
    return f"q4.uvb: builds on plant-7 2026Q4 (serial 7); {said} not on this host, expected all of what it builds on"


@functools.cache
def base(how="recipe"):
    return full_box(how=how).seal()


@functools.cache
def delta(serial=8):
    return delta_box(base(), serial=serial).seal()


@functools.cache
def full(serial=8):
    """The same state as the delta's, in a bundle that builds on nothing."""
    box = Box(serial=serial)
    box.archive(gzip_of(NEW_TAR), version=(3, 13, 6))
    box.archive(gzip_of(*with_wheel(OLD_TAR)), version=(3, 12, 1))
    return box.programs_of_uv().seal()


@functools.cache
def other(serial):
    """A bundle that has nothing of this."""
    box = Box(serial=serial)
    box.archive(gzip_of(b"something else"), version=(3, 9, 1))
    return box.programs_of_uv().seal()


@pytest.fixture
def prefix(tmp_path):
    return tmp_path / "p"


def archives(prefix):
    return {one.read_bytes() for one in (prefix / "current" / "mirror").rglob("*.tar.gz")}


def refused(data, prefix, **changes):
    """Assert that nothing changes, and that a dry run says the same; return the fault."""
    before = tree(prefix)
    with pytest.raises(IncompleteFault) as caught:
        unpack_bytes(data, prefix, **changes)
    assert caught.value.exit_code == 4
    after = tree(prefix)
    if not before:  # the lock of a blank prefix stays
        assert after.keys() <= {"state", "state/lock"}
        after = before
    assert after == before
    with pytest.raises(IncompleteFault) as dry:
        dry_run(io.BytesIO(data), request(prefix, **changes), name="q4.uvb")
    assert str(dry.value) == str(caught.value)
    return caught.value


@pytest.mark.parametrize("how", ["recipe", "plain"])
@pytest.mark.parametrize("stream", [io.BytesIO, OneWay])
def test_a_delta_gives_the_same_tree_as_a_full_bundle(tmp_path, how, stream):
    unpack_bytes(base(how), tmp_path / "delta")
    data = delta_box(base(how)).seal()
    unpack(stream(data), request(tmp_path / "delta"), name="q4.uvb", progress=Silent())
    unpack_bytes(full(), tmp_path / "full")
    assert files(tmp_path / "delta") == files(tmp_path / "full")
    assert archives(tmp_path / "delta") == {NEW, WHEEL}
    assert not (tmp_path / "delta" / "staging").exists()


def test_a_delta_is_smaller_and_describes_everything():
    assert len(delta()) < len(full())
    paths = [[one.path for one in parse_index(index_of(data)).artifacts] for data in (delta(), full())]
    assert paths[0] == paths[1]


def test_what_is_held_is_linked(prefix):
    unpack_bytes(base(), prefix)
    before = next((prefix / "current" / "mirror").rglob("*3.12.1*")).stat().st_ino
    unpack_bytes(delta(), prefix)
    assert next((prefix / "current" / "mirror").rglob("*3.12.1*")).stat().st_ino == before


def test_what_is_held_is_linked_from_an_older_generation_too(prefix):
    unpack_bytes(base(), prefix)
    unpack_bytes(other(8), prefix)
    _, decision = unpack_bytes(delta(9), prefix)
    assert archives(prefix) == {NEW, WHEEL}
    assert {one.parts[-4] for one in decision.plan.held.values()} == {"1"}


def test_a_blank_host_lacks_the_base(prefix):
    fault = refused(delta(), prefix)
    assert str(fault) == lacks(2)
    assert fault.hint == HINT


def test_a_host_with_another_bundle_lacks_the_base(prefix):
    unpack_bytes(other(6), prefix)
    assert str(refused(delta(), prefix)) == lacks(2)


def test_a_host_that_has_what_the_delta_makes_needs_no_base(prefix):
    unpack_bytes(full(7), prefix)
    unpack_bytes(delta(), prefix)
    assert archives(prefix) == {NEW, WHEEL}


def test_the_same_content_from_another_bundle_will_do(prefix):
    """What counts is content, not where it came from."""
    box = full_box(serial=3)
    unpack_bytes(box.seal(), prefix)
    unpack_bytes(delta(), prefix)
    assert archives(prefix) == {NEW, WHEEL}


def test_a_delta_for_two_platforms_asks_for_the_base_of_the_own_one_alone(prefix):
    other_tar = OLD_TAR.replace(b"old and common", b"old and others")
    both = Box(platforms=(HOST, OTHER))
    both.archive(gzip_of(OLD_TAR), platform=HOST)
    both.archive(gzip_of(other_tar), platform=OTHER)
    data = both.programs_of_uv().seal()
    box = Box(serial=8, platforms=(HOST, OTHER))
    box.builds_on(data, OLD, joined(gzip_of(other_tar)), inflate=True)
    for platform, tar in ((HOST, OLD_TAR), (OTHER, other_tar)):
        source = sha(joined(gzip_of(tar)))
        box.archive(gzip_of(Taken(source, 0, tar), b"more"), version=(3, 13, 6), platform=platform)
    following = box.programs_of_uv().seal()
    unpack_bytes(data, prefix)
    unpack_bytes(following, prefix)
    assert archives(prefix) == {joined(gzip_of(OLD_TAR, b"more"))}
    assert str(refused(following, prefix, platforms=("all",))) == lacks(1)
    unpack_bytes(data, prefix.with_name("p2"), platforms=(str(OTHER),))
    assert str(refused(following, prefix.with_name("p2"))) == lacks(1)


def test_the_message_names_every_bundle_that_has_what_is_missing(prefix):
    one = full_box(serial=5, tar=OLD_TAR, name="plant-7").seal()
    other = Box(serial=6)
    extra = other.archive(gzip_of(NEW_TAR), version=(3, 13, 6))
    other = other.programs_of_uv().seal()
    box = Box(serial=8)
    box.builds_on(one, OLD, inflate=True)
    box.builds_on(other, extra, base=1, with_content=False)
    box.held[0]["base"] = [0, 1]
    box.archive(gzip_of(Taken(sha(OLD), 0, OLD_TAR), b"!"), version=(3, 13, 7))
    box.archive(gzip_of(NEW_TAR), version=(3, 13, 6), how="held")
    data = box.programs_of_uv().seal()
    assert str(refused(data, prefix)) == (
        "q4.uvb: builds on plant-7 2026Q4 (serial 5) or plant-7 2026Q4 (serial 6), and on plant-7 2026Q4 (serial 6); "
        "2 files of it are not on this host, expected all of what it builds on"
    )
    unpack_bytes(one, prefix)
    assert str(refused(data, prefix)) == (
        "q4.uvb: builds on plant-7 2026Q4 (serial 6); 1 file of it is not on this host, expected all of what it "
        "builds on"
    )
    unpack_bytes(other, prefix)
    unpack_bytes(data, prefix)
    assert archives(prefix) == {NEW, joined(gzip_of(OLD_TAR, b"!"))}


def test_a_refusal_is_in_the_log(prefix):
    refused(delta(), prefix)
    last = json.loads((prefix / "state" / "log.jsonl").read_bytes().splitlines()[-1])
    assert last["event"] == "unpack"
    assert "serial 7" in json.dumps(last)
    assert last["outcome"] == "refused"


def test_a_base_that_lost_a_file_or_has_it_in_another_size_is_none(prefix):
    unpack_bytes(base(), prefix)
    file = next((prefix / "current" / "mirror").rglob("*3.13.5*"))
    os.truncate(file, 100)
    assert str(refused(delta(), prefix)) == lacks(1)
    file.unlink()
    file.symlink_to("/dev/zero")
    assert str(refused(delta(), prefix)) == lacks(1)


@pytest.mark.parametrize("version", ["3.13.5", "3.12.1"])
def test_a_base_that_rotted_is_told_and_changes_nothing(prefix, version):
    """Of one the content is copied, the other one is linked: both are hashed before they count."""
    unpack_bytes(base(), prefix)
    file = next((prefix / "generations" / "1" / "mirror").rglob(f"*{version}*"))
    rot(file)
    before = tree(prefix)
    with pytest.raises(IncompleteFault) as caught:
        unpack_bytes(delta(), prefix)
    digest = sha(OLD if version == "3.13.5" else WHEEL)
    ends = {
        "3.13.5": f"is not what was unpacked any more, expected sha256 {digest} to build on",
        "3.12.1": f"is not what was unpacked any more, nor does the bundle bring it, expected sha256 {digest}",
    }
    assert str(caught.value) == f"{file.resolve()}: {ends[version]}"
    assert caught.value.hint == FULL_HINT
    assert tree(prefix) == before


@pytest.mark.parametrize("where", [0, 300, 600, 890])
def test_wherever_the_base_rotted_it_is_told(prefix, where):
    """In the header, the stream or the sums of a gzip file."""
    unpack_bytes(base(), prefix)
    file = next((prefix / "current" / "mirror").rglob("*3.13.5*"))
    content = bytearray(file.read_bytes())
    content[where * len(content) // 900] ^= 1 << random.Random(where).randrange(8)
    file.write_bytes(content)
    with pytest.raises(IncompleteFault, match="is not what was unpacked any more, expected sha256"):
        unpack_bytes(delta(), prefix)


def test_after_a_rotted_base_a_full_bundle_helps(prefix):
    unpack_bytes(base(), prefix)
    rot(next((prefix / "current" / "mirror").rglob("*3.13.5*")))
    with pytest.raises(IncompleteFault):
        unpack_bytes(delta(), prefix)
    unpack_bytes(full(9), prefix)
    assert archives(prefix) == {NEW, WHEEL}


def test_the_way_out_of_a_base_that_rotted_is_the_one_that_is_told(prefix):
    unpack_bytes(base(), prefix)
    rot(next((prefix / "generations" / "1" / "mirror").rglob("*3.13.5*")))
    assert unpack_bytes(base(), prefix)[0].number == 1  # it is active, and no digest of it is looked at
    (prefix / "current").unlink()
    unpack_bytes(base(), prefix)
    unpack_bytes(delta(), prefix)
    assert archives(prefix) == {NEW, WHEEL}


def test_what_a_delta_brought_and_rotted_is_rebuilt_from_the_base(prefix):
    unpack_bytes(base(), prefix)
    unpack_bytes(delta(), prefix)
    next((prefix / "current" / "mirror").rglob("*3.13.6*")).unlink()
    generation, _ = unpack_bytes(delta(), prefix)
    assert generation.number == 3
    assert archives(prefix) == {NEW, WHEEL}
    rot(next((prefix / "current" / "mirror").rglob("*3.13.6*")))
    unpack_bytes(delta(9), prefix)
    assert archives(prefix) == {NEW, WHEEL}


def test_what_a_delta_brought_and_rotted_needs_a_full_bundle_where_the_base_is_gone(prefix):
    unpack_bytes(base(), prefix)
    unpack_bytes(delta(), prefix)
    next((prefix / "generations" / "1" / "mirror").rglob("*3.13.5*")).unlink()
    rot(next((prefix / "current" / "mirror").rglob("*3.13.6*")))
    before = tree(prefix)
    with pytest.raises(IncompleteFault) as caught:
        unpack_bytes(delta(9), prefix)
    assert str(caught.value) == (
        f"{sha(OLD)}: is not on this host, expected it to rebuild a file that is not what was unpacked"
    )
    assert caught.value.hint == FULL_HINT
    assert tree(prefix) == before


def test_the_base_may_go_once_a_delta_is_unpacked(prefix):
    import shutil

    unpack_bytes(base(), prefix)
    unpack_bytes(delta(), prefix)
    shutil.rmtree(prefix / "generations" / "1")
    _, decision = unpack_bytes(delta(), prefix)
    assert decision.already_active
    unpack_bytes(delta(9), prefix)
    assert archives(prefix) == {NEW, WHEEL}


def test_a_full_bundle_is_taken_after_a_delta_and_a_delta_after_that(prefix):
    unpack_bytes(base(), prefix)
    unpack_bytes(delta(8), prefix)
    unpack_bytes(full(9), prefix)
    unpack_bytes(delta(10), prefix)  # the base is in the oldest generation
    assert archives(prefix) == {NEW, WHEEL}


def test_deltas_build_on_deltas(prefix):
    box = Box(serial=9)
    box.builds_on(delta(), NEW, inflate=True)
    box.archive(gzip_of(Taken(sha(NEW), 0, NEW_TAR), b"newer"), version=(3, 13, 7))
    following = box.programs_of_uv().seal()
    for one in (base(), delta(), following):
        unpack_bytes(one, prefix)
    assert archives(prefix) == {joined(gzip_of(NEW_TAR, b"newer"))}


def test_after_a_rollback_the_base_is_active_again(prefix):
    unpack_bytes(base(), prefix)
    unpack_bytes(delta(), prefix)
    roll_back(prefix, to=None, reason=None, command="rollback", progress=Silent())
    assert archives(prefix) == {OLD, WHEEL}
    unpack_bytes(delta(9), prefix)
    assert archives(prefix) == {NEW, WHEEL}


def test_generations_that_cannot_be_read_are_passed_over(prefix):
    unpack_bytes(base(), prefix)
    unpack_bytes(full(8), prefix)
    broken = prefix / "generations" / "2"
    unpack_bytes(full(9), prefix)
    (broken / "bundle.json").write_bytes(b"{}")
    (prefix / "generations" / "17").mkdir()
    (prefix / "generations" / "note.txt").write_text("mine")
    unpack_bytes(delta(10), prefix)
    assert archives(prefix) == {NEW, WHEEL}


def test_a_held_file_is_never_given_another_mode(prefix):
    """A link has the mode of its file, and the file belongs to an older generation too."""
    unpack_bytes(base(), prefix)
    box = Box(serial=8)
    box.builds_on(base(), OLD, with_content=False)
    box.artifacts.append(
        {"path": f"uv/0.13.8/{HOST}/uv", "size": len(OLD), "sha256": sha(OLD), "role": "uv", "executable": True,
         "platform": str(HOST)}
    )  # fmt: skip
    unpack_bytes(box.seal(), prefix)
    given = prefix / "current" / "uv" / "0.13.8" / str(HOST) / "uv"
    kept = next((prefix / "generations" / "1" / "mirror").rglob("*3.13.5*"))
    assert given.read_bytes() == OLD
    assert [stat.S_IMODE(one.stat().st_mode) for one in (given, kept)] == [0o755, 0o644]


def test_an_artifact_that_is_held_and_carried_under_two_names_is_no_accident(prefix):
    unpack_bytes(base(), prefix)
    box = Box(serial=8)
    box.builds_on(base(), WHEEL, with_content=False)
    box.archive(gzip_of(*with_wheel(OLD_TAR)), version=(3, 12, 1), how="held")
    path = f"uv/0.13.8/{HOST}/uv"
    box.blob(path, WHEEL, role="uv", platform=str(HOST))
    box.facts["uv"] = []
    unpack_bytes(box.seal(), prefix)
    assert (prefix / "current" / path).read_bytes() == WHEEL
    assert archives(prefix) == {WHEEL}


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"content": len(OLD_TAR) - 1}, f"expected {len(OLD_TAR) - 1} bytes of content in it"),
        ({"content": len(OLD_TAR) + 1}, f"expected {len(OLD_TAR) + 1} bytes of content in it"),
    ],
)
def test_a_held_artifact_with_another_content_than_the_index_says_is_the_packers_fault(prefix, held, message):
    unpack_bytes(base(), prefix)
    before = tree(prefix)
    box = delta_box(base())
    box.prefixes = {}
    with pytest.raises(DamagedFault) as caught:
        unpack_bytes(box.seal(bend=lambda document: document["held"][0].update(held)), prefix)
    assert str(caught.value) == f"{sha(OLD)}: {message}"
    assert tree(prefix) == before


def test_a_held_file_that_is_no_gzip_is_the_packers_fault_too(prefix):
    box = Box()
    data = box.archive((b"no gzip at all, and long enough",), how="plain")
    first = box.programs_of_uv().seal()
    unpack_bytes(first, prefix)
    following = Box(serial=8)
    following.builds_on(first, data)
    following.archive((Taken(sha(data), 3, data[3:9]),), version=(3, 13, 6))
    plain = following.programs_of_uv()
    lying = plain.seal(bend=lambda document: document["held"][0].update(inflate=True))
    with pytest.raises(DamagedFault) as caught:
        unpack_bytes(lying, prefix)
    assert str(caught.value) == f"{sha(data)}: expected {len(data)} bytes of content in it"
    unpack_bytes(plain.seal(), prefix)
    assert archives(prefix) == {data[3:9]}


def test_a_base_of_many_empty_gzip_members_takes_no_longer_than_others():
    members = joined(gzip_of()) * 200_000
    begun = time.process_time()
    assert b"".join(streams._inflated(iter([members]), 0)) == b""
    assert time.process_time() - begun < 8  # copying the rest of the chunk behind each takes a minute


def test_a_base_of_several_gzip_members_is_inflated_whole(prefix):
    members = joined(gzip_of(b"first " * 99)) + joined(gzip_of()) + joined(gzip_of(b"second " * 99))
    content = b"first " * 99 + b"second " * 99
    box = Box()
    box.archive((members,), how="plain")
    first = box.programs_of_uv().seal()
    unpack_bytes(first, prefix)
    following = Box(serial=8)
    following.builds_on(first)
    following.held.append(
        {"sha256": sha(members), "size": len(members), "base": [0], "content": len(content), "inflate": True}
    )
    following.contents[sha(members)] = content
    following.builds_on(first)
    following.archive((Taken(sha(members), 590, content[590:700]),), version=(3, 13, 6))
    unpack_bytes(following.programs_of_uv().seal(), prefix)
    assert archives(prefix) == {content[590:700]}


def test_a_prefix_other_than_the_packers_is_no_fault_that_stays_unseen(prefix):
    """Ranges in another order: the frame has a checksum, and what is rebuilt has a digest."""
    unpack_bytes(base(), prefix)
    before = tree(prefix)
    box = delta_box(base())
    with pytest.raises(DamagedFault):
        unpack_bytes(box.seal(bend=lambda document: document["members"][2]["prefix"].reverse()), prefix)
    assert tree(prefix) == before


def test_an_earlier_member_may_be_the_prefix_of_a_later_one(prefix):
    box = full_box()
    box.prefixes[TEXT.format(HOST)] = [{"source": f"payload/{HOST}/recipes.zst", "offset": 1, "length": 40}]
    unpack_bytes(box.seal(), prefix)
    assert archives(prefix) == {OLD, WHEEL}


def test_a_program_may_copy_from_what_is_held_alone(prefix):
    unpack_bytes(base(), prefix)
    box = Box(serial=8)
    box.builds_on(base(), OLD, inflate=True)
    data = box.archive(gzip_of(Taken(sha(OLD), 0, OLD_TAR))[1:2], version=(3, 13, 6))
    unpack_bytes(box.programs_of_uv().seal(), prefix)
    assert archives(prefix) == {data}


def test_verify_needs_no_base():
    """It checks what is stored: everything else shows when it is unpacked."""
    index = verified(delta()).index
    assert index.requires == ["base", "recompressed"]
    assert verified(delta(), stream=OneWay).index == index


def test_every_flipped_byte_of_a_stored_delta_is_refused_by_verify():
    data = delta()
    begin = data.index(b"SHA256SUMS" + bytes(90))
    for at in range(begin, len(data), 41):
        broken = bytearray(data)
        broken[at] ^= 1
        with pytest.raises(DamagedFault):
            verified(bytes(broken))


class Desk:
    def __init__(self, folder):
        from bundles import PACKER

        self.trust, self.prefix = folder / "trust", folder / "p"
        self.trust.write_text(PACKER.line + "\n")
        self.folder = folder

    def unpack(self, data, *more, name="q4.uvb"):
        (self.folder / name).write_bytes(data)
        return bundler(
            "unpack",
            self.folder / name,
            "--trust",
            self.trust,
            "--prefix",
            self.prefix,
            "--shell",
            "sh",
            *more,
        )


def test_the_command_line_says_which_bundle_is_needed(tmp_path):
    desk = Desk(tmp_path)
    check_refusal(desk.unpack(delta()), 4, lacks(2), HINT)
    check_refusal(desk.unpack(delta(), "--dry-run"), 4, lacks(2), HINT)
    assert desk.unpack(base(), name="base.uvb").code == 0
    planned = desk.unpack(delta(), "--dry-run")
    assert planned.code == 0
    keys = sorted(line.split()[0] for line in planned.stdout.splitlines() if "mirror/" in line)
    assert keys == ["keep", "remove", "write"]
    assert planned.stdout.splitlines()[1] == "builds on plant-7 2026Q4 (serial 7)"
    done = desk.unpack(delta())
    assert done.code == 0, done.stderr
    assert bundler("status", "--prefix", desk.prefix).code == 0
    health = bundler("doctor", "--prefix", desk.prefix, "--digests")
    assert "generations/2: 7 files, digests and modes as the index says" in health.stderr
