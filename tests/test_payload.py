"""Unpacking a recompressed bundle: the same tree as from a plain one, and nothing after any fault."""

import errno
import functools
import io
import os
import re

import pytest
from bundles import HOST, OTHER, request, tree, unpack_bytes
from recompressed import (
    NEW_TAR,
    OLD_TAR,
    RECIPES,
    TEXT,
    Box,
    framed,
    full_box,
    gzip_of,
    index_of,
    joined,
    sha,
    with_wheel,
)
from test_reader import OneWay, verified
from test_rebuild import Changed, Told, installed

from bundler.core.index import parse_index
from bundler.core.program import Copy, Encode, End
from bundler.deflate import catalog
from bundler.errors import BundlerError, DamagedFault, HostFault, SignatureFault
from bundler.offline import payload, rebuild, spool, streams
from bundler.offline.deciding import dry_run
from bundler.offline.unpack import unpack


@functools.cache
def sealed(how="recipe", tar=OLD_TAR, **facts):
    return full_box(how=how, tar=tar, **facts).seal()


@pytest.fixture
def prefix(tmp_path):
    return tmp_path / "p"


def files(prefix):
    """Return what a generation holds but for what tells of the bundle it came in."""
    own = re.compile(r"generation\.json|bundle\.json.*|uv\.toml")
    folder = prefix / "current"
    return {name: one for name, one in tree(folder.resolve()).items() if not own.fullmatch(name)}


def unpack_from(stream, prefix, *, progress=None, **changes):
    return unpack(stream, request(prefix, **changes), name="q4.uvb", progress=progress or Told())


@pytest.mark.parametrize("encoder", ["zlib-6-8", "miniz-6", "medium-17"])
def test_the_tree_is_that_of_a_plain_bundle(tmp_path, encoder):
    for how in ("recipe", "plain"):
        unpack_bytes(sealed(how, encoder=encoder), tmp_path / how)
    assert files(tmp_path / "recipe") == files(tmp_path / "plain")
    archives = {one[1] for name, one in files(tmp_path / "recipe").items() if name.startswith("mirror/")} - {
        None
    }
    assert archives == {
        joined(gzip_of(*parts, encoder=encoder)) for parts in ((OLD_TAR,), with_wheel(OLD_TAR))
    }
    assert len(sealed(encoder=encoder)) < len(sealed("plain", encoder=encoder))


def test_the_mirror_and_the_cache_are_one_file(prefix):
    unpack_bytes(sealed(), prefix)
    for one in (prefix / "current" / "mirror").rglob("*.tar.gz"):
        assert one.stat().st_nlink == 2


def test_it_comes_from_a_pipe(tmp_path):
    unpack_bytes(sealed(), tmp_path / "file")
    unpack_from(OneWay(sealed()), tmp_path / "pipe")
    assert files(tmp_path / "pipe") == files(tmp_path / "file")


@functools.cache
def of_two():
    """A bundle for this host and another one, with a stream for both."""
    box = full_box(platforms=(HOST, OTHER))
    common = gzip_of(b"for both of them\n" * 90)
    box.archive(common, version=(3, 11, 1), platform=HOST, group="common")
    box.archive(gzip_of(b"for both of them\n" * 89), version=(3, 11, 1), platform=OTHER, group="common")
    return box.seal()


def members_decoded(monkeypatch):
    decoded = []
    real = streams.decode

    def watched(*args, **options):
        decoded.append(options["size"])
        return real(*args, **options)

    monkeypatch.setattr(streams, "decode", watched)
    return decoded


@pytest.mark.parametrize("stream", [io.BytesIO, OneWay])
def test_only_what_the_host_needs_is_decoded(prefix, monkeypatch, stream):
    decoded = members_decoded(monkeypatch)
    unpack_from(stream(of_two()), prefix)
    contents = {one.path: one.content for one in parse_index(index_of(of_two())).members}
    wanted = [one.format(group) for group in (HOST, "common") for one in (RECIPES, TEXT)]
    assert sorted(decoded) == sorted(contents[one] for one in wanted)
    keys = {one.name.split("+")[0] for one in (prefix / "current" / "mirror").rglob("*.tar.gz")}
    assert keys == {"cpython-3.13.5", "cpython-3.12.1", "cpython-3.11.1"}
    assert not [one for one in files(prefix) if str(OTHER) in one]


