"""What differs between two locks, in lines for people: empty means that a lock is current."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bundler.connected.lock import Lock


def differences(old: Lock, new: Lock) -> list[str]:
    """Say what `new` has other than `old`; a size that only one of them knows is no difference."""
    lines = []
    if old.manifest != new.manifest:
        lines.append("the manifest has changed since it was locked")
    for what, before, after in (
        ("name", old.name, new.name),
        ("index", old.index or "not named", new.index or "not named"),
        ("uv", ", ".join(old.uv), ", ".join(new.uv)),
        ("latest", old.latest or "not asked for", new.latest or "not asked for"),
        ("platforms", ", ".join(map(str, old.platforms)), ", ".join(map(str, new.platforms))),
    ):
        if before != after:
            lines.append(f"{what}: {before}, now {after}")
    lines += _compare("list of Pythons", _list(old), _list(new))
    lines += _compare("python", _pythons(old), _pythons(new))
    lines += _compare("wheel", _wheels(old), _wheels(new))
    lines += _compare("own build", _builds(old), _builds(new))
    return lines


def _list(lock: Lock) -> dict[str, tuple[object, ...]]:
    return {lock.uv_list.file: (lock.uv_list.sha256,)} if lock.uv_list else {}


def _pythons(lock: Lock) -> dict[str, tuple[object, ...]]:
    return {item.row.key: (item.row, item.requests) for item in lock.pythons}


def _wheels(lock: Lock) -> dict[str, tuple[object, ...]]:
    return {
        f"uv {item.version} for {item.platform}": (item.wheel.file, item.wheel.sha256) for item in lock.wheels
    }


def _builds(lock: Lock) -> dict[str, tuple[object, ...]]:
    return {item.row.key: (item.row, item.file, item.size, item.source) for item in lock.builds}


def _compare(what: str, old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    lines = [f"{what} {name}: not in the lock" for name in new if name not in old]
    lines += [f"{what} {name}: in the lock, but no longer meant" for name in old if name not in new]
    return lines + [f"{what} {name}: differs" for name in new if name in old and old[name] != new[name]]
