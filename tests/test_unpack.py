import io
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from bundles import (
    HOST,
    OTHER,
    PACKER,
    Packer,
    archive,
    make_bundle,
    request,
    small_content,
    tree,
    unpack_bytes,
)

from bundler.core.metadata import dump_rows
from bundler.core.progress import Silent
from bundler.errors import DamagedFault, HostFault, LockedFault, PolicyFault, SignatureFault
from bundler.offline.deciding import dry_run
from bundler.offline.exporting import exports
from bundler.offline.prefix import check_prefix, locked
from bundler.offline.unpack import unpack

OLD = archive(small_content(1), version=(3, 12, 1))
NEW = archive(small_content(2), version=(3, 13, 5))


@pytest.fixture
def prefix(tmp_path):
    return tmp_path / "prefix with space"


def test_the_tree_is_the_one_that_the_contract_names(prefix):
    unpack_bytes(make_bundle(archives=[NEW]), prefix)
    content, row = NEW
    name = row.url.rsplit("/", 1)[-1]
    mirrored = prefix / "current" / "mirror" / f"own-{row.sha256.short}" / name.replace("%2B", "+")
    cached = prefix / "current" / "python-cache" / f"{row.sha256.short}-{name.replace('%2B', '-')}"
    assert mirrored.read_bytes() == content
    assert mirrored.stat().st_ino == cached.stat().st_ino
    assert json.loads((prefix / "current" / "download-metadata.json").read_bytes())[row.key]["url"] == row.url
    assert (prefix / "current" / "uv.toml").exists()
    ran = subprocess.run([prefix / "current" / "bin" / "uvx"], capture_output=True, text=True, check=True)
    assert ran.stdout == "uvx 0.13.8\n"


def test_the_index_and_its_signature_stay_checkable_on_the_host(prefix, tmp_path):
    unpack_bytes(make_bundle(), prefix)
    (tmp_path / "allowed").write_text(PACKER.line + "\n")
    with (prefix / "current" / "bundle.json").open("rb") as index:
        done = subprocess.run(
            ["ssh-keygen", "-Y", "verify", "-f", tmp_path / "allowed", "-I", "packer@site",
             "-n", "uv-bundler.index.v1", "-s", prefix / "current" / "bundle.json.sig"],
            stdin=index, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("umask", [0o077, 0o000, 0o022])
def test_the_umask_changes_no_mode(prefix, umask):
    before = os.umask(umask)
    try:
        unpack_bytes(make_bundle(), prefix)
    finally:
        os.umask(before)
    for path in [prefix, *prefix.rglob("*")]:
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink():
            continue
        if path.is_dir():
            assert mode == 0o755, path
        elif path.name == "lock":
            assert mode == 0o600
        else:
            assert mode == (0o755 if path.name in ("uv", "uvx") else 0o644), path


def test_the_same_bundle_again_changes_nothing(prefix):
    data = make_bundle()
    unpack_bytes(data, prefix)
    before = tree(prefix)
    _, decision = unpack_bytes(data, prefix)
    assert decision.already_active
    assert tree(prefix) == before


def test_a_damaged_generation_is_built_anew_by_the_same_bundle(prefix):
    data = make_bundle()
    unpack_bytes(data, prefix)
    victim = next((prefix / "current" / "mirror").rglob("*.tar.gz"))
    victim.unlink()
    generation, decision = unpack_bytes(data, prefix)
    assert not decision.already_active
    assert generation.number == 2
    assert victim.exists()


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-1])


def lock_out(path):
    path.chmod(0o600)


@pytest.mark.parametrize("damage", [cut_short, lock_out])
def test_a_file_of_another_size_or_mode_is_no_whole_generation(prefix, damage):
    data = make_bundle()
    unpack_bytes(data, prefix)
    damage(next((prefix / "current" / "mirror").rglob("*.tar.gz")))
    generation, decision = unpack_bytes(data, prefix)
    assert (generation.number, decision.already_active) == (2, False)
    mended = next((prefix / "current" / "mirror").rglob("*.tar.gz"))
    assert mended.read_bytes() == small_content()
    assert stat.S_IMODE(mended.stat().st_mode) == 0o644