def test_members_of_others_are_seeked_over(prefix):
    class Counting(io.BytesIO):
        given = 0

        def read(self, count=-1):
            data = super().read(count)
            Counting.given += len(data)
            return data

        def readinto(self, buffer):
            count = super().readinto(buffer)
            Counting.given += count
            return count

    unpack_from(Counting(of_two()), prefix)
    index = parse_index(index_of(of_two()))
    skipped = sum(one.size for one in index.members if f"/{OTHER}/" in one.path)
    assert skipped
    assert Counting.given <= len(of_two()) - skipped


def test_all_platforms_are_rebuilt_where_they_are_asked_for(prefix):
    unpack_bytes(of_two(), prefix, platforms=("all",))
    assert len(list((prefix / "current" / "mirror").rglob("*.tar.gz"))) == 6


def test_what_the_host_has_is_linked_and_not_rebuilt(prefix, monkeypatch):
    unpack_bytes(sealed(), prefix)
    before = {one.name: one.stat().st_ino for one in (prefix / "current" / "mirror").rglob("*.tar.gz")}
    decoded = members_decoded(monkeypatch)
    unpack_bytes(sealed(serial=8), prefix)
    assert decoded == []
    after = {one.name: one.stat().st_ino for one in (prefix / "current" / "mirror").rglob("*.tar.gz")}
    assert after == before


def test_what_a_plain_bundle_brought_is_kept_too(prefix):
    unpack_bytes(sealed("plain"), prefix)
    _, decision = unpack_bytes(sealed(serial=8), prefix)
    assert [one.role for one in decision.plan.write] == ["metadata"]
    assert decision.plan.spool == 0


def rot(path):
    content = bytearray(path.read_bytes())
    content[50] ^= 1
    path.write_bytes(content)


def test_what_is_kept_and_rotted_is_rebuilt(prefix):
    unpack_bytes(sealed(), prefix)
    rot(next((prefix / "current" / "mirror").rglob("*3.12.1*")))
    unpack_bytes(sealed(serial=8), prefix)
    mended = next((prefix / "current" / "mirror").rglob("*3.12.1*"))
    assert mended.read_bytes() == joined(gzip_of(*with_wheel(OLD_TAR)))


def test_the_plan_counts_what_lies_on_the_disk_meanwhile(prefix):
    decision = dry_run(io.BytesIO(sealed()), request(prefix), name="q4.uvb")
    index = parse_index(index_of(sealed()))
    contents = sum(one.content or 0 for one in index.members)
    assert contents > len(OLD_TAR)
    assert decision.plan.needed == contents + sum(one.size for one in index.artifacts)
    assert not prefix.exists()


def left(prefix):
    return sorted(str(one.relative_to(prefix)) for one in (prefix / "staging").rglob("*"))


def test_neither_staging_nor_spool_is_left(prefix):
    unpack_bytes(sealed(), prefix)
    assert left(prefix) == []


