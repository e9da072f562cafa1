import hashlib
import io
import os
import struct
import zlib

import pytest
import smallpythons
import zstandard
from smallpythons import LINUX, MACOS, WINDOWS, gzipped, ingredient, python, tar, tree

from bundler.connected import recipes
from bundler.connected import recompress as module
from bundler.connected.bundlewriter import store_plain, with_sums
from bundler.connected.pieces import Body
from bundler.connected.recompress import recompress
from bundler.core.digest import Digest
from bundler.core.index import Index, parse_index
from bundler.core.metadata import dump_rows
from bundler.core.names import portable_path
from bundler.core.program import Copy, Encode, parse_program
from bundler.core.progress import Silent
from bundler.deflate import catalog
from bundler.errors import SourceFault
from bundler.offline import rebuild


@pytest.fixture
def box(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def packed(ingredients, tmp_path, level="fast"):
    spool = tmp_path / f"spool-{len(list(tmp_path.iterdir()))}"
    spool.mkdir()
    return recompress(ingredients, level=level, spool=spool, progress=Silent())


def decoded(made):
    """Return what each member decodes to, by its path."""
    contents = {}
    for one in made.stored:
        contents[one.member.path] = zstandard.ZstdDecompressor().decompress(one.file.read_bytes())
        assert len(contents[one.member.path]) == one.member.content
    return contents


def rebuilt(artifact, contents):
    """Run an artifact's program, as a host would, with nothing of the packer."""
    recipe = artifact.recipe
    program = contents[recipe.member][recipe.offset : recipe.offset + recipe.length]
    sources = [contents[source] for source in recipe.sources]
    open_ = [(None, io.BytesIO())]
    for step in parse_program(program, sources=[len(one) for one in sources], encoders=len(recipe.encoders)):
        if isinstance(step, Copy):
            open_[-1][1].write(sources[step.source][step.offset : step.offset + step.length])
        elif isinstance(step, Encode):
            open_.append((recipe.encoders[step.encoder], io.BytesIO()))
        else:
            name, content = open_.pop()
            encoder = catalog.native(name) or catalog.reference(name)
            open_[-1][1].write(encoder.feed(content.getvalue()) + encoder.finish())
    return open_[0][1].getvalue()


def check(made, ingredients):
    """Every ingredient comes back, or is left over; return the paths of those that were recompressed."""
    contents = decoded(made)
    for artifact in made.artifacts:
        assert Digest.of(rebuilt(artifact, contents)) == artifact.sha256
    left = {one.path for one in made.left}
    done = {one.path for one in made.artifacts}
    assert not left & done
    assert left | done == {one.path for one in ingredients}
    assert set(made.shares) == {one.path for one in ingredients if one.role in ("archive", "uv")}
    return done


def indexed(made, tmp_path):
    """Return the index of a bundle with what was made, as a reader takes it."""
    listing = tmp_path / "rows"
    listing.write_bytes(dump_rows([]))
    extra = ingredient(tmp_path, dump_rows([]), path="download-metadata.json", role="metadata", platform=None)
    plain = store_plain([*made.left, extra], level="fast", spool=tmp_path, progress=Silent())
    stored = with_sums([*plain, *made.stored], tmp_path)
    index = Index(
        name="plant-7", release="x", serial=1, created="2026-11-20T00:00:00Z", tool="t", uv=(), platforms=(LINUX,),
        artifacts=(*(one.artifact for one in stored if one.artifact), *made.artifacts),
        members=tuple(one.member for one in stored),
    )  # fmt: skip
    return parse_index(index.to_bytes())


def uv(box, platform=LINUX, content=None):
    content = smallpythons.code(f"uv {platform}") if content is None else content
    path = f"uv/0.13.8/{platform}/uv"
    return ingredient(box, content, path=path, role="uv", platform=platform, executable=True, uv="0.13.8")


@pytest.mark.parametrize("level", ["fast", "default", "best"])
def test_archives_and_programs_come_back_byte_for_byte(box, tmp_path, level):
    wanted = [python(box, "3.13.5"), python(box, "3.13.15"), python(box, "3.12.1"), uv(box)]
    made = packed(wanted, tmp_path, level)
    assert len(check(made, wanted)) == 4
    assert {one.member.path for one in made.stored} == {
        f"payload/linux-x86_64-gnu/{name}"
        for name in ("recipes.zst", "text.tar.zst", "code.tar.zst", "uv.tar.zst")
    }
    index = indexed(made, tmp_path)
    assert index.requires == ["recompressed"]


@pytest.mark.parametrize("encoder", ["medium-17", "medium-16", "miniz-6", "zlib-9-8", "zlib-1-8"])
def test_every_encoder_is_recognised_and_said(box, tmp_path, encoder):
    if catalog.native(encoder) is None:
        pytest.skip(f"{encoder}: {catalog.why_not_native(encoder)}")
    wanted = [ingredient(box, gzipped(tar(tree("3.13.5")) + smallpythons.text("more", 200_000), encoder))]
    made = packed(wanted, tmp_path)
    assert check(made, wanted)
    how = made.shares[wanted[0].path].how
    assert how.startswith("recompressed (")
    recipe = made.artifacts[0].recipe
    assert recipe.encoders[0] == encoder or encoder == "medium-16"  # on little content both write the same
    assert (
        made.recognised == f"recognised: {catalog.title(recipe.encoders[0])} (1); 0 of 1 carried as they are"
    )


def test_the_same_ingredients_give_the_same_bytes_in_any_order_on_any_number_of_cores(
    box, tmp_path, monkeypatch
):
    wanted = [python(box, "3.13.5"), python(box, "3.13.15"), python(box, "3.13.5", platform=MACOS), uv(box)]
    one = packed(wanted, tmp_path)
    monkeypatch.setattr(module.os, "cpu_count", lambda: 1)
    other = packed(wanted[::-1], tmp_path)
    assert one.artifacts == other.artifacts
    assert [item.member for item in one.stored] == [item.member for item in other.stored]
    assert [item.file.read_bytes() for item in one.stored] == [
        item.file.read_bytes() for item in other.stored
    ]


def test_what_two_platforms_have_is_in_common_and_what_one_has_is_not(box, tmp_path):
    wanted = [
        python(box, "3.13.5"),
        python(box, "3.13.5", platform=MACOS, magic=b"\xcf\xfa\xed\xfe"),
        uv(box),
    ]
    made = packed(wanted, tmp_path)
    assert len(check(made, wanted)) == 3
    contents = decoded(made)
    linux, macos, common = (
        b"".join(content for path, content in contents.items() if path.startswith(f"payload/{group}/"))
        for group in (LINUX, MACOS, "common")
    )
    for content, where in [
        (smallpythons.text("os"), (False, False, True)), (smallpythons.code("t64", b"MZ"), (False, False, True)),
        (smallpythons.code("3.13"), (True, False, False)), (smallpythons.code("3.13", b"\xcf\xfa\xed\xfe"), (False, True, False)),
    ]:  # fmt: skip
        assert tuple(content in group for group in (linux, macos, common)) == where
    for artifact in made.artifacts:
        groups = {source.split("/")[1] for source in artifact.recipe.sources}
        assert groups <= {"common", str(artifact.platform)}
    assert [one.member.path.split("/")[1] for one in made.stored] == sorted(
        (one.member.path.split("/")[1] for one in made.stored), key=lambda group: (group != "common", group)
    )


def test_every_content_is_stored_once(box, tmp_path):
    wanted = [python(box, "3.13.5"), python(box, "3.13.15")]
    contents = b"".join(decoded(packed(wanted, tmp_path)).values())
    for content in (smallpythons.text("os"), smallpythons.text("pip"), smallpythons.text("deep")):
        assert contents.count(content) == 1


def test_a_stream_of_links_alone_still_serves_a_recipe(box, tmp_path):
    """An index has no member that no artifact comes out of, and all content of this group is in `common`."""
    entries = [("a.py", smallpythons.text("a"), {}), ("b.py", b"", {})]
    wanted = [
        ingredient(box, gzipped(tar(entries)), platform=platform, name=f"x-{platform}.tar.gz")
        for platform in (LINUX, MACOS)
    ]
    made = packed(wanted, tmp_path)
    assert len(check(made, wanted)) == 2
    indexed(made, tmp_path)


AS_THEY_ARE = {
    "not gzip": (b"any bytes", "not gzip that can be inflated"),
    "zstd": (zstandard.ZstdCompressor().compress(b"x" * 500), "zstd, whose encoder changes with its library"),
    "bzip2": (b"BZh91AY&SY", "bzip2, whose encoder changes with its library"),
    "no zip": (b"PK\3\4 no zip", "no zip file that zlib has written"),
    "nobody's deflate": (gzipped(tar(tree("3.13.5")))[:60] + b"\0" * 90, "not gzip that can be inflated"),
    "empty": (b"", "no content"),
}


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


@pytest.mark.parametrize("around", [b"", b"garbage", bytes(70_000), gzipped(b"another member")])
def test_several_members_and_garbage_behind_them_come_back(box, tmp_path, around):
    wanted = [
        ingredient(box, gzipped(tar(tree("3.13.5"))) + gzipped(tar(tree("3.12.1")), "zlib-9-8") + around)
    ]
    assert check(packed(wanted, tmp_path), wanted)


def test_a_zip_file_as_windows_downloads_are_comes_back(box, tmp_path):
    wanted = [ingredient(box, smallpythons.wheel("1"), name="pypy3.11-v7-win64.zip", platform=WINDOWS)]
    made = packed(wanted, tmp_path)
    assert check(made, wanted)
    assert made.artifacts[0].recipe.encoders == ("zlib-6-8",)
    assert smallpythons.text("pip") in b"".join(decoded(made).values())


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


def test_stored_bytes_are_counted_once(box, tmp_path):
    wanted = [python(box, "3.13.5"), python(box, "3.13.15"), uv(box)]
    made = packed(wanted, tmp_path)
    total = sum(one.member.size for one in made.stored)
    assert abs(sum(one.stored for one in made.shares.values()) - total) <= len(wanted)
    first, second = (made.shares[one.path].stored for one in wanted[:2])
    assert second < first


def test_nothing_to_recompress_is_nothing(box, tmp_path):
    made = packed(
        [ingredient(box, b"{}", role="metadata", path=portable_path("download-metadata.json"))], tmp_path
    )
    assert (made.stored, made.artifacts, len(made.left)) == ((), (), 1)


def test_the_digests_of_a_member_are_those_of_its_bytes(box, tmp_path):
    for one in packed([python(box)], tmp_path).stored:
        data = one.file.read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (one.member.size, one.member.sha256.hex)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_more_archives_than_descriptors_are_packed(box, tmp_path):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/dev/fd"))
    wanted = [python(box, f"3.13.{number}") for number in range(30)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 40, before[1]))
    try:
        assert len(check(packed(wanted, tmp_path), wanted)) == 30
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
