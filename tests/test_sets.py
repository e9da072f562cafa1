"""Sets of volumes after a journey: within the parity everything comes back, beyond it nothing is written.

Which losses parity stands is computed here from the text of FORMAT.md §17, not by the code that reads sets.
"""

import functools
import io
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from bundles import PACKER, request, tree
from cli import bundler, check_refusal
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from losing import bundle, files_of, put
from volumes import BLOCK

from bundler.arriving.collecting import collect
from bundler.commands.options import judging
from bundler.core import ustar
from bundler.core.cut import Cut
from bundler.core.progress import Silent
from bundler.errors import DamagedFault, IncompleteFault, SignatureFault
from bundler.offline.unpack import unpack
from bundler.volumes.opening import opened
from bundler.volumes.recutting import begin

CUTS = (
    Cut(volumes=5, parity=2),
    Cut(volumes=3),
    Cut(volumes=7, parity=1, groups=3),
    Cut(volumes=9, parity=3, groups=2),
    Cut(volumes=1, parity=1),
    Cut(volumes=6, parity=2, whole=True),
)
_CELL = re.compile(r"blocks/(\d{5})-(\d{7})|parity/(\d{4})-(\d{7})-(\d{3})-[0-9a-f]{64}")


@dataclass(frozen=True)
class Cell:
    """A cell in a file: the stretch in which no byte may change, and `row`, `column`; parity columns are negative."""

    begin: int
    end: int
    row: tuple
    column: int


def members(data):
    """Yield name, place of the header and size of each member."""
    at = 0
    while data[at]:
        name, size = ustar.parse_header(data[at : at + 512])
        yield name, at, size
        at += ustar.stored_size(size)


