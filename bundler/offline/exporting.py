"""From a generation to what uv is told about it: the facts for the exports, `uv.toml`, and `bin/`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundler.offline.generation import SETTINGS_NAME
from bundler.offline.settings import ExportFacts, settings
from bundler.offline.shells import render

if TYPE_CHECKING:
    from bundler.core.index import Artifact, Index
    from bundler.core.platforms import Platform
    from bundler.offline.generation import Generation
    from bundler.offline.prefix import Prefix
    from bundler.offline.staging import Staging

_MIRRORS = ("mirror", "mirror-pypy", "mirror-graalpy")


def check_exportable(prefix: Prefix, *, shell: str) -> None:
    """Raise `HostFault` where `shell` could not name the paths below this prefix; said before the work."""
    facts = ExportFacts(
        prefix=prefix.root,
        uv=(),
        folders=frozenset(_MIRRORS),
        cache_complete=True,
        interpreters_installed=True,
    )
    render(settings(facts), shell=shell)


def export_facts(
    generation: Generation, prefix: Prefix, index: Index, *, offline: bool = False
) -> ExportFacts:
    """Gather what decides the exports: which trees there are, and whether interpreters are installed."""
    archives = [one for one in generation.artifacts(index) if one.role == "archive"]
    folders = {one.path.split("/")[0] for one in archives}
    return ExportFacts(
        prefix=prefix.root,
        uv=generation.uv if programs(generation, index) else (),
        folders=frozenset(folders & set(_MIRRORS)),
        cache_complete=all(any(path.startswith("python-cache/") for path in one.links) for one in archives),
        interpreters_installed=prefix.python.is_dir() and any(prefix.python.glob("*-*-*")),
        offline=offline,
    )


def exports(generation: Generation, prefix: Prefix, *, shell: str, offline: bool = False) -> str:
    """Return the lines that `shell` reads to point uv at the active generation."""
    facts = export_facts(generation, prefix, generation.index(), offline=offline)
    return render(settings(facts), shell=shell)


def write_settings(staging: Staging, generation: Generation, prefix: Prefix, index: Index) -> None:
    """Add `uv.toml` and, where the bundle has a uv for this host, `bin/` to a generation being built."""
    facts = export_facts(generation, prefix, index)
    staging.write(SETTINGS_NAME, render(settings(facts), shell="uv-toml").encode())
    for path, source in programs(generation, index).items():
        staging.link(staging.folder / source, path)


def programs(generation: Generation, index: Index) -> dict[str, str]:
    """Return the paths below `bin/` and the artifacts that they are links of."""
    found = host_uv(generation.artifacts(index), uv=index.uv, host=generation.host)
    return {f"bin/{one.path.rpartition('/')[2]}": one.path for one in found}


def host_uv(artifacts: tuple[Artifact, ...], *, uv: tuple[str, ...], host: Platform) -> tuple[Artifact, ...]:
    """Return the uv binaries to run on this host: the default version, for its platform.

    A static musl build serves a glibc host where there is no other.
    """
    default = [one for one in artifacts if one.role == "uv" and uv and one.uv == uv[0] and one.platform]
    exact = tuple(one for one in default if one.platform == host)
    static = tuple(
        one
        for one in default
        if one.platform
        and (one.platform.os, one.platform.arch, one.platform.libc) == ("linux", host.arch, "musl")
    )
    return exact or (static if host.os == "linux" else ())
