"""The order of an unpack's writes: all is synced before the switch, and a run that stopped on the way is swept."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from bundles import make_bundle, unpack_bytes


@pytest.fixture
def prefix(tmp_path):
    return tmp_path / "prefix with space"


def test_what_a_crash_left_in_staging_is_swept(prefix):
    (prefix / "staging" / "1" / "mirror").mkdir(parents=True)
    (prefix / "staging" / "1" / "mirror" / "half").write_bytes(b"half")
    unpack_bytes(make_bundle(), prefix)
    assert not (prefix / "staging").exists()


def test_the_serial_survives_a_crash_before_the_switch(prefix, monkeypatch):
    unpack_bytes(make_bundle(serial=1), prefix)
    link = (prefix / "current").readlink()

    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("bundler.offline.activate.activate", crash)
    with pytest.raises(KeyboardInterrupt):
        unpack_bytes(make_bundle(serial=2), prefix)
    assert (prefix / "current").readlink() == link
    monkeypatch.undo()
    generation, _ = unpack_bytes(make_bundle(serial=2), prefix)
    assert generation.serial == 2


def test_every_fsync_comes_before_the_switch(prefix, tmp_path):
    if subprocess.run(["sh", "-c", "command -v strace"], capture_output=True, check=False).returncode:
        pytest.skip("needs strace to watch the system calls")
    (tmp_path / "q4.uvb").write_bytes(make_bundle())
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from bundles import *; "
        "unpack_bytes(open(sys.argv[2], 'rb').read(), __import__('pathlib').Path(sys.argv[3]))"
    )
    log = tmp_path / "log"
    done = subprocess.run(
        ["strace", "-f", "-y", "-s", "400", "-o", log, "-e", "trace=fsync,rename,renameat,renameat2,socket",
         sys.executable, "-c", code, Path(__file__).parent, tmp_path / "q4.uvb", prefix],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode and "ptrace" in done.stderr:
        pytest.skip("tracing is not allowed here")
    assert done.returncode == 0, done.stderr
    calls = log.read_text().splitlines()
    renames = [number for number, line in enumerate(calls) if "rename" in line and str(prefix) in line]
    assert len(renames) == 4
    marked, published, switched, cleared = (calls[number] for number in renames)
    assert "serials.json" in marked
    assert "staging/1" in published
    assert ".current.new" in switched
    assert "serials.json" in cleared
    synced = {found[1] for line in calls[: renames[0]] if (found := re.search(r"fsync\(\d+<([^>]*)>", line))}
    inodes = {path.stat().st_ino: path for path in (prefix / "current").rglob("*") if path.is_file()}
    staged = str(prefix / "staging" / "1")
    for path in inodes.values():  # one name of each file: links share what was synced
        names = [one for one in (prefix / "current").rglob("*") if one.is_file() and one.samefile(path)]
        assert synced & {f"{staged}/{one.relative_to(prefix / 'current')}" for one in names}, path
    for folder in [path for path in (prefix / "current").rglob("*") if path.is_dir()]:
        assert f"{staged}/{folder.relative_to(prefix / 'current')}" in synced
    assert not any("socket(AF_INET" in line for line in calls)