class Interrupted(Told):
    """Somebody presses Ctrl-C at some time."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def advance(self, count):
        super().advance(count)
        self.after -= 1
        if not self.after:
            raise KeyboardInterrupt


@pytest.mark.parametrize("after", range(1, 7))
def test_after_an_interrupt_anywhere_nothing_is_left(prefix, after):
    """The last ones are told of what was rebuilt, from other threads."""
    unpack_bytes(sealed(), prefix)
    before = tree(prefix)
    with pytest.raises(KeyboardInterrupt):
        unpack_from(
            io.BytesIO(sealed(tar=NEW_TAR, version=(3, 13, 6), serial=8)), prefix, progress=Interrupted(after)
        )
    assert tree(prefix) == before


def full_disk(monkeypatch, module, *, after):
    real, left = module.write_all, [after]

    def write(handle, data):
        left[0] -= len(data)
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, data)

    monkeypatch.setattr(module, "write_all", write)


@pytest.mark.parametrize("after", [0, 8000])
def test_a_disk_that_is_full_of_contents_leaves_nothing(prefix, monkeypatch, after):
    unpack_bytes(sealed(), prefix)
    before = tree(prefix)
    full_disk(monkeypatch, spool, after=after)
    with pytest.raises(HostFault) as caught:
        unpack_bytes(sealed(tar=NEW_TAR, version=(3, 13, 6), serial=8), prefix)
    assert str(caught.value) == f"{prefix}/staging/0: No space left on device"
    assert caught.value.hint == "make room on that file system (`df -h`, `df -i`) and run the command again"
    assert tree(prefix) == before


@pytest.mark.parametrize("after", [0, 1500])
def test_a_disk_that_is_full_in_a_worker_leaves_nothing(prefix, monkeypatch, after):
    from bundler.offline import staging

    unpack_bytes(sealed(), prefix)
    before = tree(prefix)
    full_disk(monkeypatch, staging, after=after)
    with pytest.raises(HostFault, match=r"staging/2/.*: No space left on device"):
        unpack_bytes(sealed(tar=NEW_TAR, version=(3, 13, 6), serial=8), prefix)
    assert tree(prefix) == before


WRONG = {
    "too much": lambda steps: [*steps, Copy(0, 0, 1)],
    "too little": lambda steps: steps[:-1],
    "others": lambda steps: [Copy(0, 1, steps[0].length), *steps[1:]],
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_program_that_yields_other_bytes_is_refused_and_nothing_is_visible(prefix, kind):
    unpack_bytes(sealed(), prefix)
    before = tree(prefix)
    box = Box(serial=8)
    parts = gzip_of(NEW_TAR)
    ends = len(parts[0].data), len(parts[2].data)
    box.contents[RECIPES.format(HOST)] = parts[0].data + parts[2].data
    honest = [Copy(0, 0, ends[0]), Encode(0), Copy(1, 0, len(NEW_TAR)), End(), Copy(0, *ends)]
    box.archive(parts, steps=WRONG[kind](honest))
    with pytest.raises(DamagedFault) as caught:
        unpack_bytes(box.programs_of_uv().seal(), prefix)
    size = len(joined(parts)) + {"too much": 1, "too little": -ends[1], "others": 0}[kind]
    assert re.fullmatch(
        rf"mirror/own-.*\.tar\.gz: rebuilt as {size} bytes with sha256 [0-9a-f]{{64}}, expected "
        rf"{len(joined(parts))} with {sha(joined(parts))}", str(caught.value),
    )  # fmt: skip
    assert tree(prefix) == before


def test_a_stream_that_is_damaged_is_refused(prefix):
    box = full_box()
    path = TEXT.format(HOST)
    data = box.seal(stored={path: framed(b"other" + box.contents[path][5:])})
    with pytest.raises(DamagedFault, match=r"text\.tar\.zst: expected a zstd frame|rebuilt as"):
        unpack_bytes(data, prefix)
    assert not (prefix / "current").exists()
    assert left(prefix) == []


def test_the_digest_of_a_whole_stream_is_checked(prefix):
    def lie(document):
        document["members"][2]["sha256"] = "0" * 64

    with pytest.raises(DamagedFault):
        unpack_bytes(full_box().seal(bend=lie), prefix)

    def lie_where_sums_agree(document):
        document["members"][2]["sha256"] = "0" * 64
        sums = "".join(f"{one['sha256']}  {one['path']}\n" for one in document["members"][1:]).encode()
        document["members"][0].update(sha256=sha(sums), blocks=[sha(sums)])
        found.append(sums)

    found = []
    honest = full_box().seal()
    data = full_box().seal(bend=lie_where_sums_agree)
    old = "".join(f"{one.sha256}  {one.path}\n" for one in parse_index(index_of(honest)).members[1:]).encode()
    assert data.count(old) == 1
    data = data.replace(old, found[0])
    said = r"text\.tar\.zst: the blocks hold, but not the sha256 of the whole"
    with pytest.raises(DamagedFault, match=said):
        unpack_bytes(data, prefix)
    with pytest.raises(DamagedFault, match=said):
        verified(data)


def test_a_library_that_encodes_otherwise_costs_time_and_no_bundle(prefix, monkeypatch):
    data = sealed()
    installed(monkeypatch, Changed)
    progress = Told()
    try:
        unpack_from(io.BytesIO(data), prefix, progress=progress)
    finally:
        catalog._shortcut.cache_clear()
    assert (
        sorted(one.split(": ", 1)[1] for one in progress.notes)
        == [
            "an installed library encodes differently than upstream's did, encoding it again in pure Python, which takes minutes"
        ]
        * 2
    )
    archives = {one.read_bytes() for one in (prefix / "current" / "mirror").rglob("*.tar.gz")}
    assert archives == {joined(gzip_of(OLD_TAR)), joined(gzip_of(*with_wheel(OLD_TAR)))}


def test_a_wheel_that_is_missing_costs_time_and_is_named(prefix, monkeypatch):
    from bundler.deflate import nativeng

    data = sealed(encoder="medium-17")
    monkeypatch.setattr(nativeng, "available", lambda: "the wheel zlib-ng is not installed")
    catalog._shortcut.cache_clear()
    progress = Told()
    try:
        unpack_from(io.BytesIO(data), prefix, progress=progress)
    finally:
        catalog._shortcut.cache_clear()
    (note,) = progress.notes
    assert re.fullmatch(
        r"2 files, .*, will be encoded in pure Python, which takes minutes: the wheel zlib-ng is not installed; "
        r"install zlib-ng beside uv-bundler to make it fast", note,
    )  # fmt: skip
    archives = {one.read_bytes() for one in (prefix / "current" / "mirror").rglob("*.tar.gz")}
    assert joined(gzip_of(OLD_TAR, encoder="medium-17")) in archives


class Counted(Told):
    """A progress that keeps every count of the stage `unpack`."""

    def __init__(self):
        super().__init__()
        self.label, self.total, self.counts = "", 0, []

    def stage(self, label, total):
        self.label = label
        if label == "unpack":
            self.total = total

    def advance(self, count):
        if self.label == "unpack":
            self.counts.append(count)


@pytest.mark.parametrize("library", [None, Changed])
def test_progress_tells_of_every_piece_that_is_rebuilt_and_ends_at_its_total(prefix, monkeypatch, library):
    data = sealed()
    if library:
        installed(monkeypatch, library)
    progress = Counted()
    try:
        unpack_from(io.BytesIO(data), prefix, progress=progress)
    finally:
        catalog._shortcut.cache_clear()
    assert sum(progress.counts) == progress.total
    rebuilt = [one.size for one in parse_index(index_of(data)).artifacts if one.recipe]
    assert not set(rebuilt) & set(progress.counts)  # pure Python takes a minute for one: nobody waits so long
    assert any(one < 0 for one in progress.counts) == bool(
        library
    )  # what a library got wrong comes once more


def test_verify_reads_every_byte_and_rebuilds_nothing(monkeypatch):
    monkeypatch.setattr(rebuild, "rebuild", None)
    monkeypatch.setattr(payload, "Rebuilder", None)
    assert verified(sealed()).index.requires == ["recompressed"]
    assert verified(sealed(), stream=OneWay).index.requires == ["recompressed"]


def flips(data, step):
    for at in range(0, len(data), step):
        broken = bytearray(data)
        broken[at] ^= 1 << (at // step) % 8
        yield at, bytes(broken)


def check_flips(data, prefix, step):
    """A bundle with one flipped bit is refused: the host needs all of it."""
    for at, broken in flips(data, step):
        with pytest.raises(BundlerError) as caught:
            unpack_bytes(broken, prefix)
        assert isinstance(caught.value, SignatureFault | DamagedFault), (at, caught.value)
        assert set(tree(prefix)) <= {"state", "state/lock"}, at
        with pytest.raises((SignatureFault, DamagedFault)):
            verified(broken)


def test_flipped_bits_of_a_recompressed_bundle_are_refused(prefix):
    check_flips(sealed(), prefix, 503)


@pytest.mark.slow
def test_every_flipped_byte_of_a_recompressed_bundle_is_refused(prefix):
    check_flips(sealed(), prefix, 1)


def test_flipped_bits_behind_the_signature_are_found_by_the_digests_of_what_is_rebuilt(tmp_path):
    """A packer may sign streams and programs that are not whole: then nothing becomes visible either."""
    box = full_box(tar=NEW_TAR, version=(3, 13, 6), serial=8)
    unpack_bytes(sealed(), tmp_path / "p")
    before, refused = tree(tmp_path / "p"), 0
    for member in (RECIPES.format(HOST), TEXT.format(HOST)):
        honest = box.contents[member]
        for _, content in flips(honest, len(honest) // 6):
            box.contents[member] = content
            with pytest.raises(DamagedFault, match="rebuilt as|its recipe"):
                unpack_bytes(box.seal(), tmp_path / "p")
            refused += 1
        box.contents[member] = honest
    assert refused >= 12
    assert tree(tmp_path / "p") == before
