"""Whether a trust file can be changed by somebody whom its reader need not trust.

The rule is OpenSSH's for `authorized_keys`, and stricter: the file and every folder above it belong to root
or to the user, nobody else may write them, the file is no link, and no link on the way is another user's. A
sticky folder such as `/tmp` is accepted, since nobody can replace another user's entry in it. Windows has no
such modes: there the folder's access list is the administrator's business.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults
from bundler.errors import SignatureFault

if TYPE_CHECKING:
    from pathlib import Path

_SHARED_WRITE = stat.S_IWGRP | stat.S_IWOTH


def check_guarded(path: Path) -> None:
    """Raise `SignatureFault` (exit 3) where others than root and this user could change the file `path`.

    A store that others can write trusts whoever writes it, so nothing it says counts. Raises `HostFault`
    where the path cannot be examined. Must be called before the file is read.
    """
    if os.name == "nt":
        return
    with host_faults(path):
        if path.is_symlink():
            raise SignatureFault(
                f"{path}: a symbolic link, expected a trust store that is a file of its own",
                hint=f"replace the link by a copy: cp --remove-destination {path.resolve()} {path}",
            )
        _check_one(path)
    check_guarded_folder(path.parent)


def check_guarded_folder(folder: Path) -> None:
    """Raise as `check_guarded` does where others could change what lies in `folder`, or what it is."""
    if os.name == "nt":
        return
    with host_faults(folder):
        places = {one for way in (folder.absolute(), folder.resolve()) for one in (way, *way.parents)}
        for place in sorted(places, key=lambda one: (len(one.parts), one), reverse=True):
            if place.is_symlink() and (owner := place.lstat().st_uid) not in (0, os.geteuid()):
                raise SignatureFault(
                    f"{place}: is a symbolic link of user {owner}, who can turn it elsewhere",
                    hint=f"name the folder that it leads to: {folder.resolve()}",
                )
            _check_one(place)


def _check_one(place: Path) -> None:
    state = place.stat()
    if state.st_uid not in (0, os.geteuid()):
        raise SignatureFault(
            f"{place}: belongs to user {state.st_uid}, expected root or the user who runs this",
            hint=f"make sure that its content is right, then: chown root {place}",
        )
    sticky_folder = stat.S_ISDIR(state.st_mode) and state.st_mode & stat.S_ISVTX
    if state.st_mode & _SHARED_WRITE and not sticky_folder:
        raise SignatureFault(
            f"{place}: mode {stat.S_IMODE(state.st_mode):04o} lets others write the trust store, "
            "expected that only its owner can",
            hint=f"make sure that its content is right, then: chmod go-w {place}",
        )
