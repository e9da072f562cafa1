"""Keys that never count on this machine: how the list is read, and how a key comes into it."""

from __future__ import annotations

import contextlib
import os
import stat

import pytest
from bundles import Packer, tree
from hypothesis import given
from hypothesis import strategies as st

from bundler.core.durable import try_lock
from bundler.core.fault import Fault
from bundler.errors import LockedFault, SignatureFault, UsageFault
from bundler.signing.revocation import parse_revoked, read_revoked, revoke
from bundler.signing.storefolder import alone_in

ANNA, BEN = Packer(1).key, Packer(2).key


@pytest.fixture
def store(tmp_path):
    return tmp_path / "etc" / "uv-bundler"


def test_lines_are_fingerprint_and_reason():
    text = f"# lost and found\n\n{ANNA.fingerprint} laptop lost\r\n  {BEN.fingerprint}  left  the company \n"
    assert parse_revoked(text.encode()) == {
        ANNA.fingerprint: "laptop lost",
        BEN.fingerprint: "left  the company",
    }


def test_of_two_lines_for_one_key_the_first_tells_why():
    text = f"{ANNA.fingerprint} first\n{ANNA.fingerprint} second\n"
    assert parse_revoked(text.encode()) == {ANNA.fingerprint: "first"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (str(ANNA), "expected a fingerprint: SHA256: and 43 characters, found 'ssh-ed25519'"),
        (f"{ANNA.fingerprint[:-1]} lost", f"expected a fingerprint: SHA256: and 43 characters, found '{ANNA.fingerprint[:-1]}'"),
        (f"{ANNA.fingerprint}\tlost", f"expected a fingerprint: SHA256: and 43 characters, found '{ANNA.fingerprint}\\tlost'"),
        (f"MD5:{'00' * 16} lost", f"expected a fingerprint: SHA256: and 43 characters, found 'MD5:{'00' * 16}'"),
        (ANNA.fingerprint, "expected a reason of 1 to 200 characters"),
        (f"{ANNA.fingerprint} {'x' * 201}", "expected a reason of 1 to 200 characters"),
    ],
)  # fmt: skip
def test_a_line_that_does_not_fit_makes_the_whole_list_invalid(line, message):
    with pytest.raises(Fault) as caught:
        parse_revoked(f"{BEN.fingerprint} lost\n{line}\n".encode())
    assert (caught.value.path, caught.value.message) == ((2,), message)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    with contextlib.suppress(Fault):
        assert isinstance(parse_revoked(data), dict)


def test_a_key_is_revoked_by_fingerprint_or_by_its_file(store, tmp_path):
    done = revoke(ANNA.fingerprint, reason=" laptop lost ", folder=store)
    assert (done.fingerprint, done.reason, done.is_new) == (ANNA.fingerprint, "laptop lost", True)
    (tmp_path / "ben.pub").write_text(f"{BEN} ben@site\n")
    assert revoke(str(tmp_path / "ben.pub"), reason="left", folder=store).fingerprint == BEN.fingerprint
    assert (store / "revoked_keys").read_text() == f"{ANNA.fingerprint} laptop lost\n{BEN.fingerprint} left\n"
    assert read_revoked(store) == {ANNA.fingerprint: "laptop lost", BEN.fingerprint: "left"}


def test_revoking_again_changes_nothing(store):
    revoke(ANNA.fingerprint, reason="lost", folder=store)
    before = tree(store)
    done = revoke(ANNA.fingerprint, reason="another reason", folder=store)
    assert (done.is_new, done.reason) == (False, "lost")
    assert tree(store) == before


def test_what_a_person_wrote_into_the_list_stays_to_the_byte(store):
    store.mkdir(parents=True, mode=0o755)
    written = f"# by hand\n\n{BEN.fingerprint}   left  \n# no line end"
    (store / "revoked_keys").write_text(written)
    (store / "revoked_keys").chmod(0o644)
    revoke(ANNA.fingerprint, reason="lost", folder=store)
    assert (store / "revoked_keys").read_text() == f"{written}\n{ANNA.fingerprint} lost\n"


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_list_has_the_same_modes_under_any_umask(store, umask):
    before = os.umask(umask)
    try:
        revoke(ANNA.fingerprint, reason="lost", folder=store)
    finally:
        os.umask(before)
    assert [one.stat().st_mode & 0o777 for one in (store / "revoked_keys", store)] == [0o644, 0o755]
    assert [one.name for one in store.iterdir()] == ["revoked_keys"]


