"""What a host refuses: no space, no permission, unsafe prefixes, Ctrl-C; what was there stays as it was."""

import io
import os
import signal
import subprocess
import sys
import time

import pytest
from bundles import archive, make_bundle, small_content, tree
from cli import Desk, Done, bundler, check_refusal, command, environment, process, used_desk

resource = pytest.importorskip("resource", reason="needs POSIX: limits, users, signals")
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
LARGE = make_bundle(serial=8, archives=[archive(small_content(6, size=3_000_000))])


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.fixture
def used(tmp_path):
    yield from used_desk(tmp_path)


@pytest.fixture
def as_nobody(tmp_path):
    """Return the words that give up root's rights; what follows them can read all of the test's folder."""
    if os.geteuid() != 0:
        return ()
    if subprocess.run(
        [*NOBODY, sys.executable, "-c", "import bundler.commands.app"], env=environment(), check=False
    ).returncode:
        pytest.skip("needs setpriv, and a Python that other users can start")
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    return NOBODY


def limit_files():
    """Let no file grow beyond 1 MiB in the process that is about to start."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


def test_a_file_that_cannot_grow_ends_the_unpack_and_nothing_else(used):
    used.bundle.write_bytes(LARGE)
    done = used.unpack_process(preexec_fn=limit_files)
    check_refusal(done, 6, "File too large", "`ulimit -f`")
    assert ".tar.gz: File too large" in done.stderr


@pytest.fixture
def small_disk(tmp_path):
    """Return a folder on a file system of 20 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m,mode=755", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_too_little_space_is_told_before_anything_is_written(desk, small_disk):
    desk.prefix = small_disk / "prefix"
    (small_disk / "ballast").write_bytes(bytes(16 << 20))
    done = desk.unpack()
    check_refusal(done, 6, "MiB free, expected 16.0 MiB", "choose another --prefix")
    assert not (desk.prefix / "generations").exists()
    assert not (desk.prefix / "current").exists()


def test_space_that_runs_out_while_it_is_written_leaves_the_old_state(desk, small_disk):
    desk.prefix = small_disk / "prefix"
    assert desk.unpack().code == 0
    before = desk.state()
    desk.bundle.write_bytes(LARGE)
    # Somebody else fills the disk after the check: 19 MiB were free, 16 + 3 are asked for, 2 are left.
    code = (
        "import shutil, sys; from bundler.__main__ import main\n"
        "real = shutil.disk_usage\n"
        "def fill(folder):\n"
        "    found = real(folder)\n"
        f"    open({str(small_disk / 'ballast')!r}, 'wb').write(bytes(found.free - (2 << 20)))\n"
        "    return type(found)(found.total, found.used, 1 << 40)\n"
        "shutil.disk_usage = fill\n"
        "main()\n"
    )
    words = [sys.executable, "-c", code, "unpack", desk.bundle, *desk.options]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)
    check_refusal(Done(done.returncode, done.stdout, done.stderr), 6, "No space left on device", "`df -h`")
    assert desk.state() == before
    (small_disk / "ballast").unlink()
    assert desk.unpack().code == 0