def test_content_that_is_there_already_is_linked_not_written(prefix):
    unpack_bytes(make_bundle(archives=[OLD], serial=1), prefix)
    kept = next((prefix / "current" / "mirror").rglob("*3.12.1*"))
    inode = kept.stat().st_ino
    generation, decision = unpack_bytes(make_bundle(archives=[OLD, NEW], serial=2), prefix)
    assert generation.number == 2
    assert NEW[1].key in [one.key for one in decision.plan.write]
    assert OLD[1].key not in [one.key for one in decision.plan.write]
    assert next((prefix / "current" / "mirror").rglob("*3.12.1*")).stat().st_ino == inode
    assert len(list((prefix / "current" / "mirror").rglob("*.tar.gz"))) == 2


def test_content_that_rotted_on_the_host_is_taken_from_the_bundle(prefix):
    unpack_bytes(make_bundle(archives=[OLD], serial=1), prefix)
    rotten = next((prefix / "current" / "mirror").rglob("*3.12.1*"))
    content = bytearray(rotten.read_bytes())
    content[7] ^= 1
    rotten.write_bytes(content)
    unpack_bytes(make_bundle(archives=[OLD, NEW], serial=2), prefix)
    assert next((prefix / "current" / "mirror").rglob("*3.12.1*")).read_bytes() == OLD[0]


def test_a_host_gets_its_own_platform_and_a_list_of_just_that(prefix):
    foreign = archive(small_content(3), platform=OTHER)
    data = make_bundle(archives=[NEW, foreign], uv_for=(HOST, OTHER), platforms=(HOST, OTHER))
    unpack_bytes(data, prefix)
    listed = json.loads((prefix / "current" / "download-metadata.json").read_bytes())
    assert list(listed) == [NEW[1].key]
    assert len(list((prefix / "current").rglob("*.tar.gz"))) == 2
    unpack_bytes(data, prefix, platforms=("all",))
    listed = json.loads((prefix / "current" / "download-metadata.json").read_bytes())
    assert set(listed) == {NEW[1].key, foreign[1].key}


def test_a_stream_that_cannot_seek_gives_the_same_tree(tmp_path):
    foreign = archive(small_content(3), platform=OTHER)
    data = make_bundle(archives=[NEW, foreign], platforms=(HOST, OTHER))
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(data)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        unpack(pipe, request(tmp_path / "a"), name="stdin", progress=Silent())
    os.wait()
    unpack_bytes(data, tmp_path / "b")
    assert set(tree(tmp_path / "a")) == set(tree(tmp_path / "b"))


REFUSALS = [
    ("wrong signer", lambda: make_bundle(serial=9, packers=(Packer(2),)), {}, SignatureFault, "no signature that counts"),
    ("older serial", lambda: make_bundle(serial=6), {}, PolicyFault, "plant-7: serial is 6, expected at least 7, which this host has seen"),
    ("same serial, other content", lambda: make_bundle(archives=[OLD]), {}, PolicyFault, "plant-7: serial 7 was another bundle on this host"),
    ("another name", lambda: make_bundle(name="lab-3", serial=9), {}, PolicyFault, "q4.uvb: is a bundle of 'lab-3', expected 'plant-7', active in "),
    ("another platform", lambda: make_bundle(serial=9, archives=[archive(b"x", platform=OTHER)], uv_for=(), platforms=(OTHER,)), {}, PolicyFault, f"q4.uvb: is for {OTHER}, expected a bundle for this host, {HOST}"),
    ("a platform that is not in it", lambda: make_bundle(serial=9), {"platforms": ("linux-s390x-gnu",)}, PolicyFault, "q4.uvb: has nothing for linux-s390x-gnu, expected one of "),
    ("cut short", lambda: make_bundle(serial=9)[:-1500], {}, DamagedFault, "q4.uvb: "),
    ("something after the end", lambda: make_bundle(serial=9) + b"x", {}, DamagedFault, "expected the end of the file"),
    ("a row with another digest", lambda: make_bundle(serial=9, archives=[NEW], rows=dump_rows([archive(b"evil")[1]])), {}, DamagedFault, "download-metadata.json: cpython-3.13.5"),
    ("a row that is missing", lambda: make_bundle(serial=9, archives=[NEW], rows=b"{}\n"), {}, DamagedFault, "expected a row for this archive, found none"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "changes", "error", "message"), [one[1:] for one in REFUSALS], ids=[one[0] for one in REFUSALS]
)
def test_what_is_refused_leaves_everything_as_it_was(prefix, data, changes, error, message):
    unpack_bytes(make_bundle(), prefix)
    before = tree(prefix)
    with pytest.raises(error) as caught:
        unpack_bytes(data(), prefix, **changes)
    assert message in str(caught.value)
    assert caught.value.hint
    assert tree(prefix) == before
    unpack_bytes(make_bundle(serial=10), prefix)
    assert not (prefix / "staging").exists()


