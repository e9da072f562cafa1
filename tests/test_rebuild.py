"""One artifact rebuilt from its recipe: its exact bytes, or told why not, and bombs stop at their budget."""

import hashlib
import time
import tracemalloc

import pytest
from deflatedparts import gzip_of, joined, with_wheel
from otherencoders import TAR, Changed, Failing, installed
from spooled import described, put, recipe_of

from bundler.core.digest import Digest
from bundler.core.index import Artifact
from bundler.core.program import Copy, Encode, End
from bundler.deflate import catalog
from bundler.errors import DamagedFault
from bundler.offline import rebuild as module
from bundler.offline.rebuild import Differs, rebuild, slow_encoders
from bundler.offline.spool import Spool

REPACK = "the packer signed a bundle that is not whole: have it packed again"


@pytest.fixture
def spool(tmp_path):
    with Spool(tmp_path / "0") as one:
        yield one


@pytest.fixture(autouse=True)
def _nothing_is_remembered():
    yield
    catalog._shortcut.cache_clear()


def run(artifact, spool, *, check=lambda: None, **options):
    out = []
    rebuild(artifact, artifact.recipe, spool, write=out.append, check=check, **options)
    return b"".join(out)


@pytest.mark.parametrize("trust_native", [True, False])
@pytest.mark.parametrize("encoder", ["zlib-6-8", "zlib-1-9", "zlib-9-8", "miniz-6", "medium-17", "medium-16"])
def test_the_exact_bytes_come_back_by_every_kind_of_encoder(spool, encoder, trust_native):
    parts = gzip_of(TAR, encoder=encoder)
    artifact = described(joined(parts), recipe_of(spool, parts))
    assert run(artifact, spool, trust_native=trust_native) == joined(parts)


def test_a_wheel_within_an_archive_comes_back(spool):
    parts = gzip_of(*with_wheel(TAR))
    artifact = described(joined(parts), recipe_of(spool, parts))
    assert run(artifact, spool) == joined(parts)


def test_copies_alone_come_back(spool):
    steps = [Copy(0, 5, 3), Copy(0, 0, 2), Copy(1, 0, 1), Copy(0, 9, 1)]
    assert run(described(b"56701a9", put(spool, steps, b"0123456789", b"a")), spool) == b"56701a9"


def test_an_empty_stream_comes_back(spool):
    steps = [Encode(0), End()]
    assert run(described(b"\x03\x00", put(spool, steps, encoders=["zlib-6-8"])), spool) == b"\x03\x00"


@pytest.mark.parametrize(
    ("said", "found"),
    [(b"01234", b"012345"), (b"0123456", b"012345"), (b"012349", b"012345"), (b"", b"012345")],
)
def test_other_bytes_than_the_index_says_are_refused(spool, said, found):
    artifact = described(said, put(spool, [Copy(0, 0, 6)], b"0123456789"))
    with pytest.raises(DamagedFault) as caught:
        run(artifact, spool)
    assert str(caught.value) == (
        f"mirror/a.tar.gz: rebuilt as {len(found)} bytes with sha256 {hashlib.sha256(found).hexdigest()}, "
        f"expected {len(said)} with {hashlib.sha256(said).hexdigest()}"
    )
    assert caught.value.hint == REPACK


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (b"\x01\x00\x0b\x00", "byte 0: expected a range of the 10 bytes of source 0, found 11 bytes at 0"),
        (b"\x01\x00\x01", "byte 3: expected a number, found the end"),
        (b"\x02\x00\x00", "byte 0: expected one of 0 encoders, found number 0"),
        (b"\x00x", "byte 1: expected the end of the program, found 1 bytes more"),
    ],
)
def test_a_program_that_is_none_is_refused(spool, program, message):
    with pytest.raises(DamagedFault) as caught:
        run(described(b"0", put(spool, (), b"0123456789", program=program)), spool)
    assert str(caught.value) == f"mirror/a.tar.gz: its recipe: {message}"
    assert caught.value.hint == REPACK


