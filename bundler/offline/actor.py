"""Who runs this, and where, as the audit log says it (FORMAT.md §10); no network is asked."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from bundler.core.durable import read_own

_MAX_PASSWD = 1 << 20  # bytes of /etc/passwd that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The user of this process, who became it by sudo if anybody did, and the name of the machine.

    `sudo_user` is what the environment says: sudo sets it, and so can whoever is root already.
    """

    user: str
    uid: int | None
    sudo_user: str | None
    host: str


def whoami() -> Actor:
    """Return who runs this process; a user whose name is not known here goes by their number."""
    if sys.platform == "win32":
        env = os.environ
        return Actor(
            user=env.get("USERNAME") or "unknown",
            uid=None,
            sudo_user=None,
            host=env.get("COMPUTERNAME") or "unknown",
        )
    uid = os.getuid()
    return Actor(
        user=_name_of(uid) or str(uid),
        uid=uid,
        sudo_user=os.environ.get("SUDO_USER") or None,
        host=os.uname().nodename or "unknown",
    )


def _name_of(uid: int) -> str | None:
    if sys.platform == "darwin":  # whose people are not in the file
        import pwd

        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return None
    # The file itself: `getpwuid` opens a socket to nscd, and may ask a directory over the network.
    try:
        known = read_own(Path("/etc/passwd"), limit=_MAX_PASSWD)
    except OSError:
        return None
    for line in known.splitlines():
        name, *fields = line.decode("utf-8", "surrogateescape").split(":")
        if len(fields) >= 2 and fields[1] == str(uid) and name:
            return name
    return None
