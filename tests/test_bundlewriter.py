import io

import pytest
from bundles import HOST, PACKER, Packer, archive, make_bundle, make_document, small_content

from bundler.connected import bundlewriter
from bundler.connected.addsignature import add_signature
from bundler.connected.bundlewriter import (
    LEVELS,
    Ingredient,
    block_size_for,
    in_blocks,
    store_all,
    stored_blocks,
)
from bundler.core.digest import Digest
from bundler.core.index import BLOCK_SIZE, IDENTITY, SUMS_NAME, ZSTD
from bundler.core.platforms import Platform
from bundler.core.progress import Silent
from bundler.errors import DamagedFault, SourceFault, UsageFault
from bundler.offline.reader import BundleReader
from bundler.offline.verify import verify_bundle


def ingredient(file, content, **facts):
    file.write_bytes(content)
    return Ingredient(
        source=file, path=facts.get("path", f"uv/1/{HOST}/{file.name}"), size=len(content),
        sha256=facts.get("sha256", Digest.of(content)), role="uv",
    )  # fmt: skip


def stored(ingredients, tmp_path, level="fast"):
    spool = tmp_path / f"spool-{level}"
    spool.mkdir(exist_ok=True)
    return store_all(ingredients, level=level, spool=spool, progress=Silent())


def test_the_same_ingredients_give_the_same_bytes():
    assert make_bundle() == make_bundle()


def test_the_order_of_the_ingredients_does_not_matter():
    old, new = archive(small_content(1), version=(3, 12, 1)), archive(small_content(2))
    assert make_bundle(archives=[old, new]) == make_bundle(archives=[new, old])


def test_what_shrinks_is_compressed_and_what_does_not_is_stored_as_it_is(tmp_path):
    one = ingredient(tmp_path / "text", b"all work and no play " * 5000)
    other = ingredient(tmp_path / "noise", small_content(size=100_000))
    members = {item.member.path: item.member for item in stored([one, other], tmp_path)}
    assert members[f"payload/{one.path}.zst"].encoding == ZSTD
    assert members[f"payload/{other.path}"].encoding == IDENTITY
    assert members[f"payload/{other.path}"].size == 100_000


@pytest.mark.parametrize("level", sorted(LEVELS))
def test_every_level_comes_out_as_it_went_in(tmp_path, level):
    import zstandard

    content = b"".join(small_content(number % 7, 500) for number in range(900))
    one = ingredient(tmp_path / "a", content)
    file = next(item.file for item in stored([one], tmp_path, level) if item.member.path != SUMS_NAME)
    assert zstandard.ZstdDecompressor().decompress(file.read_bytes()) == content


def test_a_better_level_takes_fewer_bytes(tmp_path):
    content = b"".join(small_content(number * number % 97, 300) for number in range(3000))
    one = ingredient(tmp_path / "a", content)
    fast, best = (stored([one], tmp_path, level)[1].member.size for level in ("fast", "best"))
    assert best < fast


def test_an_empty_file_is_stored_too(tmp_path):
    one = ingredient(tmp_path / "empty", b"")
    member = stored([one], tmp_path)[1].member
    assert (member.size, member.blocks, member.encoding) == (0, (), IDENTITY)


def test_a_file_that_changed_since_it_was_fetched_is_not_packed(tmp_path):
    for content in (small_content(), b"compressible " * 500):
        one = ingredient(tmp_path / "a", content)
        one.source.write_bytes(content[:-1] + b"!")
        with pytest.raises(SourceFault) as caught:
            stored([one], tmp_path)
        assert f"expected sha256 {one.sha256} for {one.path}, found " in str(caught.value)


def test_a_file_that_grew_while_it_was_packed_is_not_packed(tmp_path):
    one = ingredient(tmp_path / "a", b"compressible " * 500)
    with one.source.open("ab") as stream:
        stream.write(b"more " * 500)
    with pytest.raises(SourceFault, match="expected sha256"):
        stored([one], tmp_path)


def test_a_file_that_changes_between_measuring_and_writing_ends_the_bundle(tmp_path):
    one = ingredient(tmp_path / "a", small_content())
    parts = stored([one], tmp_path)
    for changed in (small_content(9), small_content()[:-1], small_content() + b"!", b""):
        one.source.write_bytes(changed)
        with pytest.raises(DamagedFault, match="changed while it was packed"):
            list(stored_blocks(parts, block_size=BLOCK_SIZE))
    one.source.write_bytes(small_content())
    assert list(stored_blocks(parts, block_size=BLOCK_SIZE))[1:] == [small_content()]


