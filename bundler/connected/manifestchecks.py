"""What must hold between the keys of a manifest, beyond the shape of each."""

from __future__ import annotations

import os.path
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bundler.connected.pyrequest import PythonRequest
from bundler.core.fault import Fault, KeyPath

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from bundler.core.platforms import Platform


def check(read: dict[str, Any]) -> None:
    """Raise `Fault` for what contradicts itself or stands twice.

    `read` is the manifest as its shape has read it, with `host` resolved and single values as lists.
    """
    if not read["pythons"] and not read["builds"]:
        raise Fault(
            "expected at least one Python request, or one of builds", path=("pythons",), hint='write ["3.13"]'
        )
    requests = [PythonRequest.parse(wish["request"]) for wish in read["pythons"]]
    _check_distinct(read["uv"], ("uv",))
    _check_distinct(read["platforms"], ("platforms",))
    _check_distinct(read["sources"]["pythons"], ("sources", "pythons"))
    _check_distinct(
        [replace(request, implementation=request.implementation or "cpython") for request in requests],
        ("pythons",),
        written=[wish["request"] for wish in read["pythons"]],
    )
    for number, (wish, request) in enumerate(zip(read["pythons"], requests, strict=True)):
        _check_wish(wish, request, read["platforms"], ("pythons", number))
    _check_builds(read["builds"], read["platforms"])


def _check_distinct(values: Iterable[Hashable], at: KeyPath, *, written: Sequence[str] = ()) -> None:
    """Refuse two equal values; `written` says how they stand in the manifest where that differs."""
    seen: dict[Hashable, int] = {}
    for number, value in enumerate(values):
        if value in seen:
            first, second = seen[value], written[number] if written else str(value)
            alias = f", as {written[first]}" if written and written[first] != second else ""
            raise Fault(
                f"{second} stands twice, first as item {first}{alias}",
                path=(*at, number),
                hint="keep one of the two",
            )
        seen[value] = number


def _check_wish(
    wish: dict[str, Any], request: PythonRequest, platforms: tuple[Platform, ...], at: KeyPath
) -> None:
    suited = [platform for platform in platforms if request.suits(platform)]
    exact = len(request.release) == 3 or bool(request.prerelease)
    if not suited:
        raise Fault(
            f"expected a request for one of the platforms, found {wish['request']!r}",
            path=at,
            hint=f"platforms: {', '.join(map(str, platforms))}",
        )
    if exact and wish["patches"] > 1:
        raise Fault(
            f"expected no patches beside an exact version, found {wish['patches']} for {wish['request']}",
            path=(*at, "patches"),
            hint="leave patches out, or leave the last number of the request out",
        )
    if wish["sha256"] and not exact:
        raise Fault(
            f"expected no sha256 beside a request that moves, found one for {wish['request']}",
            path=(*at, "sha256"),
            hint="name the exact version, such as 3.12.7",
        )
    if wish["sha256"] and len(suited) > 1:
        raise Fault(
            f"expected no sha256 beside a request for {len(suited)} platforms: each has its own archive",
            path=(*at, "sha256"),
            hint=f"name the platform in the request, such as cpython-3.12.7-{suited[0]}",
        )


def _check_builds(builds: tuple[dict[str, Any], ...], platforms: tuple[Platform, ...]) -> None:
    files: dict[str, int] = {}
    keys: dict[str, int] = {}
    for number, build in enumerate(builds):
        at: KeyPath = ("builds", number)
        kind = "archive" if "archive" in build else "path"
        file = os.path.normpath(build[kind])
        if file in files:
            raise Fault(
                f"{build[kind]} stands twice, first as item {files[file]}",
                path=(*at, kind),
                hint="keep one of the two",
            )
        files[file] = number
        if not any(build["platform"].serves(platform) for platform in platforms):
            raise Fault(
                f"expected one of the platforms, found {build['platform']}",
                path=(*at, "platform"),
                hint=f"platforms: {', '.join(map(str, platforms))}; add it there, so that its uv is carried",
            )
        if kind == "archive":
            variant = f"+{build['variant']}" if build["variant"] else ""
            key = f"{build['implementation']}-{build['version']}{variant}-{build['platform']}"
            if key in keys:
                raise Fault(
                    f"expected one build of {key}, found another as item {keys[key]}",
                    path=at,
                    hint="uv knows an interpreter by this name: keep one of the two",
                )
            keys[key] = number
