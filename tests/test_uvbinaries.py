"""uv's programs out of wheels, good ones and bad ones."""

import io
import zipfile

import pytest
from uvlists import LINUX, WINDOWS, wheel_of

from bundler.connected.uvbinaries import extract_binaries
from bundler.errors import DamagedFault, HostFault

NAME = "uv-0.13.8-py3-none-any.whl"


@pytest.fixture
def into(tmp_path):
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


def extract(data, into, platform=LINUX):
    wheel = into.parent / NAME
    wheel.write_bytes(data)
    return extract_binaries(wheel, into, platform)


def test_the_programs_come_out_runnable(into):
    programs = extract(wheel_of("0.13.8"), into)
    assert programs == {"uv": into / "uv", "uvx": into / "uvx"}
    assert (into / "uv").read_bytes() == b"program uv 0.13.8"
    assert (into / "uv").stat().st_mode & 0o777 == 0o755


def test_windows_has_its_own_names_and_uvw_where_the_wheel_has_it(into):
    names = ["uv.exe", "uvx.exe"]
    assert list(extract(wheel_of("0.13.8", programs=names), into, WINDOWS)) == names
    for path in into.iterdir():
        path.unlink()
    names.append("uvw.exe")
    assert list(extract(wheel_of("0.13.8", programs=names), into, WINDOWS)) == names


def test_nothing_but_the_known_names_comes_out(into):
    extract(wheel_of("0.13.8", programs=["uv", "uvx", "uvw", "evil", "../evil"]), into)
    assert sorted(path.name for path in into.iterdir()) == ["uv", "uvx"]


def twice():
    packed = io.BytesIO(wheel_of("0.13.8"))
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("uv-0.0.1.data/scripts/uv", b"another")
    return packed.getvalue()


def cut(data):
    return data[: len(data) // 2]


def flipped(data):
    at = data.index(b"scripts/uv") + len(b"scripts/uv") + 3
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (wheel_of("0.13.8", wrong="uv"), "uv-0.13.8.data/scripts/uv differs from its RECORD"),
        (wheel_of("0.13.8", wrong="uvx"), "uv-0.13.8.data/scripts/uvx differs from its RECORD"),
        (wheel_of("0.13.8", unlisted="uv"), "its RECORD does not name uv-0.13.8.data/scripts/uv"),
        (wheel_of("0.13.8", programs=["uv"]), "expected uvx once in its scripts, found it 0 times"),
        (twice(), "expected uv once in its scripts, found it 2 times"),
        (wheel_of("0.13.8").replace(b"dist-info/RECORD", b"dist-info/RECURD"), "it has no RECORD"),
        (cut(wheel_of("0.13.8")), "File is not a zip file"),
        (flipped(wheel_of("0.13.8")), ""),
        (b"", "File is not a zip file"),
    ],
)
def test_a_wheel_that_does_not_fit_leaves_nothing_behind(data, why, into):
    with pytest.raises(DamagedFault) as caught:
        extract(data, into)
    assert caught.value.message.startswith(f"{NAME}: cannot be read as a wheel of uv: ")
    assert why in caught.value.message
    assert list(into.iterdir()) == []


def test_a_file_that_is_there_already_is_not_touched(into):
    (into / "uvx").write_text("mine")
    with pytest.raises(HostFault):
        extract(wheel_of("0.13.8"), into)
    assert [(path.name, path.read_text()) for path in into.iterdir()] == [("uvx", "mine")]


def test_a_folder_that_is_not_there_is_reported(tmp_path):
    (tmp_path / NAME).write_bytes(wheel_of("0.13.8"))
    with pytest.raises(HostFault, match="no such file"):
        extract_binaries(tmp_path / NAME, tmp_path / "none", LINUX)
