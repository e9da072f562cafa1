import io
import json
import os

import pytest
from bundles import PACKER, Packer, archive, make_bundle, small_content
from oneway import OneWay, verified

from bundler.connected.bundlewriter import front
from bundler.core import strictjson, ustar
from bundler.errors import BundlerError, DamagedFault, HostFault, SignatureFault
from bundler.offline.reader import BundleReader
from bundler.offline.signedindex import verify_index


@pytest.fixture(scope="module")
def bundle():
    return make_bundle(archives=[archive(small_content(size=2_500_000))])


def test_a_whole_bundle_verifies_from_a_file_and_from_a_pipe(bundle):
    assert verified(bundle).index.name == "plant-7"
    assert verified(bundle, stream=OneWay).signers[0].principal == "packer@site"


def test_every_member_has_the_digest_of_each_block_of_it(bundle):
    index = verified(bundle).index
    large = next(one for one in index.members if one.size > index.block_size)
    assert len(large.blocks) == 3


def test_a_bundle_without_signature_is_refused(bundle):
    index_size = BundleReader(io.BytesIO(bundle), name="x").read_signed_index().raw
    after = ustar.stored_size(len(index_size))
    signature_size = int(bundle[after + 124 : after + 135], 8)
    unsigned = bundle[:after] + bundle[after + ustar.stored_size(signature_size) :]
    with pytest.raises(SignatureFault) as caught:
        verified(unsigned)
    assert str(caught.value) == "q4.uvb: expected bundle.json.sig after bundle.json, found no signature"


def test_a_signature_by_somebody_else_is_refused(bundle):
    with pytest.raises(SignatureFault, match="q4.uvb: no signature that counts"):
        verified(bundle, trust=Packer(2).trust)


def test_a_signature_for_another_use_is_refused():
    class Confused(Packer):
        def sign(self, message):
            return super().sign(message, namespace="git")

    with pytest.raises(SignatureFault, match='made for "git", expected one for "uv-bundler.index.v1"'):
        verified(make_bundle(packers=(Confused(),)))


def test_one_trusted_signature_among_others_is_enough():
    data = make_bundle(packers=(Packer(2), PACKER, Packer(3)))
    assert [one.principal for one in verified(data).signers] == ["packer@site"]


def test_nothing_is_parsed_before_a_signature_holds(monkeypatch, bundle):
    def never(_):
        pytest.fail("the index was parsed before its signature was checked")

    monkeypatch.setattr("bundler.offline.signedindex.parse_index", never)
    with pytest.raises(SignatureFault):
        verified(bundle, trust=Packer(2).trust)


def test_every_single_flipped_byte_of_a_small_bundle_is_refused():
    data = make_bundle(archives=[archive(b"x" * 40)], uv_for=())
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 0x01
        with pytest.raises(BundlerError) as caught:
            verified(bytes(broken))
        assert isinstance(caught.value, SignatureFault | DamagedFault), at
        assert str(caught.value).startswith("q4.uvb: "), at


def test_every_cut_and_everything_appended_is_refused():
    data = make_bundle(archives=[archive(b"x" * 40)], uv_for=())
    for end in range(len(data)):
        with pytest.raises((DamagedFault, SignatureFault)):
            verified(data[:end])
    for more in (b"\0", b"\0" * 512, b"\0" * 10240, data, b"x"):
        with pytest.raises(DamagedFault, match="expected the end of the file at byte"):
            verified(data + more)


def test_blocks_of_two_bundles_do_not_mix():
    one, other = (
        make_bundle(archives=[archive(small_content(1))]),
        make_bundle(archives=[archive(small_content(2))]),
    )
    assert len(one) == len(other)
    at = one.index(small_content(1))
    with pytest.raises(DamagedFault, match="block 1 of 1 at byte"):
        verified(one[:at] + small_content(2) + one[at + 3000 :])


