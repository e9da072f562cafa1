"""Bundles that are refused: damaged, unsigned, untrusted, old, for another place; the prefix stays as it was."""

import os

import pytest
from bundles import HOST, OTHER, PACKER, Packer, archive, make_bundle, small_content
from cli import Desk, bundler, check_refusal, process, used_desk

from bundler.offline.prefix import Prefix, locked

NEXT = make_bundle(serial=8, archives=[archive(small_content(5))])


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.fixture
def used(tmp_path):
    yield from used_desk(tmp_path)


def place_of(data, region):
    """Return the place of a byte in that region of a bundle."""
    sums = data.index(b"SHA256SUMS\0")
    return {
        "the header of the index": 3,
        "the size in that header": 130,
        "the index": 600,
        "the padding of the index": data.index(b"bundle.json.sig\0") - 1,
        "the header of the signature": data.index(b"bundle.json.sig\0") + 1,
        "the signature": data.index(b"-----BEGIN SSH SIGNATURE-----") + 100,
        "the padding of the signature": sums - 1,
        "the header of SHA256SUMS": sums + 100,
        "SHA256SUMS": sums + 512 + 10,
        "the header of a payload": data.index(b"payload/", sums + 1024) + 2,
        "a payload": data.index(small_content(5)) + 1000,
        "the end": len(data) - 700,
        "the last byte": len(data) - 1,
    }[region]


REGIONS = {  # region : exit code of a flipped bit there
    "the header of the index": 5,
    "the size in that header": 5,
    "the index": 3,
    "the padding of the index": 5,
    "the header of the signature": 5,
    "the signature": 3,
    "the padding of the signature": 5,
    "the header of SHA256SUMS": 5,
    "SHA256SUMS": 5,
    "the header of a payload": 5,
    "a payload": 5,
    "the end": 5,
    "the last byte": 5,
}


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("command", ["unpack", "verify"])
def test_a_flipped_bit_is_refused_wherever_it_is(used, region, command):
    data = bytearray(NEXT)
    data[place_of(NEXT, region)] ^= 1
    used.bundle.write_bytes(data)
    done = used.unpack() if command == "unpack" else bundler("verify", used.bundle, "--trust", used.trust)
    check_refusal(done, REGIONS[region], f"error: {used.bundle}: ")


@pytest.mark.parametrize("region", [*REGIONS, "nothing at all"])
def test_a_bundle_that_ends_early_is_refused_wherever_that_is(used, region):
    used.bundle.write_bytes(NEXT[: 0 if region == "nothing at all" else place_of(NEXT, region)])
    done = used.unpack()
    check_refusal(done, 5, f"error: {used.bundle}: ends at byte ", "copy the bundle from its source again")
    check_refusal(bundler("verify", used.bundle, "--trust", used.trust), 5, "ends at byte ")


@pytest.mark.parametrize("region", ["the index", "the signature", "a payload"])
def test_a_damaged_stream_is_refused_as_a_file_is(used, region):
    data = bytearray(NEXT)
    data[place_of(NEXT, region)] ^= 1
    used.bundle.write_bytes(data)
    with used.bundle.open("rb") as stdin:
        done = used.unpack_process(bundle="-", stdin=stdin)
    check_refusal(done, REGIONS[region], "error: stdin: ")


@pytest.mark.parametrize(
    "junk", [b"x", bytes(512), bytes(10240), NEXT], ids=["byte", "zeros", "record", "bundle"]
)
def test_bytes_after_the_end_are_refused(used, junk):
    used.bundle.write_bytes(NEXT + junk)
    check_refusal(used.unpack(), 5, "expected the end of the file at byte ")


