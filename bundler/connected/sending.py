"""Put files into the drop folder of a data diode, which somebody else empties (FORMAT.md §17, "Diodes").

A file has a name that begins with a dot until all of it is there and durable. What still lies under a name
was not taken yet, so it is waited for and never replaced. There is no state: a second run sends all again.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundler.connected.parcels import rounds
from bundler.core.durable import host_faults, real_path
from bundler.core.locks import lock_folder
from bundler.core.text import counted, duration, size
from bundler.errors import DamagedFault, HostFault, LockedFault, UsageFault
from bundler.media.copying import put_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from bundler.connected.parcels import Consignment, Parcel
    from bundler.core.digest import Digest
    from bundler.core.progress import Progress

LOOK_EVERY = 1.0  # seconds between two looks at a folder that is waited for
_SAY_EVERY = 60.0  # seconds between two lines that say so


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How files are sent; times in seconds, sizes in bytes.

    `give_up` says how long nothing may be taken from a folder that is waited for; 0 is for ever.
    """

    drop: Path
    repeat: int = 1
    interleave: bool = False
    interval: float = 0
    max_inflight: int | None = None
    give_up: float = 3600
    clock: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], object] = field(default=time.sleep)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What was sent in all rounds, and its bytes."""

    files: int
    size: int


def send(consignments: Sequence[Consignment], how: Sending, *, progress: Progress) -> Sent:
    """Copy the files into the drop folder, round after round; each appears there whole, under its name.

    Raises `HostFault` where the folder cannot be written or nobody empties it, `LockedFault`, `UsageFault`
    where it is the one that is read, and `DamagedFault` where a file changed between two rounds.
    """
    drop = real_path(how.drop)
    if any(real_path(parcel.path).parent == drop for one in consignments for parcel in one.parcels):
        raise UsageFault(
            f"{how.drop}: is read, expected another place for what is written",
            hint="name the drop folder of the diode with --out",
        )
    total = sum(parcel.size for one in consignments for parcel in one.parcels)
    digests: dict[Path, Digest] = {}
    files = sent = 0
    with _alone(how.drop):
        progress.stage("send", total * how.repeat)
        for number, parcel in rounds(consignments, repeat=how.repeat, interleave=how.interleave):
            if files and how.interval:
                how.sleep(how.interval)
            _wait(parcel, how, progress)
            put = put_file(parcel.path, how.drop / parcel.path.name, size=parcel.size, progress=progress)
            if digests.setdefault(parcel.path, put.digest) != put.digest:
                raise DamagedFault(
                    f"{parcel.path}: sha256 is {put.digest} in round {number}, expected "
                    f"{digests[parcel.path]} as before",
                    hint="the medium is failing, or something wrote to the file: check it with verify",
                )
            files, sent = files + 1, sent + put.size
    return Sent(files=files, size=sent)


def _wait(parcel: Parcel, how: Sending, progress: Progress) -> None:
    """Return once nothing has the file's name and there is room for it; says what it waits for."""
    since = said = how.clock()
    held_before: set[str] | None = None
    while True:
        held = _held(how.drop)
        reason = _reason(parcel, held, how)
        if reason is None:
            return
        now = how.clock()
        if held_before is not None and held_before - held.keys():
            since = now  # something was taken
        if how.give_up and now - since >= how.give_up:
            raise HostFault(
                f"{how.drop}: {reason}, and nothing was taken from it for {duration(now - since)}",
                hint="see why the proxy does not empty the folder, or empty it, then run the command again",
            )
        if held_before is None or now - said >= _SAY_EVERY:
            said = now
            progress.note(f"waiting: {how.drop}: {reason}")
        held_before = set(held)
        how.sleep(LOOK_EVERY)


def _reason(parcel: Parcel, held: dict[str, int], how: Sending) -> str | None:
    """Return why the file has to wait, or None. A folder that is empty takes a file of any size."""
    if parcel.path.name in held:
        return f"{parcel.path.name} still lies there from before"
    lying = sum(held.values())
    if how.max_inflight is not None and held and lying + parcel.size > how.max_inflight:
        return (
            f"{counted(len(held), 'file')} of {size(lying)} are in flight, and with {size(parcel.size)} more "
            f"that is above {size(how.max_inflight)}"
        )
    return None


def _held(drop: Path) -> dict[str, int]:
    """Return name and size of what lies in the folder under a name that is taken on."""
    held = {}
    with host_faults(drop), os.scandir(drop) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                with contextlib.suppress(FileNotFoundError):  # taken at this very moment
                    plain = entry.is_file(follow_symlinks=False)
                    held[entry.name] = entry.stat(follow_symlinks=False).st_size if plain else 0
    return held


@contextlib.contextmanager
def _alone(drop: Path) -> Iterator[None]:
    """Hold the folder's lock, which leaves no file in it; file systems without such locks have none."""
    with host_faults(drop):
        if not drop.is_dir():
            raise HostFault(
                f"{drop}: {'is a file' if drop.exists() else 'no such folder'}, expected the drop folder",
                hint="check that the share of the diode's proxy is mounted, then name its folder with --out",
            )
    busy = LockedFault(
        f"{drop}: another uv-bundler sends into this folder",
        hint="wait until it has ended, then run the command again",
    )
    with lock_folder(drop, busy=busy):
        yield
