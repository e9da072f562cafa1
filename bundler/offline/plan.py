"""What an unpack would do on this host: decided from the index alone, before a byte is written."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundler.core.text import size as show_size
from bundler.errors import HostFault, PolicyFault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bundler.core.digest import Digest
    from bundler.core.index import Artifact, Index
    from bundler.core.platforms import Platform
    from bundler.offline.generation import Generation

_SLACK = 16 << 20  # bytes for folders, records and the file system's own books


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which artifacts a generation will hold, and where each one comes from.

    `held` is where this host has what they are rebuilt from beside the bundle's own bytes; `spool` counts the
    bytes of content on disk meanwhile.
    """

    platforms: tuple[Platform, ...]
    write: tuple[Artifact, ...]
    keep: tuple[tuple[Artifact, Path], ...]
    remove: tuple[Artifact, ...]
    held: Mapping[Digest, Path] = field(default_factory=dict)
    spool: int = 0

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Everything that the generation will hold."""
        return (*self.write, *(artifact for artifact, _ in self.keep))

    @property
    def written(self) -> int:
        """The bytes of the artifacts that will be written."""
        return sum(artifact.size for artifact in self.write)

    @property
    def needed(self) -> int:
        """The bytes that must be free: what will be written, and the contents that go again afterwards."""
        return self.written + self.spool


def choose_platforms(
    index: Index, *, host: Platform, wanted: tuple[str, ...], name: str
) -> tuple[Platform, ...]:
    """Return the bundle's platforms that this host takes: its own, or those asked for (`all`, or by name).

    Raises `PolicyFault` where the bundle is for other platforms.
    """
    if wanted == ("all",):
        return index.platforms
    if wanted:
        chosen = tuple(one for one in index.platforms if str(one) in wanted)
        missing = sorted(set(wanted) - {str(one) for one in chosen})
        if missing:
            raise PolicyFault(
                f"{name}: has nothing for {', '.join(missing)}, expected one of {_listed(index)}",
                hint="name one of those with --platform, or `all`",
            )
        return chosen
    chosen = tuple(one for one in index.platforms if one.serves(host))
    if not chosen:
        raise PolicyFault(
            f"{name}: is for {_listed(index)}, expected a bundle for this host, {host}",
            hint="unpack it for other machines with --platform all, or have one packed for this platform",
        )
    return chosen


def _listed(index: Index) -> str:
    return ", ".join(map(str, index.platforms)) or "no platform"


def make_plan(
    index: Index,
    *,
    platforms: tuple[Platform, ...],
    active: Generation | None,
    active_index: Index | None,
) -> Plan:
    """Compare the index with the active generation: what it already holds is kept, the rest is written."""
    wanted = [one for one in index.artifacts if one.platform is None or one.platform in platforms]
    held: dict[tuple[str, bool], Artifact] = {}
    if active and active_index:
        held = {
            (one.sha256.hex, one.executable): one
            for one in active.artifacts(active_index)
            if one.role != "metadata"  # on disk it may be filtered to the host's platforms
        }
    keep, write = [], []
    for one in wanted:
        source = held.get((one.sha256.hex, one.executable))
        if source and active:
            keep.append((one, active.folder / source.path))
        else:
            write.append(one)
    staying, places = {one.sha256 for one in wanted}, {one.path for one in wanted}
    before = active.artifacts(active_index) if active and active_index else ()
    return Plan(
        platforms=platforms,
        write=tuple(write),
        keep=tuple(keep),
        remove=tuple(one for one in before if one.sha256 not in staying and one.path not in places),
    )


def check_space(plan: Plan, folder: Path) -> None:
    """Raise `HostFault` where the file system of `folder` (or of what exists above it) is too small."""
    while not folder.exists():
        folder = folder.parent
    free, needed = shutil.disk_usage(folder).free, plan.needed + _SLACK
    if free < needed:
        raise HostFault(
            f"{folder}: {show_size(free)} free, expected {show_size(needed)}",
            hint=f"free {show_size(needed - free)} on that file system, or choose another --prefix",
        )