def test_a_read_only_file_system_is_told(desk, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    desk.prefix = small_disk / "prefix"
    check_refusal(desk.unpack(), 6, "Read-only file system", "remount it writable")


def test_a_read_only_prefix_is_told_and_stays(used):
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a folder read-only")
    words = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs mount namespaces")
    used.bundle.write_bytes(LARGE)
    done = used.unpack_process(before=["unshare", "-m", "sh", "-c", words, "sh", used.prefix])
    check_refusal(done, 6, "Read-only file system", "remount it writable")


@pytest.mark.parametrize("words", [(), ("--dry-run",)], ids=["unpack", "dry-run"])
def test_somebody_elses_prefix_is_refused(used, as_nobody, words):
    if not as_nobody:
        pytest.skip("needs root, to be somebody else")
    for folder, _, _ in os.walk(used.prefix):
        os.chown(folder, 12345, 12345)
    check_refusal(
        used.unpack_process(*words, before=as_nobody), 6, "belongs to user 12345, expected user 65534 or root"
    )
    for folder, _, _ in os.walk(used.prefix):
        os.chown(folder, 0, 0)


def test_a_prefix_that_one_may_not_write_is_refused(used, as_nobody):
    used.bundle.write_bytes(LARGE)
    used.prefix.chmod(0o555)
    done = used.unpack_process(before=as_nobody)
    used.prefix.chmod(0o755)
    check_refusal(done, 6, "Permission denied", "a user who may write there")


def test_a_folder_that_one_may_not_write_takes_no_prefix(desk, as_nobody):
    desk.folder.chmod(0o555)
    done = desk.unpack_process(before=as_nobody)
    desk.folder.chmod(0o755)
    check_refusal(done, 6, f"{desk.prefix}: Permission denied", "choose another place")
    assert not desk.prefix.exists()


@pytest.mark.parametrize("what", ["bundle", "trust"])
@pytest.mark.parametrize("name", ["unpack", "verify"])
def test_what_one_may_not_read_is_a_host_fault(desk, as_nobody, what, name):
    getattr(desk, what).chmod(0)
    more = ("--prefix", desk.prefix) if name == "unpack" else ()
    done = process(name, desk.bundle, "--trust", desk.trust, *more, before=as_nobody)
    check_refusal(done, 6, f"{getattr(desk, what)}: ", "")
    assert "Permission denied" in done.stderr


def test_a_folder_of_bundles_that_one_may_not_list_is_a_host_fault(desk, as_nobody):
    (desk.folder / "closed").mkdir(mode=0o000)
    check_refusal(
        process("inspect", desk.folder / "closed", before=as_nobody), 6, "closed: Permission denied"
    )


def unsafe_prefixes(desk):
    real = desk.folder / "real"
    real.mkdir()
    desk.prefix.symlink_to(real)
    yield "is a symbolic link, expected a folder", "name the folder itself"
    desk.prefix.unlink()
    desk.prefix.write_text("a file")
    yield "is a file, expected a folder", "choose another --prefix"
    desk.prefix.unlink()
    for mode in (0o777, 0o775):
        desk.prefix.mkdir()
        desk.prefix.chmod(mode)
        yield f"mode is {mode:04o}, expected no write for group and others", "chmod go-w"
        desk.prefix.rmdir()
    for name in ("generations", "staging", "state", "python"):
        desk.prefix.mkdir()
        (desk.prefix / name).symlink_to(real)
        yield f"{name}: is a symbolic link, expected a folder", "name the folder itself"
        (desk.prefix / name).unlink()
        desk.prefix.rmdir()


@pytest.mark.parametrize("words", [(), ("--dry-run",)], ids=["unpack", "dry-run"])
def test_a_prefix_that_is_not_safe_is_refused_and_stays(desk, words):
    for message, hint in unsafe_prefixes(desk):
        before = tree(desk.folder)
        check_refusal(desk.unpack(*words), 6, message, hint)
        assert tree(desk.folder) == before


@pytest.mark.parametrize("name", ["a:b", "a\nb", "a\x1b[2Jb"])
def test_a_prefix_that_no_path_can_name_is_refused(desk, name):
    desk.prefix = desk.folder / name
    check_refusal(desk.unpack(), 6, "which no PATH can name", "choose another --prefix")
    assert not desk.prefix.exists()


def test_a_form_that_cannot_name_the_prefix_is_refused_before_the_work(used):
    before = tree(used.folder)
    used.bundle.write_bytes(LARGE)
    prefix = used.folder / 'odd"prefix'
    done = bundler("unpack", used.bundle, "--trust", used.trust, "--prefix", prefix, "--shell", "cmd")
    check_refusal(done, 6, "which the form 'cmd' cannot say", "choose another --prefix, or another --shell")
    assert not prefix.exists()
    assert set(tree(used.folder)) == set(before)


ENDS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(("number", "code"), ENDS, ids=["ctrl-c", "kill", "hangup"])
def test_a_signal_during_an_unpack_leaves_the_old_state(used, number, code):
    data = io.BytesIO(LARGE)
    running = subprocess.Popen(
        command("unpack", "-", *used.options), env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    running.stdin.write(data.read(1_500_000))
    running.stdin.flush()
    staging = used.prefix / "staging"
    for _ in range(600):
        if staging.exists() and any(one.stat().st_size for one in staging.rglob("*.tar.gz")):
            break
        time.sleep(0.05)
    else:
        pytest.fail("the unpack never began to write")
    running.send_signal(number)
    stdout, stderr = running.communicate(timeout=60)
    assert (running.returncode, stdout) == (code, b"")
    assert stderr.decode() == "uv-bundler: stopped; nothing half-done is left visible\n"


@pytest.mark.parametrize("name", ["env", "status"])
def test_a_prefix_with_nothing_in_it_says_so(desk, name):
    check_refusal(
        bundler(name, "--prefix", desk.prefix),
        2,
        f"{desk.prefix}: nothing is unpacked here",
        "unpack a bundle first",
    )


@pytest.mark.parametrize("name", ["env", "status", "unpack"])
def test_a_broken_record_of_the_generation_is_told(desk, name):
    assert desk.unpack().code == 0
    (desk.prefix / "current" / "generation.json").write_bytes(b"{}")
    before = tree(desk.prefix)
    done = desk.unpack() if name == "unpack" else bundler(name, "--prefix", desk.prefix)
    check_refusal(done, 5, "generation.json: number: missing, but required", "unpack again")
    assert tree(desk.prefix) == before


def test_a_medium_that_fails_while_it_is_read_is_named():
    if not os.access("/proc/self/mem", os.R_OK):
        pytest.skip("needs a file whose reading fails: /proc/self/mem")
    check_refusal(
        process("inspect", "/proc/self/mem"), 6, "/proc/self/mem: Input/output error", "check the medium"
    )


def test_a_user_without_a_home_is_told(as_nobody, monkeypatch):
    if not as_nobody:
        pytest.skip("needs root, to be a user without an entry")
    monkeypatch.delenv("HOME", raising=False)
    done = process("status", before=[word.replace("65534", "54321") for word in as_nobody])
    check_refusal(done, 6, "HOME: is not set, and this user has no entry", "export HOME=FOLDER")


def test_a_prefix_for_all_users_is_pointed_at(desk, monkeypatch):
    assert desk.unpack().code == 0
    monkeypatch.setattr("bundler.offline.prefix.system_prefix", lambda: desk.prefix)
    monkeypatch.setattr("bundler.offline.prefix.default_prefix", lambda: desk.folder / "mine")
    check_refusal(bundler("env"), 2, "mine: nothing is unpacked here", f"add --prefix {desk.prefix}")
