"""Deltas that their packer made odd or wrong: odd ones unpack, wrong ones are refused and change nothing."""

import time

import pytest
from bundles import HOST, tree, unpack_bytes
from deflatedparts import OLD_TAR, Taken, gzip_of, joined, with_wheel
from heldbundles import OLD, WHEEL, archives, base, delta
from oneway import OneWay, verified
from recompressed import TEXT, Box, delta_box, full_box, sha

from bundler.errors import DamagedFault
from bundler.offline import streams


@pytest.fixture
def prefix(tmp_path):
    return tmp_path / "p"


def test_an_artifact_that_is_held_and_carried_under_two_names_is_no_accident(prefix):
    unpack_bytes(base(), prefix)
    box = Box(serial=8)
    box.builds_on(base(), WHEEL, with_content=False)
    box.archive(gzip_of(*with_wheel(OLD_TAR)), version=(3, 12, 1), how="held")
    path = f"uv/0.13.8/{HOST}/uv"
    box.blob(path, WHEEL, role="uv", platform=str(HOST))
    box.facts["uv"] = []
    unpack_bytes(box.seal(), prefix)
    assert (prefix / "current" / path).read_bytes() == WHEEL
    assert archives(prefix) == {WHEEL}


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"content": len(OLD_TAR) - 1}, f"expected {len(OLD_TAR) - 1} bytes of content in it"),
        ({"content": len(OLD_TAR) + 1}, f"expected {len(OLD_TAR) + 1} bytes of content in it"),
    ],
)
def test_a_held_artifact_with_another_content_than_the_index_says_is_the_packers_fault(prefix, held, message):
    unpack_bytes(base(), prefix)
    before = tree(prefix)
    box = delta_box(base())
    box.prefixes = {}
    with pytest.raises(DamagedFault) as caught:
        unpack_bytes(box.seal(bend=lambda document: document["held"][0].update(held)), prefix)
    assert str(caught.value) == f"{sha(OLD)}: {message}"
    assert tree(prefix) == before


def test_a_held_file_that_is_no_gzip_is_the_packers_fault_too(prefix):
    box = Box()
    data = box.archive((b"no gzip at all, and long enough",), how="plain")
    first = box.programs_of_uv().seal()
    unpack_bytes(first, prefix)
    following = Box(serial=8)
    following.builds_on(first, data)
    following.archive((Taken(sha(data), 3, data[3:9]),), version=(3, 13, 6))
    plain = following.programs_of_uv()
    lying = plain.seal(bend=lambda document: document["held"][0].update(inflate=True))
    with pytest.raises(DamagedFault) as caught:
        unpack_bytes(lying, prefix)
    assert str(caught.value) == f"{sha(data)}: expected {len(data)} bytes of content in it"
    unpack_bytes(plain.seal(), prefix)
    assert archives(prefix) == {data[3:9]}


def test_a_base_of_many_empty_gzip_members_takes_no_longer_than_others():
    members = joined(gzip_of()) * 200_000
    begun = time.process_time()
    assert b"".join(streams._inflated(iter([members]), 0)) == b""
    assert time.process_time() - begun < 8  # copying the rest of the chunk behind each takes a minute


def test_a_base_of_several_gzip_members_is_inflated_whole(prefix):
    members = joined(gzip_of(b"first " * 99)) + joined(gzip_of()) + joined(gzip_of(b"second " * 99))
    content = b"first " * 99 + b"second " * 99
    box = Box()
    box.archive((members,), how="plain")
    first = box.programs_of_uv().seal()
    unpack_bytes(first, prefix)
    following = Box(serial=8)
    following.builds_on(first)
    following.held.append(
        {"sha256": sha(members), "size": len(members), "base": [0], "content": len(content), "inflate": True}
    )
    following.contents[sha(members)] = content
    following.builds_on(first)
    following.archive((Taken(sha(members), 590, content[590:700]),), version=(3, 13, 6))
    unpack_bytes(following.programs_of_uv().seal(), prefix)
    assert archives(prefix) == {content[590:700]}


def test_a_prefix_other_than_the_packers_is_no_fault_that_stays_unseen(prefix):
    """Ranges in another order: the frame has a checksum, and what is rebuilt has a digest."""
    unpack_bytes(base(), prefix)
    before = tree(prefix)
    box = delta_box(base())
    with pytest.raises(DamagedFault):
        unpack_bytes(box.seal(bend=lambda document: document["members"][2]["prefix"].reverse()), prefix)
    assert tree(prefix) == before


def test_an_earlier_member_may_be_the_prefix_of_a_later_one(prefix):
    box = full_box()
    box.prefixes[TEXT.format(HOST)] = [{"source": f"payload/{HOST}/recipes.zst", "offset": 1, "length": 40}]
    unpack_bytes(box.seal(), prefix)
    assert archives(prefix) == {OLD, WHEEL}


def test_a_program_may_copy_from_what_is_held_alone(prefix):
    unpack_bytes(base(), prefix)
    box = Box(serial=8)
    box.builds_on(base(), OLD, inflate=True)
    data = box.archive(gzip_of(Taken(sha(OLD), 0, OLD_TAR))[1:2], version=(3, 13, 6))
    unpack_bytes(box.programs_of_uv().seal(), prefix)
    assert archives(prefix) == {data}


def test_verify_needs_no_base():
    """It checks what is stored: everything else shows when it is unpacked."""
    index = verified(delta()).index
    assert index.requires == ["base", "recompressed"]
    assert verified(delta(), stream=OneWay).index == index


def test_every_flipped_byte_of_a_stored_delta_is_refused_by_verify():
    data = delta()
    begin = data.index(b"SHA256SUMS" + bytes(90))
    for at in range(begin, len(data), 41):
        broken = bytearray(data)
        broken[at] ^= 1
        with pytest.raises(DamagedFault):
            verified(bytes(broken))
