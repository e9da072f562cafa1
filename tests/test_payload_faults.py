"""Unpacking a recompressed bundle that is bent, or where something fails: nothing of it stays."""

import errno
import io
import os
import re

import pytest
from bundles import HOST, tree, unpack_bytes
from deflatedparts import NEW_TAR, gzip_of, joined
from oneway import OneWay, verified
from otherencoders import Told
from rebuilt import sealed, unpack_from
from recompressed import RECIPES, TEXT, Box, framed, full_box, index_of, sha

from bundler.core.index import parse_index
from bundler.core.program import Copy, Encode, End
from bundler.errors import BundlerError, DamagedFault, HostFault, SignatureFault
from bundler.offline import payload, rebuild, spool


@pytest.fixture
def prefix(tmp_path):
    return tmp_path / "p"


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
