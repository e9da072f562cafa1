"""The two encoders of zlib-ng's medium level write the archives that upstream published."""

import gzip
import threading

import pytest
from conftest import SHARED
from mediummade import encoded, needs_wheel

from bundler.deflate.medium import MediumEncoder
from bundler.deflate.nativeng import NativeMediumEncoder

ARCHIVES = [
    SHARED / "archives" / f"cpython-{version}-x86_64-linux-install_only_stripped.tar.gz"
    for version in ("3.11.2", "3.13.5lto", "3.13.15lto")
]


def archive(path):
    """Return the tar in an archive, and the deflate stream that it is in."""
    if not path.exists():
        pytest.skip(f"needs ../shared/archives/{path.name}, which is not here")
    stored = path.read_bytes()
    return gzip.decompress(stored), stored[10:-8]


def test_the_reference_writes_the_begin_of_a_real_archive():
    content, stream = archive(ARCHIVES[0])
    encoder = MediumEncoder(max_lazy=17)
    out = encoder.feed(content[: 1 << 20])
    assert len(out) > 100_000
    assert stream.startswith(out)


@needs_wheel
def test_zlib_ng_rebuilds_a_real_archive():
    content, stream = archive(ARCHIVES[0])
    assert encoded(NativeMediumEncoder(max_lazy=17), content) == stream


@pytest.mark.slow
@needs_wheel
def test_zlib_ng_rebuilds_every_real_archive_two_at_once():
    content = [archive(path) for path in ARCHIVES]
    results = {}

    def encode(at):
        results[at] = encoded(NativeMediumEncoder(max_lazy=17), content[at][0]) == content[at][1]

    threads = [threading.Thread(target=encode, args=(at,)) for at in range(len(content))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == dict.fromkeys(range(len(content)), True)


@pytest.mark.slow
@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.name[:16])
def test_the_reference_rebuilds_a_whole_real_archive(path):
    content, stream = archive(path)
    assert encoded(MediumEncoder(max_lazy=17), content) == stream