def test_too_many_bytes_stop_at_once(spool):
    steps = [Copy(0, 0, 1 << 20)] * 1000
    written, artifact = [], described(b"short", put(spool, steps, bytes(1 << 20)))
    with pytest.raises(DamagedFault, match="rebuilt as 262144 bytes with sha256 .*, expected 5 with "):
        rebuild(artifact, artifact.recipe, spool, write=written.append, check=lambda: None)
    assert len(written) == 1


BOMBS = {
    "zeros": [Encode(0), *[Copy(0, 0, 1 << 20)] * 5000, End()],
    "zeros in each other": [Encode(0), Encode(0), *[Copy(0, 0, 1 << 20)] * 5000, End(), End()],
    "streams of nothing": [Encode(0), End()] * 100_000,
    "streams of zeros": [Encode(0), *[Encode(0), Copy(0, 0, 1 << 20), End()] * 5000, End()],
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_for_encoders_stops_at_its_budget(spool, kind):
    """5000 MiB of zeros would take half a minute."""
    artifact = described(b"x" * 1000, put(spool, BOMBS[kind], bytes(1 << 20), encoders=["zlib-6-8"]))
    begun = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(DamagedFault) as caught:
            run(artifact, spool)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(caught.value) == (
        f"mirror/a.tar.gz: its recipe: expected at most {(1 << 20) + 1_100_000} bytes put into encoders, found more"
    )
    assert peak < 8 << 20
    assert time.process_time() - begun < 2


def test_what_shrinks_the_most_is_within_the_budget(spool):
    zeros = bytes(20 << 20)
    parts = gzip_of(zeros)
    artifact = described(joined(parts), recipe_of(spool, parts))
    assert len(joined(parts)) < len(zeros) / 1000
    assert run(artifact, spool) == joined(parts)


@pytest.mark.parametrize("singer", [Changed, Failing])
def test_a_native_encoder_that_drifted_beyond_the_canary_is_told_from_a_damaged_bundle(
    spool, singer, monkeypatch
):
    parts = gzip_of(TAR)
    artifact = described(joined(parts), recipe_of(spool, parts))
    installed(monkeypatch, singer)
    assert catalog.native("zlib-6-8")
    with pytest.raises(Differs):
        run(artifact, spool)
    assert run(artifact, spool, trust_native=False) == joined(parts)


@pytest.mark.parametrize(
    ("lack", "raised"),
    [(RuntimeError("can't start new thread"), Differs), (OSError(24, "Too many open files"), OSError)],
)
def test_a_native_encoder_that_cannot_begin_is_done_again_or_told(spool, monkeypatch, lack, raised):
    class Reluctant(Changed):
        made = 0

        def __init__(self, name):
            super().__init__(name)
            Reluctant.made += 1
            if Reluctant.made > 1:  # the first one sings the canary
                raise lack

    parts = gzip_of(TAR)
    artifact = described(joined(parts), recipe_of(spool, parts))
    installed(monkeypatch, Reluctant)
    with pytest.raises(raised):
        run(artifact, spool)


def test_a_lack_of_memory_is_no_difference(spool, monkeypatch):
    class Starving(Failing):
        def finish(self):
            if self._data != catalog.canary():
                raise MemoryError
            return super().finish()

    parts = gzip_of(TAR)
    artifact = described(joined(parts), recipe_of(spool, parts))
    installed(monkeypatch, Starving)
    with pytest.raises(MemoryError):
        run(artifact, spool)


def test_whoever_checks_may_stop_it(spool):
    class Enough(Exception):
        pass

    left = [1]

    def check():
        left[0] -= 1
        if not left[0]:
            raise Enough

    artifact = described(b"0" * 9, put(spool, [Copy(0, 0, 1)] * 9, b"0"))
    with pytest.raises(Enough):
        run(artifact, spool, check=check)


def test_encoders_without_a_shortcut_are_told_with_the_reason(spool, monkeypatch):
    parts = gzip_of(TAR)
    artifact = described(joined(parts), recipe_of(spool, parts))
    plain = Artifact(path="a", size=0, sha256=Digest.of(b""), role="uv", member="payload/a")
    assert slow_encoders([artifact, plain]) == {}
    monkeypatch.setattr(module.catalog, "why_not_native", lambda name: f"no {name} here")
    assert slow_encoders([artifact, plain]) == {"zlib-6-8": "no zlib-6-8 here"}
