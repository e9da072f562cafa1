import hashlib
import subprocess
from pathlib import Path

import pytest
from bundles import PACKER, Packer, make_bundle, make_document
from cli import bundler, check_refusal, command, environment, process
from volumes import make_set, small_blocks, source_of


@pytest.fixture(scope="module")
def data():
    return small_blocks()


@pytest.fixture
def desk(data, tmp_path):
    (tmp_path / "q4.uvb").write_bytes(data)
    (tmp_path / "out").mkdir()
    (tmp_path / "packer.pub").write_text(f"{PACKER.key} packer@site\n")
    return tmp_path


def written(done):
    """Return the paths that a command printed, after it went well."""
    assert done.code == 0, done.stderr
    return [Path(line) for line in done.stdout.splitlines()]


def joined(*words, folder):
    """Join what `words` name and return the bytes."""
    bundler("join", *words, "-o", folder / "joined.uvb", "-q")
    return (folder / "joined.uvb").read_bytes()


def test_split_prints_every_file_that_crosses_and_the_sums_of_all(desk):
    done = bundler("split", desk / "q4.uvb", "-o", desk / "out", "--volume-size", "300K", "--parity", "20%")
    *volumes, sums = written(done)
    assert [one.name for one in volumes] == [
        *(f"plant-7-7.{number:04d}-of-0005.uvb" for number in range(1, 6)),
        "plant-7-7.p0001-of-0001.uvb",
    ]
    assert sums.name == "plant-7-7.SHA256SUMS"
    assert sums.read_text() == "".join(
        f"{hashlib.sha256(one.read_bytes()).hexdigest()}  {one.name}\n" for one in volumes
    )
    assert all(one.stat().st_size <= 300 << 10 for one in volumes)
    assert sorted((desk / "out").iterdir()) == sorted([*volumes, sums])
    assert "every byte is as its index says; nobody was asked who signed that (--trust)" in done.stderr
    assert "5 volumes and 1 of parity, the largest " in done.stderr


def test_join_gives_the_same_bytes_whatever_is_missing_within_the_parity(desk, data):
    volumes = written(
        bundler("split", desk / "q4.uvb", "-o", desk / "out", "--volume-size", "300K", "--parity", "1")
    )
    assert joined(desk / "out", folder=desk) == data
    assert joined(*reversed(volumes[:-1]), folder=desk) == data
    volumes[2].unlink()
    (desk / "joined.uvb").unlink()
    assert joined(desk / "out", folder=desk) == data


def test_a_name_with_o_is_what_stands_before_the_numbers(desk):
    done = bundler("split", desk / "q4.uvb", "-o", desk / "out" / "stick.uvb", "--volume-size", "600K", "-q")
    names = [one.name for one in written(done)]
    assert names == ["stick.0001-of-0002.uvb", "stick.0002-of-0002.uvb", "stick.SHA256SUMS"]
    assert done.stderr == ""


def test_parity_goes_beside_a_bundle_that_stays_where_it_is(desk, data):
    before = (desk / "q4.uvb").stat()
    done = bundler("split", desk / "q4.uvb", "-o", desk / "q4.uvb", "--parity", "10%")
    assert [one.name for one in written(done)] == ["q4.uvb", "q4.parity.uvb", "q4.SHA256SUMS"]
    after = (desk / "q4.uvb").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    broken = bytearray(data)
    broken[200_000:260_000] = bytes(60_000)
    (desk / "q4.uvb").write_bytes(broken)
    assert joined(desk / "q4.uvb", desk / "q4.parity.uvb", folder=desk) == data


def test_parity_of_one_file_elsewhere_comes_with_the_file(desk, data):
    done = bundler("split", desk / "q4.uvb", "-o", desk / "out", "--parity", "10%")
    file, parity, sums = written(done)
    assert file.read_bytes() == data
    assert [one.name for one in (parity, sums)] == ["plant-7-7.parity.uvb", "plant-7-7.SHA256SUMS"]
    assert "one file of 978.0 KiB, and " in done.stderr


def test_what_fits_stays_one_file(desk, data):
    (file,) = written(bundler("split", desk / "q4.uvb", "-o", desk / "out", "--volume-size", "fat32"))
    assert (file.name, file.read_bytes()) == ("plant-7-7.uvb", data)