def test_no_space_is_told_before_anything_is_written(prefix, monkeypatch):
    monkeypatch.setattr(
        "shutil.disk_usage", lambda _: os.terminal_size((0, 0)) and type("U", (), {"free": 1000})()
    )
    with pytest.raises(HostFault) as caught:
        unpack_bytes(make_bundle(), prefix)
    assert "1000 B free, expected 16." in str(caught.value)
    assert not (prefix / "generations").exists()
    assert not (prefix / "current").exists()


def test_a_dry_run_writes_nothing_at_all(prefix):
    decision = dry_run(io.BytesIO(make_bundle()), request(prefix), name="q4.uvb")
    assert decision.plan.needed > 3000
    assert not prefix.exists()
    unpack_bytes(make_bundle(archives=[OLD], serial=1), prefix)
    before = tree(prefix)
    decision = dry_run(io.BytesIO(make_bundle(archives=[NEW], serial=2)), request(prefix), name="q4.uvb")
    assert [one.key for one in decision.plan.remove if one.key] == [OLD[1].key]
    assert tree(prefix) == before


def test_a_second_unpack_at_the_same_time_is_turned_away(prefix):
    unpack_bytes(make_bundle(), prefix)
    with locked(check_prefix(prefix)), pytest.raises(LockedFault, match="another uv-bundler is at work on"):
        unpack_bytes(make_bundle(serial=8), prefix)


def test_a_symlinked_prefix_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(HostFault, match="is a symbolic link, expected a folder"):
        unpack_bytes(make_bundle(), tmp_path / "link")
    assert list((tmp_path / "real").iterdir()) == []


@pytest.mark.parametrize("mode", [0o775, 0o777])
def test_a_prefix_that_others_may_write_to_is_refused(tmp_path, mode):
    (tmp_path / "p").mkdir()
    (tmp_path / "p").chmod(mode)
    with pytest.raises(HostFault) as caught:
        unpack_bytes(make_bundle(), tmp_path / "p")
    assert f"mode is {mode:04o}, expected no write for group and others" in str(caught.value)
    assert caught.value.hint == f"chmod go-w {tmp_path / 'p'}"


def test_links_that_wait_inside_the_prefix_lead_nowhere(prefix, tmp_path):
    (tmp_path / "outside").mkdir()
    prefix.mkdir()
    for name in ("generations", "staging", "state"):
        (prefix / name).symlink_to(tmp_path / "outside")
        with pytest.raises(HostFault, match="is a symbolic link"):
            unpack_bytes(make_bundle(), prefix)
        (prefix / name).unlink()
    assert list((tmp_path / "outside").iterdir()) == []


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


def test_a_read_only_prefix_is_named(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root writes through modes; test_hosts.py mounts a read-only file system instead")
    (tmp_path / "p").mkdir()
    (tmp_path / "p").chmod(0o555)
    with pytest.raises(HostFault, match="Permission denied"):
        unpack_bytes(make_bundle(), tmp_path / "p")


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


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.parametrize("name", ["generations", "staging", "state", "python"])
def test_a_folder_of_the_prefix_that_others_may_write_is_refused(prefix, name):
    (prefix / name).mkdir(parents=True)
    (prefix / name).chmod(0o777)
    with pytest.raises(HostFault, match=f"{name}: mode is 0777, expected no write for group and others"):
        unpack_bytes(make_bundle(), prefix)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="needs root, to give a folder away")
