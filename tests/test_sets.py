"""Sets of volumes after a journey: within the parity everything comes back, beyond it nothing is written.

Which losses parity stands is computed by `journeys` from the text of FORMAT.md §17, not by the code that reads sets.
"""

import functools
import io
import tempfile
from pathlib import Path

import pytest
from bundles import PACKER, request, tree
from cli import bundler, check_refusal
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from journeys import cells, is_enough, journeys, lay_out
from losing import bundle, files_of, put

from bundler.arriving.collecting import collect
from bundler.commands.bundles import judging
from bundler.core.cut import Cut
from bundler.core.progress import Silent
from bundler.errors import DamagedFault, IncompleteFault, SignatureFault
from bundler.offline.unpack import unpack
from bundler.volumes.opening import opened
from bundler.volumes.recutting import begin


def joined(paths):
    """Return the bytes of the bundle that the paths name."""
    out = io.BytesIO()
    with opened(paths, judge=judging(PACKER.trust, verifier="builtin")) as one:
        ready = begin(one.source, name=one.name, trust=PACKER.trust)
        for data in ready.source.container(ready.blocks()):
            out.write(data)
    return out.getvalue()


def unpacked(paths, prefix):
    """Unpack what the paths name and return the generation."""
    with opened(paths, judge=judging(PACKER.trust, verifier="builtin")) as one:
        unpack(one.source, request(prefix), name=one.name, progress=Silent())
    return generation(prefix)


def generation(prefix):
    """Return what is active there; settings name the prefix, which is another one each time."""
    found = tree((prefix / "current").resolve())
    mode, settings = found["uv.toml"]
    found["uv.toml"] = mode, settings.replace(bytes(prefix), b"PREFIX")
    return found


@functools.cache
def the_tree():
    """Return the generation that the bundle in one file makes."""
    with tempfile.TemporaryDirectory() as scratch:
        prefix = Path(scratch) / "prefix"
        unpack(io.BytesIO(bundle()), request(prefix), name="q4.uvb", progress=Silent())
        return generation(prefix)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(journeys(), st.booleans(), st.randoms(use_true_random=False))
def test_within_the_parity_everything_comes_back_and_beyond_it_nothing_is_written(journey, single, chance):
    cut, found = journey
    if not any(copy.front for _, copy in found):
        return  # nothing says what bundle this is
    enough = is_enough(cut, found)
    if cut.whole and len(found) == 1:  # one file is read as a stream, in which nothing may be wrong
        ((original, copy),) = found
        enough = copy.data == files_of(cut)[original] and "parity" not in original
    event("enough" if enough else "too little")
    with tempfile.TemporaryDirectory() as scratch:
        paths = lay_out(Path(scratch), found)
        before = tree(Path(scratch))
        if single:
            paths = [one for folder in paths for one in folder.iterdir()]
        chance.shuffle(paths)
        with tempfile.TemporaryDirectory() as host:
            prefix = Path(host) / "prefix"
            if enough:
                assert joined(paths) == bundle()
                assert unpacked(paths, prefix) == the_tree()
            else:
                with pytest.raises((IncompleteFault, DamagedFault)):
                    unpacked(paths, prefix)
                assert not (prefix / "current").exists()
        assert tree(Path(scratch)) == before


class Desk:
    """A set on a drive, and a host."""

    def __init__(self, folder, cut):
        self.drive, self.prefix, self.trust = (
            put(folder / "usb", files_of(cut)),
            folder / "prefix",
            folder / "trust",
        )
        self.out = folder / "out.uvb"
        self.trust.write_text(PACKER.line + "\n")
        self.files = sorted(self.drive.iterdir())

    def unpack(self):
        return bundler("unpack", self.drive, "--prefix", self.prefix, "--trust", self.trust, "--shell", "sh")

    def check_refused(self, code, message):
        """Assert that both commands refuse it with the same words, and write nothing."""
        check_refusal(self.unpack(), code, message)
        assert not (self.prefix / "generations").exists() or not list((self.prefix / "generations").iterdir())
        check_refusal(bundler("join", self.drive, "-o", self.out), code, message)
        assert not self.out.exists()


@pytest.mark.parametrize(
    ("cut", "gone", "named"),
    [
        (Cut(volumes=5, parity=2), (0, 1, 3), "3 of 5 volumes are missing: 1-2, 4 ("),
        (Cut(volumes=5, parity=2), (2, 4, 5), "2 of 5 volumes are missing: 3, 5 ("),
        (Cut(volumes=3), (1,), "1 of 3 volumes is missing: 2 ("),
        (Cut(volumes=7, parity=1, groups=3), (2, 5), "2 of 7 volumes are missing: 3, 6 ("),
    ],
)
def test_one_volume_more_than_parity_stands_is_named(tmp_path, cut, gone, named):
    desk = Desk(tmp_path, cut)
    for number in gone:
        desk.files[number].unlink()
    desk.check_refused(4, named)
    put(desk.drive, {desk.files[gone[-1]].name: files_of(cut)[desk.files[gone[-1]].name]})
    assert desk.unpack().code == 0