def test_a_set_is_split_again_into_other_volumes_the_same_as_of_the_bundle(desk, data):
    make_set(data, desk / "set", volumes=7, parity=2, groups=2)
    wishes = ("--volume-size", "400K", "--parity", "1")
    (desk / "again").mkdir()
    direct = written(bundler("split", desk / "q4.uvb", "-o", desk / "out", *wishes))
    again = written(bundler("split", desk / "set", "-o", desk / "again", *wishes))
    assert [one.name for one in direct] == [one.name for one in again]
    for one, other in zip(direct, again, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_split_and_join_work_through_pipes(desk, data):
    piped = process(
        "split",
        "-",
        "-o",
        desk / "out",
        "--volume-size",
        "300K",
        "-q",
        input=data,
        env={"UV_BUNDLER_TRUST": ""},
    )
    assert piped.code == 0, piped.stderr
    done = subprocess.run(
        command("join", desk / "out", "-o", "-"), env=environment(), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, data)
    assert b"stdout: one file of 978.0 KiB\n" in done.stderr


def test_join_into_a_folder_calls_it_by_name_and_serial(desk, data):
    make_set(data, desk / "set", volumes=3)
    (file,) = written(bundler("join", desk / "set", "-o", desk / "out"))
    assert (file.name, file.read_bytes()) == ("plant-7-7.uvb", data)


def test_with_trust_the_signatures_count(desk, data):
    make_set(data, desk / "set", volumes=3)
    trust = ("--trust", desk / "packer.pub")
    done = bundler("join", desk / "set", "-o", desk / "out", *trust)
    assert written(done)
    assert "every byte is as signed" in done.stderr
    assert "signed by packer@site" in done.stderr
    (desk / "other.pub").write_text(f"{Packer(2).key} other@site\n")
    for words in (("split", "--volume-size", "300K"), ("join",)):
        refused = bundler(
            words[0], desk / "q4.uvb", "-o", desk / "out" / "n", *words[1:], "--trust", desk / "other.pub"
        )
        check_refusal(refused, 3, "no signature that counts")
    assert [one.name for one in (desk / "out").iterdir()] == ["plant-7-7.uvb"]


@pytest.mark.parametrize(
    "words", [("split", "--volume-size", "300K"), ("split", "--parity", "10%"), ("join",)], ids=str
)
def test_a_damaged_bundle_is_not_passed_on(words, desk, data):
    at = len(data) - 300_000
    (desk / "q4.uvb").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    done = bundler(words[0], desk / "q4.uvb", "-o", desk / "out", *words[1:])
    check_refusal(done, 5, "sha256 is ")
    (desk / "q4.uvb").write_bytes(data + b"\0")
    check_refusal(
        bundler(words[0], desk / "q4.uvb", "-o", desk / "out", *words[1:]), 5, "expected the end of the file"
    )
    assert list((desk / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ((), "split: nothing to do, expected --volume-size, --parity or both", "--volume-size fat32"),
        (("--parity", "3"), "--parity: expected a share such as 10% for a bundle in one file, found 3", "add --vol"),
        (("--volume-size", "1K"), "--volume-size: 1024 bytes make no volumes of this bundle", "say --volume-size "),
        (("--volume-size", "big"), "--volume-size: expected fat32, dvd, bd, diode or a size", "fat32 is right"),
        (("--volume-size", "300K", "--parity", "x"), "--parity: expected a number of volumes", "10% recovers"),
        (("--volume-size", "300K", "--parity", "200"), "--parity: would need 200 volumes beside ", "say less"),
    ],
)  # fmt: skip
def test_wishes_that_cannot_be_are_refused(words, message, hint, desk):
    check_refusal(bundler("split", desk / "q4.uvb", "-o", desk / "out", *words), 2, message, hint)
    assert list((desk / "out").iterdir()) == []


def test_volumes_do_not_go_to_stdout_and_files_only_where_there_is_a_folder(desk):
    words = ("split", desk / "q4.uvb", "--volume-size", "300K")
    check_refusal(bundler(*words, "-o", "-"), 2, "stdout: takes one file, expected a folder", "leave out")
    check_refusal(bundler(*words, "-o", f"{desk}/none/"), 2, "no such folder", "mkdir")
    check_refusal(bundler(*words, "-o", desk / "none" / "q4.uvb"), 2, "no such folder", "mkdir")
    check_refusal(bundler("join", desk / "q4.uvb", "-o", f"{desk}/none/"), 2, "no such folder", "mkdir")


def test_no_volume_takes_the_place_of_one_that_is_read(desk, data):
    files = make_set(data, desk / "set", volumes=3, stem="plant-7-7")
    before = [one.read_bytes() for one in files]
    size = str(max(map(len, before)))
    done = bundler("split", desk / "set", "-o", desk / "set", "--volume-size", size)
    check_refusal(done, 2, "plant-7-7.0001-of-0003.uvb: is read, expected another place for what is written")
    assert [one.read_bytes() for one in files] == before


def test_one_file_takes_the_place_of_no_volume_that_is_read(desk, data):
    files = make_set(data, desk / "set", volumes=3)
    before = [one.read_bytes() for one in files]
    told = "q4.0002-of-0003.uvb: is read, expected another place for what is written"
    check_refusal(bundler("join", desk / "set", "-o", files[1]), 2, told, "-o FOLDER/other.uvb")
    assert [one.read_bytes() for one in files] == before


def test_older_files_of_the_same_name_are_told(desk):
    out = desk / "out"
    bundler("split", desk / "q4.uvb", "-o", out, "--volume-size", "300K")
    done = bundler("split", desk / "q4.uvb", "-o", out, "--volume-size", "600K")
    names = ", ".join(f"plant-7-7.{number:04d}-of-0005.uvb" for number in (1, 2, 3))
    assert f"{out}: holds older files of that name, too: {names}, …; carry only new ones" in done.stderr
    quiet = bundler("split", desk / "q4.uvb", "-o", out / "other.uvb", "--volume-size", "600K")
    assert "older files" not in quiet.stderr


def test_trust_documents_and_further_signatures_stay_in_front(tmp_path):
    data = make_bundle(packers=(PACKER, Packer(2)), chain=(make_document(2),), archives=[])
    (tmp_path / "q4.uvb").write_bytes(data)
    (tmp_path / "out").mkdir()
    words = ("--volume-size", "11K", "--trust", tmp_path / "packer.pub")
    (tmp_path / "packer.pub").write_text(f"{PACKER.key} packer@site\n")
    volumes = written(bundler("split", tmp_path / "q4.uvb", "-o", tmp_path / "out", *words))[:-1]
    assert len(volumes) > 1
    front = source_of(data).front
    assert all(one.read_bytes().startswith(front) for one in volumes)
    assert joined(tmp_path / "out", folder=tmp_path) == data