@pytest.mark.parametrize("name", ["generations", "staging", "state", "python"])
def test_a_folder_of_the_prefix_that_another_user_planted_is_refused(prefix, name):
    (prefix / name).mkdir(parents=True)
    os.chown(prefix / name, 1234, 1234)
    with pytest.raises(HostFault, match=f"{name}: belongs to user 1234, expected user 0 or root"):
        unpack_bytes(make_bundle(), prefix)


@pytest.mark.parametrize("packer", [PACKER, Packer(9)], ids=["trusted", "unknown"])
def test_a_staging_folder_of_somebody_else_is_left_alone(prefix, packer):
    mine = prefix / "staging" / "web" / "index.html"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(HostFault, match="web: is not from uv-bundler"):
        unpack_bytes(make_bundle(packers=(packer,)), prefix)
    assert mine.read_text() == "mine"


def _fifo(path):
    os.mkfifo(path)


def _link(path):
    path.symlink_to("/dev/zero")


def _dangling(path):
    path.symlink_to(path.parent / "nothing")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs in folders")
@pytest.mark.parametrize("plant", [_fifo, _link, _dangling])
@pytest.mark.parametrize("name", ["state/serials.json", "current/generation.json", "current/bundle.json"])
def test_a_record_that_is_no_regular_file_is_refused_without_waiting(prefix, name, plant):
    unpack_bytes(make_bundle(serial=7), prefix)
    (prefix / name).unlink()
    plant(prefix / name)
    with pytest.raises((HostFault, DamagedFault), match=rf"{Path(name).name}: (is no reg|Too many levels)"):
        unpack_bytes(make_bundle(serial=8), prefix)


@pytest.mark.parametrize("name", ["state/serials.json", "current/generation.json"])
def test_a_record_of_gigabytes_is_refused_after_its_limit(prefix, name):
    unpack_bytes(make_bundle(serial=7), prefix)
    os.truncate(prefix / name, 3 << 30)
    with pytest.raises(DamagedFault, match="expected at most"):
        unpack_bytes(make_bundle(serial=8), prefix)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs in folders")
def test_a_fifo_in_place_of_an_archive_is_written_anew(prefix):
    unpack_bytes(make_bundle(), prefix)
    (held,) = (prefix / "current").resolve().glob("mirror/*/*.tar.gz")
    held.unlink()
    os.mkfifo(held)
    unpack_bytes(make_bundle(), prefix)
    (anew,) = (prefix / "current").glob("mirror/*/*.tar.gz")
    assert anew.is_file()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="needs root, to give a link away")
def test_a_link_of_another_user_on_the_way_to_the_prefix_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    unpack_bytes(make_bundle(), tmp_path / "link" / "prefix")
    os.lchown(tmp_path / "link", 1234, 1234)
    with pytest.raises(HostFault, match="link: is a symbolic link of user 1234, who can turn it elsewhere"):
        unpack_bytes(make_bundle(), tmp_path / "link" / "prefix")


def test_a_tree_for_other_machines_claims_no_uv_for_this_one(prefix):
    foreign = archive(small_content(3), platform=OTHER)
    data = make_bundle(archives=[NEW, foreign], uv_for=(HOST, OTHER), platforms=(HOST, OTHER))
    generation, _ = unpack_bytes(data, prefix, platforms=(str(OTHER),))
    assert "PATH=" not in exports(generation, check_prefix(prefix), shell="sh")
    generation, _ = unpack_bytes(data, prefix, platforms=(str(HOST),))
    assert "PATH=" in exports(generation, check_prefix(prefix), shell="sh")


def test_a_file_that_is_replaced_is_not_called_removed(prefix):
    unpack_bytes(make_bundle(archives=[OLD], serial=1), prefix)
    decision = dry_run(io.BytesIO(make_bundle(archives=[OLD, NEW], serial=2)), request(prefix), name="q4.uvb")
    assert decision.plan.remove == ()
