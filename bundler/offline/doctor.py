"""`doctor`: what on a host keeps uv from what was unpacked, and how to mend each; changes nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bundler.core.progress import Progress, Silent
from bundler.errors import BundlerError
from bundler.offline.checkenv import Told, check_told, install_folder
from bundler.offline.checkstate import check_state
from bundler.offline.checktree import check_tree
from bundler.offline.checkuv import MOUNTINFO, check_bundled_uv, check_noexec, check_path
from bundler.offline.exporting import export_facts
from bundler.offline.findings import Finding, command, ok, problem
from bundler.offline.generation import active_generation
from bundler.offline.prefix import Prefix, check_prefix
from bundler.offline.settings import settings
from bundler.offline.uvconfig import find_configs

if TYPE_CHECKING:
    from collections.abc import Mapping


def diagnose(
    prefix: Path,
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    etc: Path = Path("/etc"),
    mountinfo: Path = MOUNTINFO,
    check_digests: bool = False,
    progress: Progress | None = None,
) -> tuple[Finding, ...]:
    """Look at the prefix, its uv, the variables of `env` and the files that uv would read in `cwd`.

    Returns what was found, well or not, in that order; nothing is raised for what is wrong with the host.
    With `check_digests` every file is read and hashed, and `progress` told of it.
    """
    root = Prefix(Path(os.path.abspath(prefix)))  # noqa: PTH100  # links in it are a finding, not to be followed
    found: list[Finding] = []
    try:
        check_prefix(root.root)
    except BundlerError as error:
        found.append(_finding(error))
    try:
        generation = active_generation(root)
        index = generation.index() if generation else None
    except BundlerError as error:
        return (*found, _finding(error))
    if generation is None or index is None:
        unpack = command("uv-bundler", "unpack", "BUNDLE", "--prefix", root.root)
        return (*found, problem(f"{root.current}: nothing is unpacked here", fix=unpack))
    found += check_tree(
        generation, index, prefix=root, check_digests=check_digests, progress=progress or Silent()
    )
    found += check_state(generation, index, prefix=root)
    facts = export_facts(generation, root, index)
    wanted = settings(facts)
    if facts.uv:
        found += check_bundled_uv(root.current, expected=facts.uv[0], env=env, mountinfo=mountinfo)
    on_path, other_uv = check_path(root.current, wanted, env=env)
    found += on_path
    folder = install_folder(env)
    told = Told(
        prefix=root.root,
        settings=wanted,
        env=env,
        configs=tuple(find_configs(env=env, cwd=cwd or Path.cwd(), etc=etc)),
        uv=(*facts.uv, *([other_uv] if other_uv else [])),
        installed=any(_interpreters(one) for one in (folder, root.python) if one),
        python=next(
            (one.key for one in index.artifacts if one.key and one.platform == generation.host), None
        ),
    )
    found += check_told(told)
    found += _user_cache(env)
    if folder and folder != root.python:
        found += check_noexec(folder, mountinfo=mountinfo)
    found += _shared_interpreters(root)
    return tuple(found)


def _finding(error: BundlerError) -> Finding:
    return problem(error.message, fix=error.hint or "see above")


def _interpreters(folder: Path) -> list[Path]:
    """Return the installed interpreters in a folder of uv; its links to the newest patch are left out."""
    return sorted(one for one in folder.glob("*-*-*-*-*") if one.is_dir() and not one.is_symlink())


def _shared_interpreters(prefix: Prefix) -> list[Finding]:
    found, whole = [], []
    for folder in _interpreters(prefix.python):
        names = (
            ("python.exe", "bin/python.exe")
            if os.name == "nt"
            else ("bin/python3", "bin/pypy3", "bin/python")
        )
        programs = [folder / name for name in names]
        programs += sorted((folder / "bin").glob("python3.*"))
        if any(os.access(one, os.X_OK) and one.is_file() for one in programs):
            whole.append(folder.name)
        else:
            again = command(
                "uv", "python", "install", "--reinstall", "--install-dir", prefix.python, folder.name
            )
            found.append(problem(f"{folder}: holds no interpreter that can be run", fix=again))
    if whole:
        found.append(ok(f"{prefix.python}: {len(whole)} installed for all users: {', '.join(whole)}"))
    return found


def _user_cache(env: Mapping[str, str]) -> list[Finding]:
    """Look whether uv can write to its own cache, without which it does nothing at all."""
    folder = _cache_folder(env)
    if folder is None:
        return []
    place = folder
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return [ok(f"{folder}: uv can keep its cache here")]
    return [
        problem(
            f"{folder}: uv cannot keep its cache here, {place} is not a folder that you may write to",
            fix="export UV_CACHE_DIR=FOLDER with a folder of yours, or correct the rights",
        )
    ]


def _cache_folder(env: Mapping[str, str]) -> Path | None:
    if chosen := env.get("UV_CACHE_DIR"):
        return Path(chosen)
    if os.name == "nt":
        return Path(env["LOCALAPPDATA"], "uv", "cache") if env.get("LOCALAPPDATA") else None
    if top := env.get("XDG_CACHE_HOME"):
        return Path(top, "uv")
    return Path(env["HOME"], ".cache", "uv") if env.get("HOME") else None
