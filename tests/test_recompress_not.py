"""What is not recompressed: no encoder is known, it does not prove, or a limit is in its way."""

import struct
import zlib

import pytest
import smallpythons
import zstandard
from comeback import check, packed, uv
from smallpythons import WINDOWS, gzipped, ingredient, python, tar, tree

from bundler.connected import recipes
from bundler.connected import recompress as module
from bundler.connected.bundlewriter import store_plain
from bundler.connected.pieces import Body
from bundler.core.names import portable_path
from bundler.core.progress import Silent
from bundler.deflate import catalog
from bundler.errors import SourceFault
from bundler.offline import rebuild

AS_THEY_ARE = {
    "not gzip": (b"any bytes", "not gzip that can be inflated"),
    "zstd": (zstandard.ZstdCompressor().compress(b"x" * 500), "zstd, whose encoder changes with its library"),
    "bzip2": (b"BZh91AY&SY", "bzip2, whose encoder changes with its library"),
    "no zip": (b"PK\3\4 no zip", "no zip file that zlib has written"),
    "nobody's deflate": (gzipped(tar(tree("3.13.5")))[:60] + b"\0" * 90, "not gzip that can be inflated"),
    "empty": (b"", "no content"),
}


@pytest.fixture
def box(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.mark.parametrize(("content", "reason"), AS_THEY_ARE.values(), ids=AS_THEY_ARE)
def test_what_has_no_recipe_is_left_as_it_is_with_the_reason(box, tmp_path, content, reason):
    wanted = [ingredient(box, content), python(box, "3.12.1")]
    made = packed(wanted, tmp_path)
    assert check(made, wanted) == {wanted[1].path}
    assert made.shares[wanted[0].path].how == f"as it is: {reason}"
    assert made.recognised.endswith("; 1 of 2 carried as they are")


def test_an_encoder_that_nobody_knows_leaves_the_archive_as_it_is(box, tmp_path):
    data = tar(tree("3.13.5"))
    state = smallpythons.zlib.compressobj(6, smallpythons.zlib.DEFLATED, -15, 4)
    body = state.compress(data) + state.flush()
    wanted = [ingredient(box, gzipped(b"")[:10] + body + bytes(8))]
    made = packed(wanted, tmp_path)
    assert check(made, wanted) == set()
    assert made.shares[wanted[0].path].how == "as it is: encoder not recognised"
    assert made.stored == ()


def test_a_windows_host_gets_no_recipe_that_would_take_it_minutes(box, tmp_path):
    for encoder, done in [("medium-17", False), ("miniz-6", True), ("zlib-6-8", True)]:
        if catalog.native(encoder) is None:
            continue
        wanted = [python(box, platform=WINDOWS, encoder=encoder)]
        made = packed(wanted, tmp_path)
        assert bool(check(made, wanted)) == done
        assert done or "for which Windows has no fast encoder" in made.shares[wanted[0].path].how


def test_a_guess_that_does_not_prove_is_followed_by_others_and_then_by_none(box, tmp_path, monkeypatch):
    wanted = [python(box, "3.13.5"), python(box, "3.12.1"), uv(box)]
    prove, refused = module.encodes, []

    def strict(cut, advance):
        for part in cut.parts:
            if "3.13.5" in cut.ingredient.path and isinstance(part, Body):
                refused.append(part.encoder)
                return False
        return prove(cut, advance)

    monkeypatch.setattr(module, "encodes", strict)
    made = packed(wanted, tmp_path)
    assert check(made, wanted) == {one.path for one in wanted[1:]}
    assert refused[0] == "zlib-6-8"
    assert len(refused) == len(set(refused))
    assert made.shares[wanted[0].path].how == "as it is: encoder not recognised"


def test_an_archive_that_fits_many_encoders_at_first_costs_few_attempts(box, tmp_path):
    """Every attempt is one at the whole bundle: a hostile archive would have it made twenty times."""
    begin, rest = bytes(2 << 20), smallpythons.text("rest", 400_000)
    state = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = state.compress(begin) + state.flush(zlib.Z_SYNC_FLUSH) + state.compress(rest) + state.flush()
    sums = struct.pack("<II", zlib.crc32(begin + rest), len(begin + rest))
    wanted = [ingredient(box, b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + body + sums), uv(box)]
    made = packed(wanted, tmp_path)
    assert check(made, wanted) == {wanted[1].path}
    assert made.shares[wanted[0].path].how == "as it is: encoder not recognised"
    spool = tmp_path / "spool-1"
    assert len(list(spool.glob("cut-*-nested"))) <= 3
    assert len(list(spool.glob("streams-*"))) == 1


def test_beginning_an_encoder_counts_as_hosts_count_it(box, tmp_path, monkeypatch):
    assert recipes._PER_STREAM == rebuild._PER_STREAM
    content = smallpythons.text("x", 3000)
    wanted = [ingredient(box, gzipped(content))]
    least = len(content) + recipes._PER_STREAM - 1100 * wanted[0].size
    monkeypatch.setattr(recipes, "_FREE", least - 1)
    assert check(packed(wanted, tmp_path), wanted) == set()
    monkeypatch.setattr(recipes, "_FREE", least)
    assert check(packed(wanted, tmp_path), wanted) == {wanted[0].path}


def test_a_program_that_yields_other_bytes_is_not_used(box, tmp_path, monkeypatch):
    """A stream that does not hold what the layout says would be a bundle that no host can unpack."""
    wanted = [python(box, "3.13.5"), uv(box)]
    write = module.Layout.write

    def wrong(self, folder):
        streams = write(self, folder)
        for one in streams:
            if one.path.endswith("text.tar.zst"):
                data = bytearray(one.file.read_bytes())
                data[600] ^= 1
                one.file.write_bytes(bytes(data))
        return streams

    monkeypatch.setattr(module.Layout, "write", wrong)
    made = packed(wanted, tmp_path)
    assert check(made, wanted) == {wanted[1].path}


@pytest.mark.parametrize("of", [python, uv])
def test_a_file_that_changed_since_it_was_fetched_is_left_to_who_stores_it_and_refused(box, tmp_path, of):
    one = of(box)
    content = bytearray(one.source.read_bytes())
    content[-3] ^= 1  # in the trailer of the archive, so that it still inflates
    one.source.write_bytes(bytes(content))
    made = packed([one], tmp_path)
    assert [left.path for left in made.left] == [one.path]
    with pytest.raises(SourceFault, match="expected sha256"):
        store_plain(made.left, level="fast", spool=tmp_path, progress=Silent())


def test_a_recipe_beyond_a_limit_of_the_format_is_not_used(box, tmp_path, monkeypatch):
    wanted = [python(box), uv(box)]
    monkeypatch.setattr(recipes, "MAX_ENCODED", 1)
    monkeypatch.setattr(recipes, "_FREE", 0)
    made = packed(wanted, tmp_path)
    assert check(made, wanted) == {wanted[1].path}
    assert made.shares[wanted[0].path].how == "as it is: its recipe would break a limit of the format"


def test_nothing_to_recompress_is_nothing(box, tmp_path):
    made = packed(
        [ingredient(box, b"{}", role="metadata", path=portable_path("download-metadata.json"))], tmp_path
    )
    assert (made.stored, made.artifacts, len(made.left)) == ((), (), 1)