@pytest.mark.parametrize("cut", [Cut(volumes=5, parity=2), Cut(volumes=6, parity=2, whole=True)], ids=str)
def test_one_bad_block_more_than_parity_stands_is_named(tmp_path, cut):
    desk = Desk(tmp_path, cut)
    row = (0, 1)
    hit = [
        (path, one)
        for path in desk.files
        for one in cells(cut, path.name)[1]
        if one.row == row and one.column >= 0
    ]
    for path, cell in hit[: cut.parity + 1]:
        data = bytearray(path.read_bytes())
        data[cell.end - 1] ^= 1
        path.write_bytes(data)
    desk.check_refused(5, "is in none of the files as it was signed")
    path, cell = hit[cut.parity]
    data = bytearray(path.read_bytes())
    data[cell.end - 1] ^= 1
    path.write_bytes(data)
    assert desk.unpack().code == 0


def test_blocks_of_a_row_that_are_asked_for_far_apart_are_counted_once(tmp_path):
    cut = Cut(volumes=6, parity=2, whole=True)
    desk = Desk(tmp_path, cut)
    path = desk.drive / "q4.uvb"
    data = bytearray(path.read_bytes())
    lost = [one for one in cells(cut, path.name)[1] if one.column in {0, 3}]
    for one in lost:
        data[one.end - 1] ^= 1
    path.write_bytes(data)
    assert (
        f"{len(lost)} blocks recovered from parity"
        in bundler("verify", desk.drive, "--trust", desk.trust).stderr
    )


def test_a_damaged_signature_in_one_volume_is_not_the_one_that_counts(tmp_path):
    desk = Desk(tmp_path, Cut(volumes=3))
    first = desk.files[0]
    at = first.read_bytes().index(b"BEGIN SSH SIGNATURE") + 60
    data = bytearray(first.read_bytes())
    data[at] ^= 1
    first.write_bytes(data)
    assert desk.unpack().code == 0
    assert bundler("join", desk.drive, "-o", desk.out).code == 0
    assert desk.out.read_bytes() == bundle()


def test_a_parity_file_with_a_damaged_front_is_known_by_its_volume_member(tmp_path):
    desk = Desk(tmp_path, Cut(volumes=6, parity=2, whole=True))
    for path, at in zip(desk.files, (0, 300_000), strict=True):
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)
    done = desk.unpack()
    assert done.code == 0, done.stderr
    assert "1 block recovered from parity" in done.stderr


def test_a_bundle_in_one_file_with_a_wrong_bit_in_its_index_still_has_its_blocks(tmp_path):
    desk = Desk(tmp_path, Cut(volumes=6, parity=2, whole=True))
    path = desk.drive / "q4.uvb"
    path.write_bytes(path.read_bytes().replace(b"2026Q4", b"2027Q4", 1))
    done = desk.unpack()
    assert done.code == 0, done.stderr
    done = bundler("collect", desk.drive, "--into", tmp_path / "into", "--trust", desk.trust)
    assert "into: complete" in done.stderr
    assert (tmp_path / "into" / "plant-7-7.uvb").read_bytes() == bundle()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(journeys(), st.randoms(use_true_random=False))
def test_drives_collected_in_any_order_have_what_they_have_together(journey, chance):
    cut, found = journey
    if not any(copy.front for _, copy in found):
        return
    with tempfile.TemporaryDirectory() as scratch:
        drives, into = lay_out(Path(scratch), found), Path(scratch) / "into"
        chance.shuffle(drives)
        before, refused = {one: tree(one) for one in drives}, False
        for one in drives:
            try:
                done = collect([one], into, trust=PACKER.trust, progress=Silent())
            except (DamagedFault, SignatureFault):  # this drive alone cannot say what bundle it has
                refused = True
        if refused:
            done = collect(drives, into, trust=PACKER.trust, progress=Silent())
        assert {one: tree(one) for one in drives} == before
        assert (not done.stock.shortage()) == is_enough(cut, found)
        if not done.stock.shortage():
            assert joined([into]) == bundle()
        for item in done.stock.items:
            written = files_of(cut)[item.path.name.replace("plant-7-7", "q4", 1)]
            assert not item.there or (item.path.read_bytes() == written) == (not item.bad)
