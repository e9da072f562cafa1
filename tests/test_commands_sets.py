"""What commands say of the files of a set: which are missing, what lies beside them, and what to do next."""

import pytest
from bundles import PACKER
from cli import bundler, check_refusal
from volumes import make_set, small_blocks


@pytest.fixture(scope="module")
def data():
    return small_blocks()


@pytest.fixture
def desk(tmp_path):
    (tmp_path / "packer.pub").write_text(f"{PACKER.key} packer@site\n")
    return tmp_path


def test_of_two_sets_in_a_folder_it_is_said_which_one_lacks_volumes(desk, data):
    folder = desk / "set"
    for volumes in (3, 4):  # the parity of the second set takes the place of the first one's
        make_set(data, folder, volumes=volumes, parity=1)
    done = bundler("verify", folder, "--strict", "--trust", desk / "packer.pub")
    told = f"{folder}: 1 of 1 parity volume is missing: 1 (of the set of 3 volumes and 1 of parity)"
    check_refusal(done, 4, told, "repair")
    for one in folder.glob("*-of-0003.uvb"):
        one.unlink()
    next(iter(folder.glob("*.0002-of-0004.uvb"))).unlink()
    done = bundler("verify", folder, "--strict", "--trust", desk / "packer.pub")
    check_refusal(done, 4, f"{folder}: 1 of 4 volumes is missing: 2", "repair")
    assert "of the set" not in done.stderr


def test_what_lies_beside_a_file_that_was_named_alone_is_told(desk, data):
    make_set(data, desk / "set", volumes=3, parity=1)
    first, second, *_ = sorted((desk / "set").glob("*.uvb"))
    told = f"note: {desk / 'set'}: has 3 more files of this bundle; name the folder to read them, too"
    trust = ("--trust", desk / "packer.pub")
    for words in (("verify", first), ("missing", first)):
        assert told in bundler(*words, *trust).stderr
        assert "note: " not in bundler(*words, *trust, "--quiet").stderr
    assert "has 2 more files of this bundle" in bundler("verify", first, second, *trust).stderr
    assert "more file" not in bundler("verify", desk / "set", *trust).stderr
    make_set(data, desk / "one", volumes=4, parity=1, whole=True)
    assert f"note: {desk / 'one'}: has 1 more file of this bundle" in (
        bundler("verify", desk / "one" / "q4.uvb", *trust).stderr
    )
    (desk / "one" / "q4.parity.uvb").rename(desk / "q4.parity.uvb")
    first.rename(desk / "one" / first.name)
    assert "more file" not in bundler("verify", desk / "one" / "q4.uvb", *trust).stderr


def test_the_next_step_for_a_damaged_file_is_the_folder_with_its_parity(desk, data):
    made = make_set(data, desk / "one", volumes=4, parity=1, whole=True)
    whole = next(one for one in made if one.name == "q4.uvb")
    whole.write_bytes(data[:-70_000] + bytes(60_000) + data[-10_000:])
    trust, step = (
        ("--trust", desk / "packer.pub"),
        f"name {desk / 'one'} itself: other files of this bundle lie there",
    )
    done = bundler("verify", whole, *trust)
    assert done.code == 5
    assert (
        f"next: {step}, and may make up for it; otherwise: copy the bundle from its source again"
        in done.stderr
    )
    assert bundler("verify", desk / "one", *trust).code == 0
    done = bundler("repair", whole, "--to", desk / "good", *trust)
    assert (done.code, f"next: {step}" in done.stderr) == (5, True), done.stderr
    done = bundler("missing", whole, *trust)
    assert (done.code, f"before you ask for it {step}" in done.stderr) == (0, True), done.stderr
    (desk / "one" / "q4.parity.uvb").unlink()
    done = bundler("verify", whole, *trust)
    assert done.stderr.splitlines()[-1].startswith("uv-bundler: next: copy the bundle from its source again")


def test_the_next_step_names_all_that_was_named_and_the_trust_that_was(desk, data):
    make_set(data, desk / "a b", volumes=3)
    (desk / "a b" / "q4.0002-of-0003.uvb").rename(desk / "q4.0002-of-0003.uvb")
    (desk / "a b" / "q4.0001-of-0003.uvb").unlink()
    named = (desk / "a b", desk / "q4.0002-of-0003.uvb")
    done = bundler("verify", *named, "--trust", desk / "packer.pub")
    words = f"'{named[0]}' {named[1]} --trust {desk / 'packer.pub'}"
    check_refusal(done, 4, "1 of 3 volumes is missing: 1 (", f"uv-bundler missing {words}")
    assert done.stderr.count("missing: 1") == 1
    done = bundler("verify", *named, UV_BUNDLER_TRUST=str(desk / "packer.pub"))
    check_refusal(done, 4, "1 of 3 volumes", f"uv-bundler missing '{named[0]}' {named[1]}")


def test_parity_without_its_bundle_is_told_as_that(desk, data):
    make_set(data, desk / "one", volumes=4, parity=1, whole=True)
    done = bundler("verify", desk / "one" / "q4.parity.uvb", "--trust", desk / "packer.pub")
    check_refusal(done, 4, "the bundle in one file is missing, and its parity alone is not enough", "missing")