def test_sums_name_every_member_but_themselves(tmp_path):
    ones = [ingredient(tmp_path / name, small_content(number)) for number, name in enumerate("ab")]
    first, *rest = stored(ones, tmp_path)
    assert first.member.path == SUMS_NAME
    assert first.file.read_text() == "".join(f"{item.member.sha256}  {item.member.path}\n" for item in rest)


def payload_of(data):
    reader = BundleReader(io.BytesIO(data), name="x")
    signed = reader.read_signed_index()
    return signed, data[reader.payload_offset :]


class Key(Packer):
    @property
    def public(self):
        return self.key


def test_a_second_signature_changes_neither_index_nor_payload(tmp_path):
    path = tmp_path / "q.uvb"
    before = make_bundle()
    path.write_bytes(before)
    path.chmod(0o640)
    second = Key(2, name="second@site")
    assert add_signature(path, second, progress=Silent()) == 2
    old, new = payload_of(before), payload_of(path.read_bytes())
    assert old[0].raw == new[0].raw
    assert new[0].signatures[0] == old[0].signatures[0]
    assert old[1] == new[1]
    assert path.stat().st_mode & 0o777 == 0o640
    for packer in (PACKER, second):
        with path.open("rb") as stream:
            assert (
                verify_bundle(stream, name="q", trust=packer.trust, progress=Silent()).signers[0].principal
                == packer.name
            )


def test_a_second_signature_is_all_that_changes_in_a_bundle_with_trust_documents(tmp_path):
    path, second = tmp_path / "q.uvb", Key(2, name="second@site")
    chain = (make_document(2), make_document(3))
    path.write_bytes(make_bundle(chain=chain))
    add_signature(path, second, progress=Silent())
    assert path.read_bytes() == make_bundle(chain=chain, packers=(PACKER, second))


def test_a_bundle_without_documents_and_end_has_the_bytes_that_it_always_had():
    """Its digest with uv-bundler 0.1.0, before either could be carried."""
    data = make_bundle(archives=[], uv_for=(), platforms=(Platform.parse("linux-x86_64-gnu"),))
    assert str(Digest.of(data)) == "8cbc6ff6bfcca01abf88dd953cb70cbc53f8cc8b149492d64684a8dde72d8a5d"


def test_the_same_key_does_not_sign_twice(tmp_path):
    path = tmp_path / "q.uvb"
    path.write_bytes(make_bundle())
    before = path.read_bytes()
    with pytest.raises(UsageFault, match="has signed it already, expected another key"):
        add_signature(path, Key(1), progress=Silent())
    assert path.read_bytes() == before


def test_a_damaged_bundle_is_not_signed_and_stays_as_it_is(tmp_path):
    path = tmp_path / "q.uvb"
    broken = bytearray(make_bundle())
    broken[-3000] ^= 1
    path.write_bytes(broken)
    with pytest.raises(DamagedFault):
        add_signature(path, Key(2), progress=Silent())
    assert path.read_bytes() == bytes(broken)
    assert [one.name for one in tmp_path.iterdir()] == ["q.uvb"]


def test_members_come_small_ones_first_so_that_a_reader_knows_early(tmp_path):
    assert bundlewriter.CHUNK == 1 << 20
    large = ingredient(tmp_path / "a-large", small_content(size=(1 << 20) + 1))
    small = ingredient(tmp_path / "z-small", small_content())
    names = [item.member.path for item in stored([large, small], tmp_path)]
    assert names == [SUMS_NAME, f"payload/{small.path}", f"payload/{large.path}"]


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (0, 1 << 16),
        (512 << 20, 1 << 16),
        ((512 << 20) + 1, 1 << 17),
        (1 << 30, 1 << 17),
        (4 << 30, 1 << 19),
        ((4 << 30) + 1, 1 << 20),
        (200 << 30, 1 << 20),
    ],
)
def test_a_small_bundle_has_small_blocks(total, expected):
    assert block_size_for(total) == expected


def test_blocks_of_another_size_are_those_of_the_same_bytes(tmp_path):
    content = small_content(3, size=200_000)
    (tmp_path / "a").write_bytes(content)
    one = Ingredient(
        path="bundle.lock", size=len(content), sha256=Digest.of(content), role="lock", source=tmp_path / "a"
    )
    stored = in_blocks(store_all([one], level="fast", spool=tmp_path, progress=Silent()), 1 << 16)
    member = stored[1].member
    assert list(member.blocks) == [Digest.of(content[at : at + 65536]) for at in range(0, 200_000, 65536)]
    assert member.sha256 == Digest.of(content)
    assert list(stored_blocks(stored, block_size=1 << 16))[1:] == [
        content[at : at + 65536] for at in range(0, 200_000, 65536)
    ]
