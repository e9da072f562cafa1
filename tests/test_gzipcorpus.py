"""Whatever gzip or zip a packer meets is recompressed and comes back bit for bit, or is carried as it is."""

from __future__ import annotations

import gzip
import hashlib
import sys
import zlib

import gzipcorpus
import oddgzips
import pytest
import zipcorpus
from bundles import HOST, PACKER, archive, unpack_bytes
from conftest import SHARED
from gzipcorpus import ALWAYS, AS_IT_IS, FAMILIES, RECOMPRESSED, definite, framed
from ownbuild_fixture import host_build
from recompressing import come_back, there_and_back

from bundler.connected.bundlewriter import Ingredient
from bundler.connected.encodersearch import PROBE
from bundler.connected.labels import label, packing_time
from bundler.connected.packing import pack
from bundler.core.digest import Digest
from bundler.core.metadata import dump_rows
from bundler.core.progress import Silent
from bundler.core.uvnames import cache_name, mirror_path
from bundler.deflate import catalog

SMALL_TAR = gzipcorpus.python_tar(24_000)
ODD = {
    "headers": (lambda: oddgzips.headers(SMALL_TAR), 18),
    "members": (lambda: oddgzips.members(SMALL_TAR), 9),
    "ends": (lambda: oddgzips.ends(SMALL_TAR), 17),
    "damaged": (lambda: oddgzips.damaged(SMALL_TAR, count=20), 20),
    "other forms": (lambda: oddgzips.other_forms(SMALL_TAR), 8),
    "zip files": (zipcorpus.good, 24),
    "zip files that lie": (zipcorpus.bad, 65),
}


def check(family, folder, *, small):
    """Send the family's settings on every content there and back; few of them, and little content, if `small`."""
    one = FAMILIES[family]
    writers = {
        name: write for name, write in one.settings() if not small or one.few is None or name in one.few
    }
    assert len(writers) >= len(one.few or "x") if small else writers
    contents = {
        name: data for name, data in gzipcorpus.contents(small=small).items() if len(data) <= one.most
    }
    files = {
        (setting, name): write(data) for setting, write in writers.items() for name, data in contents.items()
    }
    for (_, name), data in files.items():
        assert gzip.decompress(data) == contents[name]  # the corpus is what it says
    for (setting, name), outcome in there_and_back(files, folder).items():
        expected = definite(family, setting, small=small) if name == "tar" else None
        found = RECOMPRESSED if outcome.recompressed else AS_IT_IS
        assert (setting, name, found) == (setting, name, expected or found), outcome


def skip_where_missing(family):
    if why := FAMILIES[family].missing():
        pytest.skip(f"{family}: {why}")


def test_the_corpus_has_what_the_requirements_install():
    if sys.platform == "win32" or catalog.why_not_native("zlib-6-8"):
        pytest.skip("this Python's zlib, or its zlib-ng, hides what the corpus is written with")
    assert {name: FAMILIES[name].missing() for name in ALWAYS} == dict.fromkeys(ALWAYS)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_an_encoder_writes_comes_back(family, tmp_path):
    skip_where_missing(family)
    check(family, tmp_path, small=True)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_much_of_what_an_encoder_writes_comes_back(family, tmp_path):
    skip_where_missing(family)
    assert len(gzipcorpus.contents()["zeros"]) > 1 << 20
    check(family, tmp_path, small=False)


@pytest.mark.parametrize(("cases", "least"), ODD.values(), ids=ODD)
def test_odd_files_come_back(cases, least, tmp_path):
    cases = list(cases())
    files = {name: data for name, data, _ in cases}
    assert len(files) == len(cases) >= least
    for name, outcome in there_and_back(files, tmp_path).items():
        expected = next(one[2] for one in cases if one[0] == name)
        found = RECOMPRESSED if outcome.recompressed else AS_IT_IS
        assert (name, found) == (name, expected or found), outcome


@pytest.mark.parametrize("cases", [zipcorpus.good, zipcorpus.bad], ids=["good", "bad"])
def test_zip_files_in_an_archive_come_back(cases, tmp_path):
    files = {
        name: oddgzips.encoded(
            "zlib-6-8", gzipcorpus.tar_of(**{"lib/a.whl": data, "lib/b.py": b"import a\n"})
        )
        for name, data, _ in cases()
    }
    outcomes = there_and_back(files, tmp_path)
    assert all(one.recompressed for one in outcomes.values())