@pytest.mark.parametrize(
    ("target", "reason", "message"),
    [
        ("SHA256:short", "lost", "expected a fingerprint: SHA256: and 43 characters, found 'SHA256:short'"),
        (ANNA.fingerprint, "  ", "--reason: expected one line of 1 to 200 printable characters"),
        (ANNA.fingerprint, "x" * 201, "--reason: expected one line of 1 to 200 printable characters"),
        (ANNA.fingerprint, "one\ntwo", "--reason: expected one line of 1 to 200 printable characters"),
        (ANNA.fingerprint, "\x1b[2J", "--reason: expected one line of 1 to 200 printable characters"),
        ("two", "lost", "two: 2 keys, expected the one to revoke"),
        ("none", "lost", "none: no such file, expected an OpenSSH public key or an allowed_signers file"),
    ],
)
def test_what_names_no_key_or_no_reason_is_refused(store, monkeypatch, target, reason, message):
    top = store.parents[1]
    monkeypatch.chdir(top)
    (top / "two").write_text(f"anna {ANNA}\nben {BEN}\n")
    with pytest.raises(UsageFault) as caught:
        revoke(target, reason=reason, folder=store)
    assert caught.value.message == message
    assert caught.value.hint
    assert not store.exists()


def test_a_store_that_is_a_single_file_has_no_place_for_it(tmp_path):
    (tmp_path / "keys").write_text(f"anna {ANNA}\n")
    with pytest.raises(UsageFault, match="keys: a file, expected the folder of a trust store"):
        revoke(ANNA.fingerprint, reason="lost", folder=tmp_path / "keys")
    assert [one.name for one in tmp_path.iterdir()] == ["keys"]


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
def test_a_list_that_others_can_write_is_refused_and_left_alone(store):
    revoke(ANNA.fingerprint, reason="lost", folder=store)
    for place, mode in ((store / "revoked_keys", 0o666), (store, 0o777)):
        place.chmod(mode)
        before = tree(store)
        for act in (lambda: read_revoked(store), lambda: revoke(BEN.fingerprint, reason="x", folder=store)):
            with pytest.raises(SignatureFault, match="lets others write the trust store"):
                act()
        assert tree(store) == before
        place.chmod(mode & 0o755)


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
def test_no_list_is_begun_in_a_folder_that_others_can_write(store):
    store.mkdir(parents=True)
    store.chmod(0o777)
    with pytest.raises(SignatureFault, match="lets others write the trust store"):
        revoke(ANNA.fingerprint, reason="lost", folder=store)
    assert list(store.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
def test_no_folder_is_made_where_others_can_write(store):
    store.parent.mkdir()
    store.parent.chmod(0o777)
    with pytest.raises(SignatureFault, match="lets others write the trust store"):
        revoke(ANNA.fingerprint, reason="lost", folder=store / "deeper")
    assert list(store.parent.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="a folder cannot be locked there")
def test_whoever_may_only_read_the_store_cannot_keep_a_key_from_being_revoked(store):
    store.mkdir(parents=True, mode=0o755)
    reader = os.open(store, os.O_RDONLY)  # every user may have that, and lock what they have open
    try:
        assert try_lock(reader)
        assert revoke(ANNA.fingerprint, reason="lost", folder=store).is_new
        with alone_in(store):
            (lock,) = set(store.iterdir()) - {store / "revoked_keys"}
            assert stat.S_IMODE(lock.stat().st_mode) == 0o600, "nobody else can open what is locked"
    finally:
        os.close(reader)
    assert [one.name for one in store.iterdir()] == ["revoked_keys"]


@pytest.mark.skipif(os.name == "nt", reason="a folder cannot be locked there")
def test_a_lock_that_its_last_holder_removed_is_not_the_lock(store, monkeypatch):
    store.mkdir(parents=True, mode=0o755)
    tries = []

    def late(handle):
        tries.append(handle)
        if len(tries) == 1:  # between opening and locking it the other one has ended
            (store / ".lock").unlink()
        return try_lock(handle)

    monkeypatch.setattr("bundler.signing.storefolder.try_lock", late)
    with alone_in(store), pytest.raises(LockedFault), alone_in(store):
        pass
    assert len(tries) == 3


@pytest.mark.skipif(os.name == "nt", reason="a folder cannot be locked there")
def test_two_do_not_change_the_list_at_once(store):
    revoke(ANNA.fingerprint, reason="lost", folder=store)
    with alone_in(store), pytest.raises(LockedFault):
        revoke(BEN.fingerprint, reason="lost", folder=store)