@functools.cache
def block_numbers():
    """Return the number of each block by its member and its place there, as §17 counts them."""
    counts = [-(-size // BLOCK) for name, _, size in members(bundle()) if not name.startswith("bundle.json")]
    pairs = [(member, number) for member, count in enumerate(counts) for number in range(count)]
    return {pair: place for place, pair in enumerate(pairs)}


@functools.cache
def places(cut):
    """Return row and column of each block, as §17 has it."""
    count, found = len(block_numbers()), {}
    columns = [len([v for v in range(cut.volumes) if v % cut.groups == g]) for g in range(cut.groups)]
    for group, wide in enumerate(columns):
        first = count * sum(columns[:group]) // cut.volumes
        last = count * sum(columns[: group + 1]) // cut.volumes
        rows = -(-(last - first) // wide)
        for i in range(last - first):
            row, column = (i % rows, i // rows) if cut.whole else divmod(i, wide)
            found[first + i] = ((group, row), column)
    return found


@functools.cache
def cells(cut, name):
    """Return where the front ends, and the cells of a file as it was written."""
    data, found, front = files_of(cut)[name], [], 0
    whole = cut.whole and "parity" not in name
    payload = -1
    for path, at, size in members(data):
        if path.startswith("bundle.json") or path == "VOLUME":
            front = at + ustar.stored_size(size)
        elif whole:
            payload += 1
            for number in range(-(-size // BLOCK)):
                begin_at = at + 512 + number * BLOCK
                end = min(begin_at + BLOCK, at + 512 + size)
                found.append(Cell(begin_at, end, *places(cut)[block_numbers()[payload, number]]))
        else:
            said = list(map(int, filter(None, _CELL.fullmatch(path).groups())))
            if path.startswith("blocks/"):
                block = block_numbers()[said[0], said[1]]
                found.append(Cell(at + 512, at + 512 + size, *places(cut)[block]))
            else:
                end = at + ustar.stored_size(size)
                found.append(Cell(at, end, (said[0], said[1]), -1 - said[2]))
    return front, found


class Copy:
    """A file after the journey: its folder, its name there, its bytes, and the cells that are right in it."""

    def __init__(self, *, folder, name, fate, data, right):
        self.folder, self.name, self.fate, self.data, self.right = folder, name, fate, data, right

    def __repr__(self):
        return f"{self.folder}/{self.name}: {self.fate}"

    @property
    def front(self):
        """Whether it says what bundle it is."""
        return "front" not in self.fate


@st.composite
def copies(draw, cut, original):
    """Return one copy of a file of the set."""
    data = files_of(cut)[original]
    front, there = cells(cut, original)
    fronts = ("front",) if cut.whole else ("front", "front and VOLUME")  # only VOLUME tells a whole set's cut
    fate = draw(st.sampled_from(("good", "good", "good", "rotten", "around", "cut off", *fronts)))
    right, changed = set(range(len(there))), bytearray(data)
    if fate == "rotten":
        hit = draw(st.sets(st.integers(0, len(there) - 1), min_size=1, max_size=3))
        for number in hit:
            at = draw(st.integers(there[number].begin, there[number].end - 1))
            changed[at] ^= draw(st.integers(1, 255))
        right -= hit
    elif fate == "around":  # headers and padding of blocks, and the end, are no part of a cell
        ends = [front + cut.whole, *(one.end for one in there)]  # the header after it ends a bundle's front
        gaps = [
            (one.begin - 512, one.begin - 1)
            for one, end in zip(there, ends, strict=False)
            if one.column >= 0 and one.begin - 512 >= end
        ]
        for first, last in draw(
            st.lists(st.sampled_from([*gaps, (len(data) - 1024, len(data) - 1)]), min_size=1)
        ):
            changed[draw(st.integers(first, last))] ^= 0x55
    elif fate == "cut off":
        size = draw(
            st.integers(front + 512 * cut.whole, len(data) - 1)
        )  # without a header behind it no front ends
        del changed[size:]
        right = {number for number in right if there[number].end <= size}
    elif fate == "front":
        volume = data.find(b"VOLUME\0", 0, front)  # by which a file is known whatever stands before it
        last = len(data) if draw(st.booleans()) or volume < 0 else draw(st.integers(front, len(data)))
        changed[draw(st.integers(0, (volume if volume > 0 else front) - 1))] ^= draw(st.integers(1, 255))
        del changed[last:]
        right = {number for number in right if there[number].end <= last}
    elif fate == "front and VOLUME":
        changed[:front] = bytes(front)
    others = list(files_of(cut))
    called = draw(
        st.sampled_from(
            (original, original, original.upper(), "copy of it.uvb", draw(st.sampled_from(others)))
        )
    )
    return Copy(
        folder=draw(st.integers(0, 2)), name=called, data=bytes(changed), right=frozenset(right),
        fate=f"{fate} {sorted(set(range(len(there))) - right)} {len(changed)}",
    )  # fmt: skip


@st.composite
def journeys(draw):
    """Return a cut, and copies of its files: none, one or two of each."""
    cut = draw(st.sampled_from(CUTS))
    found = []
    for original in files_of(cut):
        for _ in range(draw(st.sampled_from((0, 1, 1, 1, 1, 2)))):
            found.append((original, draw(copies(cut, original))))
    return cut, found


def is_enough(cut, found):
    """Tell whether parity, where all that is right is used, recovers what is lost."""
    right = {}
    for original, copy in found:
        _, there = cells(cut, original)
        for number in copy.right:
            right.setdefault(there[number].row, set()).add(there[number].column)
    wanted = {}
    for row, column in places(cut).values():
        wanted.setdefault(row, set()).add(column)
    for row, columns in wanted.items():
        have = right.get(row, set())
        if len(columns - have) > len([one for one in have if one < 0]):
            return False
    return True


def lay_out(scratch, found):
    """Write the copies into their folders, whose names they may share, and return the folders that are there."""
    folders = {}
    for number, (_, copy) in enumerate(found):
        folder = folders.setdefault(copy.folder, put(scratch / f"drive{copy.folder}", {}))
        path = folder / copy.name
        if path.exists():
            path = folder / f"{number} {copy.name}"
        path.write_bytes(copy.data)
    return list(folders.values())


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