BEYOND_THE_PROBE = b"".join(b"%d green bottles\n" % number for number in range(PROBE // 18))


def test_what_differs_behind_the_probe_is_carried_as_it_is():
    assert len(BEYOND_THE_PROBE) > PROBE + 50_000
    state = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = (
        state.compress(BEYOND_THE_PROBE)
        + state.flush(zlib.Z_SYNC_FLUSH)
        + state.compress(SMALL_TAR)
        + state.flush()
    )
    outcome = come_back(framed(body, BEYOND_THE_PROBE + SMALL_TAR))
    assert not outcome.recompressed


def test_an_encoder_that_is_told_apart_only_behind_the_probe_is_found():
    content = bytes(PROBE + 5000) + SMALL_TAR
    for name in ("zlib-6-8", "zlib-7-8", "miniz-6"):
        assert come_back(oddgzips.encoded(name, content)).encoders == (name,)


def test_gzip_and_zip_behind_each_other_come_back():
    whole = oddgzips.encoded("miniz-6", SMALL_TAR)
    assert come_back(whole + zipcorpus.zipped()).encoders == ("miniz-6",)
    assert come_back(zipcorpus.zipped() + whole).encoders == ("zlib-6-8",)


@pytest.mark.parametrize("name", ["zlib-6-8", "zlib-1-9", "miniz-6", "medium-17"])
def test_pure_python_gives_the_same_bytes_back(name, tmp_path):
    content = gzipcorpus.python_tar(25_000)
    outcome = there_and_back({name: oddgzips.encoded(name, content)}, tmp_path, reference=True)[name]
    assert outcome.encoders == (name,)


@pytest.mark.slow
@pytest.mark.parametrize("name", catalog.NAMES)
def test_pure_python_gives_more_back(name, tmp_path):
    content = gzipcorpus.python_tar(400_000)
    outcome = there_and_back({name: oddgzips.encoded(name, content)}, tmp_path, reference=True)[name]
    assert outcome.recompressed


@pytest.mark.slow
def test_a_bundle_of_odd_files_is_unpacked(tmp_path):
    """Signed, with rows of metadata as they are for real archives: each becomes an archive of a minor of its own."""
    cases = [data for make, _ in ODD.values() for _, data, _ in make() if data]
    rows = [archive(data, version=(3, 20, number))[1] for number, data in enumerate(dict.fromkeys(cases))]
    ingredients = []
    for number, (data, row) in enumerate(zip(dict.fromkeys(cases), rows, strict=True)):
        (tmp_path / f"in-{number}").write_bytes(data)
        ingredients.append(
            Ingredient(
                path=mirror_path(row.url),
                role="archive",
                platform=row.platform,
                key=row.key,
                size=len(data),
                sha256=row.sha256,
                links=(f"python-cache/{cache_name(row.url, row.sha256)}",),
                source=tmp_path / f"in-{number}",
            )
        )
    listed = dump_rows(rows)
    (tmp_path / "rows").write_bytes(listed)
    ingredients.append(
        Ingredient(
            path="download-metadata.json",
            role="metadata",
            size=len(listed),
            sha256=Digest.of(listed),
            source=tmp_path / "rows",
        )
    )
    marked = label(
        name="plant-7", release="odd", serial=7, valid_days=None, uv=(), platforms=(HOST,), now=packing_time()
    )
    made = pack(
        ingredients, marked=marked, output=tmp_path / "odd.uvb", key=PACKER, level="fast", scratch=tmp_path,
        progress=Silent(),
    )  # fmt: skip
    assert sum(one.recipe is not None for one in made.index.artifacts) > 80
    unpack_bytes((tmp_path / "odd.uvb").read_bytes(), tmp_path / "prefix")
    current = tmp_path / "prefix" / "current"
    for one in ingredients:
        assert (current / one.path).read_bytes() == one.source.read_bytes()


@pytest.mark.slow
def test_an_own_build_is_recognised_and_comes_back():
    own = host_build()
    assert come_back(own.path.read_bytes()).encoders[0] == "zlib-6-8"


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.11.2", "3.12.1-miniz", "3.13.5lto", "3.13.15lto"])
def test_upstream_archives_come_back(version):
    path = SHARED / "archives" / f"cpython-{version}-x86_64-linux-install_only_stripped.tar.gz"
    if not path.is_file():
        pytest.skip(f"needs {path.parent.parent.name}/{path.parent.name}/{path.name}, which is not here")
    data = path.read_bytes()
    outcome = come_back(data)
    assert outcome.encoders[0] == ("miniz-6" if "miniz" in version else "medium-17")
    assert hashlib.sha256(data).hexdigest() in (path.parent / "SHA256SUMS").read_text()
