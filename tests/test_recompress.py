"""Archives and programs recompressed: they come back byte for byte, and what they share is stored once."""

import hashlib
import os

import pytest
import smallpythons
from comeback import check, decoded, indexed, packed, uv
from smallpythons import LINUX, MACOS, WINDOWS, gzipped, ingredient, python, tar, tree

from bundler.connected import recompress as module
from bundler.deflate import catalog


@pytest.fixture
def box(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


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


def test_stored_bytes_are_counted_once(box, tmp_path):
    wanted = [python(box, "3.13.5"), python(box, "3.13.15"), uv(box)]
    made = packed(wanted, tmp_path)
    total = sum(one.member.size for one in made.stored)
    assert abs(sum(one.stored for one in made.shares.values()) - total) <= len(wanted)
    first, second = (made.shares[one.path].stored for one in wanted[:2])
    assert second < first


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
