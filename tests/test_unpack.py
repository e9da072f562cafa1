"""Unpacking a bundle: the tree that it makes, what of an older one is kept, and what is refused."""

import io
import json
import os
import stat
import subprocess

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
