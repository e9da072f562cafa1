import copy
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.core.digest import Digest
from bundler.core.fault import Fault
from bundler.core.index import Artifact, Index, Member, parse_index
from bundler.core.platforms import Platform

LINUX = Platform.parse("linux-x86_64-gnu")


def small_index():
    sums = Member(
        path="SHA256SUMS", size=3, sha256=Digest.of(b"sum"), encoding="identity", blocks=(Digest.of(b"sum"),)
    )
    archive = Member(
        path="payload/mirror/1/a.tar.gz", size=4, sha256=Digest.of(b"gzip"), encoding="identity",
        blocks=(Digest.of(b"gzip"),),
    )  # fmt: skip
    uv = Member(
        path="payload/uv/0.13.8/linux-x86_64-gnu/uv.zst", size=2, sha256=Digest.of(b"zs"), encoding="zstd",
        blocks=(Digest.of(b"zs"),),
    )  # fmt: skip
    rows = Member(
        path="payload/download-metadata.json", size=2, sha256=Digest.of(b"{}"), encoding="identity",
        blocks=(Digest.of(b"{}"),),
    )  # fmt: skip
    return Index(
        name="plant-7", release="2026Q4", serial=7, created="2026-11-20T00:00:00Z", tool="uv-bundler 0",
        uv=("0.13.8",), platforms=(LINUX,), members=(sums, archive, uv, rows),
        artifacts=(
            Artifact(
                path="mirror/1/a.tar.gz", size=4, sha256=Digest.of(b"gzip"), role="archive", member=archive.path,
                links=("python-cache/x-a.tar.gz",), platform=LINUX, key="cpython-3.13.5-linux-x86_64-gnu",
            ),
            Artifact(
                path="uv/0.13.8/linux-x86_64-gnu/uv", size=9, sha256=Digest.of(b"binary"), role="uv",
                member=uv.path, executable=True, platform=LINUX, uv="0.13.8",
            ),
            Artifact(
                path="download-metadata.json", size=2, sha256=Digest.of(b"{}"), role="metadata", member=rows.path,
            ),
        ),
    )  # fmt: skip


def test_an_index_reads_back_as_it_was_written():
    assert parse_index(small_index().to_bytes()) == small_index()


def test_an_empty_origin_reads_back_as_it_was_written():
    first, *others = small_index().artifacts
    index = replace(small_index(), artifacts=(replace(first, origin=""), *others))
    assert parse_index(index.to_bytes()) == index


def test_an_index_that_expires_reads_back_as_it_was_written():
    index = replace(small_index(), expires="2026-11-20T00:00:01Z")
    assert parse_index(index.to_bytes()) == index


def test_an_index_that_does_not_expire_has_no_such_key():
    assert b"expires" not in small_index().to_bytes()
    assert parse_index(small_index().to_bytes()).expires is None


