"""A delta on a host without its base is refused before anything is written, and names the bundle that helps."""

import json
import os

import pytest
from bundles import HOST, OTHER, unpack_bytes
from cli import bundler, check_refusal
from deflatedparts import NEW_TAR, OLD_TAR, Taken, gzip_of, joined
from heldbundles import HINT, NEW, OLD, archives, base, delta, lacks, other, refused
from recompressed import Box, full_box, sha


@pytest.fixture
def prefix(tmp_path):
    return tmp_path / "p"


def test_a_blank_host_lacks_the_base(prefix):
    fault = refused(delta(), prefix)
    assert str(fault) == lacks(2)
    assert fault.hint == HINT


def test_a_host_with_another_bundle_lacks_the_base(prefix):
    unpack_bytes(other(6), prefix)
    assert str(refused(delta(), prefix)) == lacks(2)


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
