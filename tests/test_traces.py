"""What strace shows of commands on a host: nothing is written before a bundle is verified, and there is no socket."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from bundles import OTHER, PACKER, Packer, archive, make_bundle, small_content, unpack_bytes
from cli import check_refusal
from faulthost import LOG_NAME, lean, outside_log
from syscalls import need_strace, record

from bundler.offline.reader import BundleReader


def options(folder):
    return ("--trust", folder / "trust", "--prefix", folder / "p", "--shell", "sh", "-q")


@pytest.fixture
def site(tmp_path):
    """A medium with a bundle of one archive, and a host that has unpacked nothing."""
    need_strace()
    (tmp_path / "trust").write_text(PACKER.line + "\n")
    medium = tmp_path / "medium"
    medium.mkdir()
    (medium / "q4.uvb").write_bytes(make_bundle())
    return tmp_path


def unsigned(data):
    """Return the bundle without its signature."""
    size = BundleReader(io.BytesIO(data), name="x").read_signed_index().raw
    begin = 512 + len(size) + -len(size) % 512
    length = int(data[begin + 124 : begin + 135], 8)
    return data[:begin] + data[begin + 512 + length + -length % 512 :]


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def hostile_bundles():
    """Return, by name, bundles that must be refused: the bytes, the exit code, and whether a signature holds."""
    data = make_bundle(serial=5, archives=[archive(small_content(9))])
    payload = data.index(small_content(9))
    return {
        "bad signature": (flipped(data, data.index(b'"release"') + 12), 3, False),
        "unsigned": (unsigned(data), 3, False),
        "of a stranger": (make_bundle(serial=5, packers=[Packer(2)]), 3, False),
        "no bundle": (b"x" * 5000, 5, False),
        "truncated in the index": (data[:700], 5, False),
        "truncated": (data[: payload + 100], 5, True),
        "flipped payload": (flipped(data, payload + 100), 5, True),
        "junk appended": (data + b"x", 5, True),
        "of another platform": (make_bundle(serial=5, platforms=(OTHER,), uv_for=(OTHER,), archives=[]), 8, True),
        "of another name": (make_bundle(serial=5, name="other"), 8, True),
        "older": (make_bundle(serial=1), 8, True),
        "of the same serial": (make_bundle(serial=2, archives=[archive(small_content(9))]), 8, True),
    }  # fmt: skip


HOSTILE = hostile_bundles()


@pytest.mark.parametrize("kind", lean(HOSTILE, "bad signature", "unsigned", "flipped payload", "older"))
@pytest.mark.parametrize("state", ["used", pytest.param("blank", marks=pytest.mark.slow)])
def test_a_hostile_bundle_changes_nothing_and_nothing_is_written_before_it_is_verified(site, kind, state):
    data, code, holds = HOSTILE[kind]
    if state == "blank" and kind in ("of another name", "older", "of the same serial"):
        return  # a host that has seen nothing cannot know
    prefix, bundle = site / "p", site / "medium" / "q4.uvb"
    if state == "used":
        unpack_bytes(make_bundle(serial=2), prefix)
    bundle.write_bytes(data)
    before = outside_log(prefix)
    done, calls = record("unpack", bundle, *options(site), cwd=site, log=site / "log")
    check_refusal(done, code, "")
    now = outside_log(prefix)
    assert now == before or (state == "blank" and set(now) <= {"state"})
    allowed = [prefix / "state" / "lock", prefix / "state" / LOG_NAME]
    if state == "blank":
        allowed += [prefix, prefix / "state"]  # the folders that hold lock and log
    if holds:
        allowed += [prefix / "staging"]
    changed = [one for one in calls if one.changes and one.paths and changes_files(one)]
    strangers = [one for one in changed if not within(one, allowed)]
    assert [str(one) for one in strangers] == []
    assert [str(one) for one in calls if one.on_socket] == []


def changes_files(call):
    """Return whether a call that may change files did: not a pipe, and it worked."""
    return call.result >= 0 and any(
        path.startswith("/") and not path.startswith("/dev/") for path in call.paths
    )


def within(call, allowed):
    """Return whether everything that the call concerns is one of these, or lies in `staging`."""
    touched = call.paths[-1:] if call.name == "linkat" else call.paths  # what it links to stays as it is
    return all(
        Path(path) in allowed or any(one.name == "staging" and one in Path(path).parents for one in allowed)
        for path in touched
    )


OFFLINE = (
    ("unpack", "medium", "--prefix", "p", "--trust", "trust", "--shell", "sh"),
    ("unpack", "medium", "--prefix", "p", "--trust", "trust", "--dry-run"),
    ("verify", "medium", "--trust", "trust"),
    ("inspect", "medium"),
    ("receive", "--watch", "medium", "--into", "spool", "--trust", "trust", "--once", "--settle", "0", "--keep"),
    ("env", "--prefix", "p", "--shell", "sh"),
    ("status", "--prefix", "p"),
    ("doctor", "--prefix", "p"),
    ("trust", "import", "packer.pub", "--expect", PACKER.key.fingerprint, "--store", "store"),
    ("trust", "list", "--store", "shared/allowed_signers"),
    ("trust", "export", "--allowed-signers", "--store", "shared/allowed_signers"),
)  # fmt: skip


@pytest.mark.parametrize("words", lean(OFFLINE, *OFFLINE[0:4:2], OFFLINE[7]))
def test_an_offline_command_makes_no_socket_of_any_kind(site, words):
    bundle = (site / "medium" / "q4.uvb").read_bytes()
    (site / "packer.pub").write_text(f"{PACKER.key} packer@site\n")
    for name in ("store", "shared"):
        (site / name).mkdir(mode=0o755)
    (site / "shared" / "allowed_signers").write_text(PACKER.line + "\n")
    if words[0] in ("env", "status", "doctor"):
        unpack_bytes(bundle, site / "p")
    done, calls = record(*words, cwd=site, log=site / "log", env={"HOME": site})
    assert done.code in ((0, 2) if words[0] == "doctor" else (0,)), done.stderr
    assert [str(one) for one in calls if one.on_socket] == []
