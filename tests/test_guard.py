"""Who could have changed a trust file."""

from __future__ import annotations

import os

import pytest

from bundler.errors import HostFault, SignatureFault
from bundler.signing.guard import check_guarded

if os.name == "nt":
    pytest.skip("needs POSIX modes and owners", allow_module_level=True)


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o755)
    path = folder / "allowed_signers"
    path.write_text("# empty\n")
    path.chmod(0o644)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o444])
def test_a_file_that_only_its_owner_writes_is_accepted(store, mode):
    store.chmod(mode)
    check_guarded(store)


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o622])
@pytest.mark.parametrize("which", ["file", "folder"])
def test_what_others_can_write_is_refused(store, mode, which):
    place = store if which == "file" else store.parent
    place.chmod(mode | 0o111)
    with pytest.raises(SignatureFault) as caught:
        check_guarded(store)
    assert caught.value.message == (
        f"{place}: mode {mode | 0o111:04o} lets others write the trust store, expected that only its owner can"
    )
    assert caught.value.hint == f"make sure that its content is right, then: chmod go-w {place}"


def test_a_folder_further_up_counts_too(store):
    above = store.parent.parent
    mode = above.stat().st_mode & 0o777
    above.chmod(0o777)
    try:
        with pytest.raises(SignatureFault, match="lets others write"):
            check_guarded(store)
        above.chmod(0o1777)  # sticky, as /tmp is: nobody can replace another user's entry
        check_guarded(store)
    finally:
        above.chmod(mode)


def test_a_symbolic_link_is_refused(store):
    link = store.with_name("link")
    link.symlink_to(store)
    with pytest.raises(SignatureFault) as caught:
        check_guarded(link)
    assert caught.value.message == (
        f"{link}: a symbolic link, expected a trust store that is a file of its own"
    )


def test_a_link_to_its_folder_is_followed_and_both_sides_are_checked(store, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(store.parent)
    check_guarded(link / store.name)
    store.parent.chmod(0o777)
    with pytest.raises(SignatureFault, match="lets others write"):
        check_guarded(link / store.name)


def test_the_folders_above_what_a_link_points_to_are_checked(store, tmp_path):
    link = tmp_path / "elsewhere" / "link"
    link.parent.mkdir(mode=0o755)
    inner = store.parent / "inner"
    inner.mkdir(mode=0o755)
    moved = store.rename(inner / store.name)
    link.symlink_to(inner)
    check_guarded(link / moved.name)
    store.parent.chmod(0o777)  # above `inner`, and nowhere on the way that the link hides
    with pytest.raises(SignatureFault, match="lets others write"):
        check_guarded(link / moved.name)


@pytest.mark.parametrize("which", ["file", "folder"])
def test_what_belongs_to_another_user_is_refused(store, which):
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a file away")
    place = store if which == "file" else store.parent
    os.chown(place, 4711, -1)
    with pytest.raises(SignatureFault) as caught:
        check_guarded(store)
    assert caught.value.message == (f"{place}: belongs to user 4711, expected root or the user who runs this")


def test_a_file_that_is_not_there_is_a_host_fault(store):
    with pytest.raises(HostFault):
        check_guarded(store.with_name("other"))


def test_a_link_of_another_user_on_the_way_is_refused_wherever_it_leads(store, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a link away")
    link = tmp_path / "link"
    link.symlink_to(store.parent)
    os.chown(link, 4711, -1, follow_symlinks=False)
    with pytest.raises(SignatureFault) as caught:
        check_guarded(link / store.name)
    assert caught.value.message == f"{link}: is a symbolic link of user 4711, who can turn it elsewhere"
    assert caught.value.hint == f"name the folder that it leads to: {store.parent}"
