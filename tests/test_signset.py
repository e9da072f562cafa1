import os
import shutil

import pytest
from bundles import PACKER, Packer
from volumes import BLOCK, make_set, small_blocks

from bundler.connected import signset
from bundler.connected.signset import sign_files
from bundler.core.progress import Silent
from bundler.errors import DamagedFault, HostFault, UsageFault
from bundler.offline.verify import verify_bundle
from bundler.volumes.opening import opened


class Key(Packer):
    @property
    def public(self):
        return self.key


SECOND = Key(2, name="second@site")
BOTH = small_blocks(packers=(PACKER, SECOND))


@pytest.fixture(scope="module")
def bundle():
    return small_blocks()


def verified(folder, packer):
    with opened([folder]) as found:
        verified = verify_bundle(found.source, name=found.name, trust=packer.trust, progress=Silent())
        return verified, getattr(found.source, "told", list)()


def contents(folder):
    return {one.name: one.read_bytes() for one in folder.iterdir()}


@pytest.mark.parametrize(
    "cut",
    [
        {"volumes": 5},
        {"volumes": 7, "parity": 2, "groups": 2},
        {"volumes": 6, "parity": 2, "whole": True},
    ],
    ids=str,
)
def test_a_signed_set_is_the_set_that_was_split_of_the_signed_bundle(cut, bundle, tmp_path):
    files = make_set(bundle, tmp_path / "set", **cut)
    signed = sign_files([tmp_path / "set"], SECOND, progress=Silent())
    assert (sorted(signed.files), signed.signatures) == (sorted(files), 2)
    make_set(BOTH, tmp_path / "other", **cut)
    assert contents(tmp_path / "set") == contents(tmp_path / "other")  # the list of sums is among them


def test_what_lies_there_after_an_interruption_is_a_set_and_can_be_finished(bundle, tmp_path):
    make_set(bundle, tmp_path / "set", volumes=5, parity=1)

    class Stop:
        def stage(self, *_):
            self.left = 250_000

        def advance(self, count):
            self.left -= count
            if self.left < 0:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sign_files([tmp_path / "set"], SECOND, progress=Stop())
    names = sorted(one.name for one in (tmp_path / "set").iterdir())
    assert names == sorted(
        [*(f"q4.{one:04d}-of-0005.uvb" for one in range(1, 6)), "q4.SHA256SUMS", "q4.p0001-of-0001.uvb"]
    )
    signed = [name for name, data in contents(tmp_path / "set").items() if b"bundle.json.1.sig" in data]
    assert signed == ["q4.0001-of-0005.uvb"]
    assert verified(tmp_path / "set", PACKER)[0].signers[0].principal == "packer@site"
    finished = sign_files([tmp_path / "set"], SECOND, progress=Silent())
    assert len(finished.files) == 5
    make_set(BOTH, tmp_path / "other", volumes=5, parity=1)
    assert contents(tmp_path / "set") == contents(tmp_path / "other")
    for packer in (PACKER, SECOND):
        assert verified(tmp_path / "set", packer)[1] == []


def test_a_key_whose_signatures_differ_each_time_finishes_with_the_one_that_is_there(bundle, tmp_path):
    class Fickle(Key):
        def sign(self, *_, **__):
            raise AssertionError("it was signed already")

    make_set(bundle, tmp_path / "set", volumes=2)
    sign_files([tmp_path / "set" / "q4.0001-of-0002.uvb"], SECOND, progress=Silent())
    sign_files([tmp_path / "set"], Fickle(2, name="second@site"), progress=Silent())
    make_set(BOTH, tmp_path / "other", volumes=2)
    assert contents(tmp_path / "set") == contents(tmp_path / "other")


def test_the_same_key_does_not_sign_twice(bundle, tmp_path):
    make_set(bundle, tmp_path / "set", volumes=3)
    before = contents(tmp_path / "set")
    with pytest.raises(UsageFault, match="has signed it already, expected another key"):
        sign_files([tmp_path / "set"], Key(1), progress=Silent())
    assert contents(tmp_path / "set") == before


def test_a_list_of_sums_that_an_interruption_left_behind_is_renewed_by_the_next_run(bundle, tmp_path):
    make_set(bundle, tmp_path, volumes=2)
    listed = tmp_path / "q4.SHA256SUMS"
    before = listed.read_bytes()
    sign_files([tmp_path], SECOND, progress=Silent())
    after = listed.read_bytes()
    listed.write_bytes(before)
    with pytest.raises(UsageFault, match="has signed it already"):
        sign_files([tmp_path], SECOND, progress=Silent())
    assert listed.read_bytes() == after != before