def changed(path, value):
    document = copy.deepcopy(json.loads(small_index().to_bytes()))
    at = document
    for part in path[:-1]:
        at = at[part]
    if value is KeyError:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["format"], "uv-bundler.index.v2", "format: expected one of uv-bundler.index.v1; found 'uv-bundler.index.v2'"),
        (["requires"], ["volumes"], "requires: needs what this uv-bundler does not know: ['volumes']"),
        (["name"], "Plant 7", "name: expected a name of a-z, 0-9 and -, at most 40 characters, found the string 'Plant 7'"),
        (["serial"], 0, "serial: expected 1 to 9007199254740991, found 0"),
        (["serial"], "7", "serial: expected a whole number, found the string '7'"),
        (["created"], "yesterday", "created: expected a UTC time, YYYY-MM-DDThh:mm:ssZ, found 'yesterday'"),
        (["created"], "2026-02-30T00:00:00Z", "created: expected a UTC time, YYYY-MM-DDThh:mm:ssZ, found '2026-02-30T00:00:00Z'"),
        (["expires"], "2026-11-20T00:00:00Z", "expires: expected a time after created, 2026-11-20T00:00:00Z, found 2026-11-20T00:00:00Z"),
        (["expires"], "2026-11-19T23:59:59Z", "expires: expected a time after created, 2026-11-20T00:00:00Z, found 2026-11-19T23:59:59Z"),
        (["expires"], "2027-02-29T00:00:00Z", "expires: expected a UTC time, YYYY-MM-DDThh:mm:ssZ, found '2027-02-29T00:00:00Z'"),
        (["expires"], None, "expires: expected a UTC time, found nothing"),
        (["platforms", 0], "plan9", "platforms[0]: expected a platform such as linux-x86_64-gnu, found 'plan9'"),
        (["block_size"], 1, "block_size: expected 65536 to 4194304 of bytes, found 1"),
        (["artifacts", 0, "path"], "../etc/passwd", "artifacts[0].path: expected a path of letters, digits and ._+-, found '../etc/passwd'"),
        (["artifacts", 0, "path"], "bin/uv", "artifacts[0].path: expected a path below mirror or mirror-pypy or mirror-graalpy or python-cache, found 'bin/uv'"),
        (["artifacts", 0, "links"], ["MIRROR/1/A.tar.gz"], "'MIRROR/1/A.tar.gz' and 'mirror/1/a.tar.gz' are one name on some file systems"),
        (["artifacts", 0, "links"], ["generation.json"], "artifacts[0].path: expected a path below mirror or mirror-pypy or mirror-graalpy or python-cache, found 'generation.json'"),
        (["artifacts", 0, "member"], "payload/none", "artifacts[0].member: expected the path of a member, found 'payload/none'"),
        (["artifacts", 0, "size"], 5, "artifacts[0]: expected the size and sha256 of its member, which is stored as it is"),
        (["artifacts", 0, "sha256"], "AB", "artifacts[0].sha256: expected 64 lowercase hexadecimal digits, found 'AB'"),
        (["artifacts", 1, "member"], "payload/mirror/1/a.tar.gz", "artifacts[1]: expected the size and sha256 of its member, which is stored as it is"),
        (["members", 1, "blocks"], [], "members[1].blocks: expected 1 digests for 4 bytes, found 0"),
        (["members", 1, "encoding"], "xz", "members[1].encoding: expected one of identity, zstd; found 'xz'"),
        (["members", 0, "path"], "payload/other", "members[0]: expected SHA256SUMS as the first member"),
        (["members", 2, "path"], "payload/unused", "artifacts[1].member: expected the path of a member, found 'payload/uv/0.13.8/linux-x86_64-gnu/uv.zst'"),
        (["members", 1, "size"], 8**11, "members[1].size: expected 0 to 8589934591 of bytes, found 8589934592"),
        (["artifacts", 1, "role"], "metadata", "artifacts[1].path: expected a path below download-metadata.json, found 'uv/0.13.8/linux-x86_64-gnu/uv'"),
        (["members", 0, "size"], (16 << 20) + 1, "members[0].size: expected at most 16777216 bytes, found 16777217"),
        (["artifacts", 1, "path"], "uv/0.13.8/linux-x86_64-gnu/sudo", "artifacts[1]: expected uv/VERSION/PLATFORM/ and a program of uv, found 'uv/0.13.8/linux-x86_64-gnu/sudo'"),
        (["artifacts", 2, "role"], "lock", "artifacts[2].path: expected a path below bundle.lock, found 'download-metadata.json'"),
        (["tool"], KeyError, "tool: missing, but required"),
        (["extra"], 1, "extra: unknown key, expected one of format, requires, name, release, serial, created, expires, tool, uv, platforms, base, held, block_size, artifacts, members"),
    ],
)  # fmt: skip
def test_an_index_that_no_packer_writes_is_refused(path, value, message):
    with pytest.raises(Fault) as caught:
        parse_index(changed(path, value))
    assert str(caught.value) == message


@given(st.data())
def test_no_change_of_one_value_gives_anything_but_an_index_or_a_fault(data):
    document = json.loads(small_index().to_bytes())
    path, at = [], document
    while isinstance(at, dict | list) and at:
        part = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else list(range(len(at)))))
        path.append(part)
        at = at[part]
    value = data.draw(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just([]) | st.just({})
    )
    try:
        parse_index(changed(path, value))
    except Fault as fault:
        assert str(fault)


def test_archives_without_their_list_are_refused():
    document = json.loads(small_index().to_bytes())
    del document["artifacts"][2], document["members"][3]
    with pytest.raises(Fault, match="expected download-metadata.json, without which uv finds no archive"):
        parse_index(json.dumps(document).encode())