def test_a_damaged_block_is_named_with_its_place(bundle):
    index = verified(bundle).index
    large = next(one for one in index.members if one.size > index.block_size)
    at = bundle.index(small_content(size=2_500_000)) + index.block_size + 5
    broken = bytearray(bundle)
    broken[at] ^= 1
    with pytest.raises(DamagedFault) as caught:
        verified(bytes(broken))
    assert f"{large.path}: block 2 of 3 at byte {at - 5}: sha256 is " in str(caught.value)
    assert caught.value.hint == "copy the bundle from its source again and compare `sha256sum` on both sides"


def test_a_block_that_is_bad_is_never_handed_on(bundle):
    broken = bytearray(bundle)
    broken[bundle.index(small_content(size=2_500_000)) + 3] ^= 1
    reader = BundleReader(io.BytesIO(bytes(broken)), name="q4.uvb")
    index = verify_index(reader.read_signed_index(), trust=PACKER.trust, name="q4.uvb").index
    handed = []
    with pytest.raises(DamagedFault):
        for member in index.members:
            handed.extend(reader.blocks(member, block_size=index.block_size))
    assert all(block in bundle for block in handed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: one["artifacts"][-1].update(sha256="0" * 64), "with sha256 0000"),
        (
            lambda one: one["members"][-1].update(sha256="0" * 64),
            "SHA256SUMS: expected the digests of the index, found others",
        ),
        (
            lambda one: one["members"][0].update(sha256="0" * 64),
            "the blocks hold, but not the sha256 of the whole",
        ),
        (lambda one: one["artifacts"][-1].update(size=1), "expected a zstd frame of 1 bytes"),
    ],
)
def test_what_comes_out_is_hashed_again_even_where_the_packer_signed_a_lie(change, message):
    data = make_bundle()
    honest = BundleReader(io.BytesIO(data), name="x").read_signed_index()
    document = json.loads(honest.raw)
    change(document)
    raw = strictjson.dump(document)
    payload = data[sum(len(one) for one in front(honest.raw, honest.signatures)) :]
    lying = b"".join(front(raw, [PACKER.sign(raw)])) + payload
    with pytest.raises(DamagedFault) as caught:
        verified(lying)
    assert message in str(caught.value)


def test_an_index_that_is_too_large_is_refused_before_it_is_read():
    class Endless(io.RawIOBase):
        def __init__(self):
            self.given = 0
            self.head = ustar.header("bundle.json", (16 << 20) + 1)

        def readable(self):
            return True

        def read(self, count=-1):
            data = self.head[:count] or bytes(count)
            self.head = self.head[count:]
            self.given += len(data)
            return data

    stream = Endless()
    with pytest.raises(DamagedFault, match="bundle.json: expected at most 16777216 bytes, found 16777217"):
        BundleReader(stream, name="q4.uvb").read_signed_index()
    assert stream.given == 512


def test_a_file_that_is_no_bundle_says_so():
    for data in (b"", b"PK\x03\x04" + bytes(2000), b"\x1f\x8b" * 500, small_content()):
        with pytest.raises(DamagedFault, match="q4.uvb: "):
            verified(data)


def test_verifying_opens_no_socket_and_parses_no_yaml():
    import subprocess
    import sys

    code = (
        "import sys, bundler.offline.unpack, bundler.offline.verify, bundler.offline.inspect, "
        "bundler.offline.doctor, bundler.offline.scan, bundler.volumes.opening, bundler.volumes.repairing, "
        "bundler.arriving.collecting, bundler.arriving.receiverun, bundler.media.writing, "
        "bundler.commands.offline, bundler.commands.either, bundler.commands.collecting, "
        "bundler.commands.receiving, bundler.commands.repairing\n"
        "bad = {'socket', 'ssl', 'http.client', 'urllib.request', 'requests', 'yaml', 'asyncio'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(bad)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no non-blocking pipes")
def test_a_pipe_that_does_not_wait_is_no_damaged_bundle():
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.write(writing, make_bundle()[:700])
    waiting = pytest.raises(HostFault, match="stdin: has no bytes now and does not wait for them")
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb"), waiting:
        BundleReader(stream, name="stdin").read_signed_index()