def test_a_folder_without_a_bundle_is_refused(tmp_path):
    (tmp_path / "bundle.json").write_text("{}")
    with pytest.raises(UsageFault, match="expected a bundle's files in this folder, found none"):
        sign_files([tmp_path], SECOND, progress=Silent())


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("file", [1, 5])
@pytest.mark.parametrize("at", [-1, -1025 - BLOCK // 2, -1024 - BLOCK - 600], ids=["end", "cell", "header"])
def test_a_damaged_volume_is_not_signed_and_stays_as_it_is(at, file, bundle, tmp_path):
    files = make_set(bundle, tmp_path / "set", volumes=5, parity=1)
    flip(files[file], at)
    before = files[file].read_bytes()
    with pytest.raises(DamagedFault) as caught:
        sign_files([tmp_path / "set"], SECOND, progress=Silent())
    assert (
        str(caught.value)
        == f"{files[file]}: not all of it is as it was written, expected a file that is whole"
    )
    assert "uv-bundler repair" in caught.value.hint
    assert files[file].read_bytes() == before
    assert len(list((tmp_path / "set").iterdir())) == 7


def test_a_volume_whose_front_is_damaged_is_left_as_it_is_and_told(bundle, tmp_path):
    class Notes(Silent):
        lines: list[str] = []  # noqa: RUF012

        def note(self, line):
            self.lines.append(line)

    files = make_set(bundle, tmp_path / "set", volumes=3)
    flip(files[1], 100)
    before = files[1].read_bytes()
    signed = sign_files([tmp_path / "set"], SECOND, progress=Notes())
    assert signed.files == (files[0], files[2])
    assert files[1].read_bytes() == before
    assert any(line.startswith(f"{files[1]}: ") and line.endswith(": left as it is") for line in Notes.lines)


def test_the_sums_of_another_folder_and_of_other_files_stay(bundle, tmp_path):
    files = make_set(bundle, tmp_path / "set", volumes=2)
    (tmp_path / "a").mkdir()
    shutil.copy(files[0], tmp_path / "a")
    foreign = f"{'0' * 64}  readme.txt\n"
    (tmp_path / "a" / "SHA256SUMS").write_text(foreign + f"{'1' * 64}  {files[0].name}\n")
    (tmp_path / "a" / "strange.SHA256SUMS").write_text("not ours")
    sign_files([tmp_path / "a"], SECOND, progress=Silent())
    make_set(BOTH, tmp_path / "other", volumes=2)
    line = (tmp_path / "other" / "q4.SHA256SUMS").read_text().splitlines()[0]
    assert (tmp_path / "a" / "SHA256SUMS").read_text() == f"{foreign}{line}\n"
    assert (tmp_path / "a" / "strange.SHA256SUMS").read_text() == "not ours"
    assert b"bundle.json.1.sig" not in files[0].read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_volume_keeps_its_mode(bundle, tmp_path):
    files = make_set(bundle, tmp_path / "set", volumes=2)
    files[0].chmod(0o640)
    sign_files([tmp_path / "set"], SECOND, progress=Silent())
    assert [one.stat().st_mode & 0o777 for one in files] == [0o640, 0o644]


def test_a_full_disk_leaves_the_volume_as_it_was(bundle, tmp_path, monkeypatch):
    files = make_set(bundle, tmp_path / "set", volumes=2)
    before = contents(tmp_path / "set")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bundler.core.durable.os.write", full)
    with pytest.raises(HostFault, match=f"{files[0].name}: No space left on device"):
        sign_files([tmp_path / "set"], SECOND, progress=Silent())
    assert contents(tmp_path / "set") == before


def test_a_front_that_volumes_share_is_read_once(bundle, tmp_path, monkeypatch):
    make_set(bundle, tmp_path / "set", volumes=5, parity=1)
    reading, read = signset.front_of, []

    def front_of(path):
        read.append(path.name)
        return reading(path)

    monkeypatch.setattr(signset, "front_of", front_of)
    assert len(sign_files([tmp_path / "set"], SECOND, progress=Silent()).files) == 6
    assert len(read) == 1
