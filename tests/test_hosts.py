"""Real file systems and real limits: what only root, a mount or a tool can provoke. Each skip says why."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from bundles import PACKER, archive, make_bundle, small_content, tree, unpack_bytes

from bundler.core.progress import Silent
from bundler.offline.verify import verify_bundle

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux mounts")


@pytest.fixture
def mount():
    """Mount things below the test's folder; everything is unmounted afterwards."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount")
    mounted = []

    def run(*words, at):
        at.mkdir(exist_ok=True)
        done = subprocess.run(
            ["mount", *map(str, words), str(at)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"needs to mount, which is not allowed here: {done.stderr.strip()}")
        mounted.append(at)
        return at

    yield run
    for at in reversed(mounted):
        subprocess.run(["umount", "-l", str(at)], check=True)


def command(*words, cwd, **options):
    """Run the command line; return exit code, stdout and the lines on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "bundler", *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False, **options
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr.splitlines()


@pytest.fixture
def site(tmp_path):
    """A folder with an old bundle that is unpacked and a new one that is not."""
    (tmp_path / "trust").write_text(PACKER.line + "\n")
    (tmp_path / "old.uvb").write_bytes(make_bundle(serial=1))
    (tmp_path / "new.uvb").write_bytes(make_bundle(serial=2, archives=[archive(small_content(5, 40 << 20))]))
    return tmp_path


def test_a_full_disk_leaves_the_old_generation(site, mount):
    disk = mount("-t", "tmpfs", "-o", "size=60m,mode=755", "none", at=site / "disk")
    assert command("unpack", "old.uvb", "--trust", "trust", "--prefix", disk / "p", cwd=site)[0] == 0
    before = tree(disk / "p" / "generations"), (disk / "p" / "current").readlink()
    # Free space passes the look beforehand, and is taken away while the bundle is unpacked.
    filler = disk / "filler"
    with filler.open("wb") as stream:
        stream.write(bytes(30 << 20))
    code, out, lines = command("unpack", "new.uvb", "--trust", "trust", "--prefix", disk / "p", cwd=site)
    assert (code, out) == (6, "")
    assert "free, expected 56." in lines[-2]
    assert (tree(disk / "p" / "generations"), (disk / "p" / "current").readlink()) == before
    late = "import shutil; shutil.disk_usage = lambda _: type('U', (), {'free': 1 << 40})(); import bundler.__main__ as m; m.main()"
    done = subprocess.run(
        [sys.executable, "-c", late, "unpack", "new.uvb", "--trust", "trust", "--prefix", disk / "p"],
        cwd=site, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (6, "")
    assert "No space left on device" in done.stderr
    assert "make room on that file system" in done.stderr
    assert (tree(disk / "p" / "generations"), (disk / "p" / "current").readlink()) == before
    filler.unlink()
    assert command("unpack", "new.uvb", "--trust", "trust", "--prefix", disk / "p", cwd=site)[0] == 0


def test_no_inodes_left_is_no_space(site, mount):
    disk = mount("-t", "tmpfs", "-o", "size=80m,nr_inodes=12,mode=755", "none", at=site / "disk")
    code, out, lines = command("unpack", "old.uvb", "--trust", "trust", "--prefix", disk / "p", cwd=site)
    assert (code, out) == (6, "")
    assert "No space left on device" in lines[-2]


def test_a_read_only_prefix_is_told(site, mount):
    real = site / "real"
    unpack_bytes((site / "old.uvb").read_bytes(), real / "p")
    read_only = mount("--bind", real, at=site / "ro")
    subprocess.run(["mount", "-o", "remount,bind,ro", read_only], check=True)
    code, out, lines = command("unpack", "new.uvb", "--trust", "trust", "--prefix", read_only / "p", cwd=site)
    assert (code, out) == (6, "")
    assert "Read-only file system" in lines[-2]
    assert lines[-1].startswith("uv-bundler: next: the file system is read-only")


def test_a_read_only_medium_is_enough(site, mount):
    medium = site / "medium"
    medium.mkdir()
    shutil.move(site / "new.uvb", medium / "new.uvb")
    stick = mount("--bind", medium, at=site / "stick")
    subprocess.run(["mount", "-o", "remount,bind,ro", stick], check=True)
    assert command("verify", stick, "--trust", "trust", cwd=site)[0] == 0
    assert command("unpack", stick, "--trust", "trust", "--prefix", site / "p", cwd=site)[0] == 0


def test_a_stick_with_fat_carries_a_bundle(site):
    for tool in ("mkfs.vfat", "mcopy", "fusefat"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool} (Debian: dosfstools mtools fusefat)")
    image = site / "stick.img"
    with image.open("wb") as stream:
        stream.truncate(128 << 20)
    subprocess.run(["mkfs.vfat", "-F", "32", image], capture_output=True, check=True)
    subprocess.run(["mcopy", "-i", image, site / "new.uvb", "::plant-7-2.uvb"], check=True)
    subprocess.run(["mcopy", "-i", image, "::plant-7-2.uvb", site / "back.uvb"], check=True)
    with (site / "back.uvb").open("rb") as stream:
        verify_bundle(stream, name="back.uvb", trust=PACKER.trust, progress=Silent())
    stick = site / "fat"
    stick.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(["fusefat", "-o", "ro", image, stick], capture_output=True, check=False).returncode
    ):
        pytest.skip("needs root and FUSE to mount the image; reading it with mtools passed")
    try:
        code, out, lines = command("unpack", stick, "--trust", "trust", "--prefix", site / "p", cwd=site)
        assert code == 0, lines
        assert "UV_PYTHON_INSTALL_MIRROR" in out
    finally:
        subprocess.run(["fusermount", "-u", stick], check=True)


def test_a_folder_that_belongs_to_others_is_told(site):
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv to become another user")
    for path in (site, site.parent, site.parent.parent):
        path.chmod(0o755)
    (site / "closed").mkdir(mode=0o755)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-m", "bundler"]
    if subprocess.run([*nobody, "--version"], capture_output=True, check=False).returncode:
        pytest.skip("needs a Python that another user may run")
    done = subprocess.run(
        [*nobody, "unpack", "old.uvb", "--trust", "trust", "--prefix", site / "closed" / "p"],
        cwd=site, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (6, "")
    assert "Permission denied" in done.stderr
    assert "run the command as a user who may write there" in done.stderr