REFUSED = {
    "another packer": (lambda: make_bundle(serial=8, packers=(Packer(9),)), 3, "no signature that counts", "uv-bundler trust import"),
    "an older serial": (lambda: make_bundle(serial=6), 8, "serial is 6, expected at least 7", "have it packed again"),
    "the same serial": (lambda: make_bundle(archives=[]), 8, "serial 7 was another bundle on this host", "must not share a serial"),
    "another name": (lambda: make_bundle(serial=8, name="plant-8"), 8, "is a bundle of 'plant-8', expected 'plant-7'", "--accept-name plant-8"),
    "another platform": (lambda: make_bundle(serial=8, platforms=(OTHER,), archives=[archive(b"x", platform=OTHER)], uv_for=()), 8, f"is for {OTHER}, expected a bundle for this host, {HOST}", "--platform all"),
    "no bundle": (lambda: b"PK\x03\x04" + bytes(4000), 5, "byte 0: expected a ustar header", "copy the bundle"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("words", [(), ("--dry-run",)], ids=["unpack", "dry-run"])
def test_a_bundle_that_is_not_for_this_host_is_refused(used, case, words):
    data, code, message, hint = REFUSED[case]
    used.bundle.write_bytes(data())
    check_refusal(used.unpack(*words), code, message, hint)


def test_a_platform_that_the_bundle_does_not_have_is_refused(used):
    done = used.unpack("--platform", "linux-s390x-gnu")
    check_refusal(done, 8, f"has nothing for linux-s390x-gnu, expected one of {HOST}", "--platform")


TRUST = {
    "no such file": (None, 2, "no such file", ""),
    "a private key": (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", 2, "private key", ""),
    "nothing": (b"", 2, "expected", ""),
    "no key": (b"hello\n", 2, "trust.pub:1: expected ", ""),
    "another key": (str(Packer(9).key).encode() + b" other@site\n", 3, "no signature that counts", "trust import"),
    "another namespace": (f'packer@site namespaces="git" {PACKER.key}\n'.encode(), 3, 'trusts it for "git" only', "namespaces"),
    "an expired key": (f'packer@site valid-before="20200101" {PACKER.key}\n'.encode(), 3, "expired", "clock"),
}  # fmt: skip


@pytest.mark.parametrize("case", TRUST)
@pytest.mark.parametrize("command", ["unpack", "verify"])
def test_trust_that_does_not_cover_the_bundle_is_refused(used, case, command):
    content, code, message, hint = TRUST[case]
    trust = used.folder / "trust.pub"
    if content is not None:
        trust.write_bytes(content)
    used.trust = trust
    done = used.unpack() if command == "unpack" else bundler("verify", used.bundle, "--trust", trust)
    check_refusal(done, code, message, hint)


def test_without_a_trust_store_nothing_is_unpacked_and_it_says_how_to_make_one(desk, tmp_path):
    (tmp_path / "store").mkdir(mode=0o700)
    desk.trust = tmp_path / "store"
    check_refusal(
        desk.unpack(),
        3,
        "store: neither trust.json nor allowed_signers in it",
        "uv-bundler trust import FILE",
    )
    assert not desk.prefix.exists()


def test_a_folder_names_the_one_bundle_in_it(desk):
    (desk.folder / "._q4.uvb").write_bytes(b"what macOS leaves on a medium")
    done = desk.unpack(bundle=desk.folder)
    assert done.code == 0, done.stderr
    assert done.stdout.startswith("export ")


def test_a_bundle_whose_medium_shows_names_in_capitals_is_found(desk):
    desk.bundle.rename(desk.folder / "PLANT7.UVB")
    assert desk.unpack(bundle=desk.folder).code == 0


@pytest.mark.parametrize("command", ["unpack", "verify", "inspect"])
def test_a_folder_without_a_bundle_is_refused(desk, command):
    (desk.folder / "empty").mkdir()
    more = () if command == "inspect" else ("--trust", desk.trust)
    done = bundler(command, desk.folder / "empty", *more)
    check_refusal(done, 2, "empty: expected a bundle's files in this folder, found none", "is mounted")


@pytest.mark.parametrize("command", ["unpack", "verify"])
def test_of_two_bundles_in_a_folder_the_newer_one_is_meant_and_the_other_named(desk, command):
    desk.bundle.rename(desk.folder / "a.uvb")
    (desk.folder / "b.uvb").write_bytes(make_bundle(serial=8))
    words = ("--prefix", desk.prefix) if command == "unpack" else ()
    done = bundler(command, desk.folder, "--trust", desk.trust, *words)
    assert done.code == 0, done.stderr
    assert "a.uvb: stale: serial 7, the newest here is 8" in done.stderr
    assert "(serial 8)" in done.stderr


@pytest.mark.parametrize("command", ["unpack", "verify", "inspect"])
def test_two_bundles_of_two_names_in_a_folder_are_refused(desk, command):
    desk.bundle.rename(desk.folder / "a.uvb")
    (desk.folder / "b.uvb").write_bytes(make_bundle(name="plant-8"))
    more = () if command == "inspect" else ("--trust", desk.trust)
    done = bundler(command, desk.folder, *more)
    check_refusal(done, 2, "expected files of one bundle, found", "name the files of one of them")


def test_a_file_beside_the_bundle_that_is_none_is_named(desk):
    (desk.folder / "b.uvb").write_bytes(b"nothing")
    done = desk.unpack(bundle=desk.folder)
    assert done.code == 0, done.stderr
    assert "b.uvb: is no part of this bundle: ends at byte 7" in done.stderr


def test_signing_a_folder_with_two_bundles_is_refused(desk):
    (desk.folder / "b.uvb").write_bytes(make_bundle(serial=8))
    assert bundler("keygen", desk.folder / "key").code == 0
    done = bundler("sign", desk.folder, "--key", desk.folder / "key")
    check_refusal(done, 2, "expected files of one bundle, found 2", "b.uvb")


@pytest.mark.parametrize("command", ["unpack", "verify", "inspect", "rehearse"])
def test_a_bundle_that_is_not_there_is_refused(desk, command):
    more = () if command == "inspect" else ("--trust", desk.trust)
    check_refusal(
        bundler(command, desk.folder / "none.uvb", *more),
        2,
        "none.uvb: no such file, expected a bundle",
        "check the path",
    )


def test_a_bundle_on_stdin_is_unpacked(desk):
    with desk.bundle.open("rb") as stdin:
        done = desk.unpack_process(bundle="-", stdin=stdin)
    assert done.code == 0, done.stderr
    assert done.stdout.startswith("export ")
    assert "signed by packer@site with SHA256:" in done.stderr


def test_a_terminal_is_no_bundle():
    pty = pytest.importorskip("pty", reason="needs pseudo-terminals")
    ours, theirs = pty.openpty()
    with open(theirs) as stdin:  # noqa: PTH123  # a descriptor is no path
        done = process("inspect", "-", stdin=stdin)
    os.close(ours)
    check_refusal(done, 2, "stdin: expected a bundle, found a terminal", "< q4.uvb")


def test_the_lock_of_another_unpack_turns_this_one_away(used):
    with locked(Prefix(used.prefix)):
        check_refusal(used.unpack_process(), 9, "another uv-bundler is at work on", "wait until it has ended")


def test_the_same_bundle_again_is_a_success_with_the_same_exports(used):
    first, second = used.unpack(), used.unpack()
    assert (first.code, second.code) == (0, 0)
    assert first.stdout == second.stdout
    assert first.stdout.startswith("export ")
    assert "is active already, nothing to do" in second.stderr
