"""A site's ready-made archive: taken byte for byte, after a look at what it says it is."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from bundler.connected.readarchive import members
from bundler.core.text import listed
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from bundler.connected.manifest import ArchiveBuild

_HEAD = 4096  # bytes: ELF keeps the loader's name there, PE its header
_PATCHLEVEL = re.compile(rb'^#define\s+PY_VERSION\s+"([^"+]+)', re.MULTILINE)
_ELF = {3: "x86", 21: "powerpc64le", 22: "s390x", 40: "armv7", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
_MACH_O = {0x01000007: "x86_64", 0x0100000C: "aarch64"}
_PE = {0x014C: "x86", 0x8664: "x86_64", 0xAA64: "aarch64"}


def check_archive(build: ArchiveBuild) -> tuple[str, ...]:
    """Read the archive once; return what a person should know about it.

    Raises `UsageFault` where it is not the Python that the manifest says.

    It must have one top folder with the interpreter in it where uv looks (`bin/pythonX.Y`, `python.exe`, the
    same below `install/`), of the right machine, and the version in its `patchlevel.h`, if there is one, must
    be that of the manifest.
    """
    path, program, version = build.path, b"", ""
    tops: set[tuple[str, ...]] = set()
    is_link = False
    outside: list[str] = []
    for found in members(path):
        tops.add(found.name.parts[:1])
        if found.target is not None and found.target.startswith("/"):
            outside.append(f"{found.name} -> {found.target}")
        below = found.name.parts[2:] if found.name.parts[1:2] == ("install",) else found.name.parts[1:]
        if found.target is not None and _is_program(build, below):
            is_link = True
        elif found.stream is not None and _is_program(build, below):
            program = program or found.stream.read(_HEAD)
        elif found.stream is not None and below[:1] == ("include",) and below[-1] == "patchlevel.h":
            match = _PATCHLEVEL.search(found.stream.read(1 << 16))
            version = match[1].decode(errors="replace") if match else ""
    if len(tops) != 1 or not (program or is_link):
        raise UsageFault(
            f"{path}: holds no {_expected(build)} below one top folder, expected what uv installs",
            hint="compare it with an install_only archive of python-build-standalone: tar -tf",
        )
    _check_machine(build, program)
    if build.implementation == "cpython" and version not in ("", build.version):
        raise UsageFault(
            f"{path}: holds Python {version}, expected {build.version}",
            hint="correct `version` in the manifest",
        )
    return (_refused_by_uv(outside),) if outside else ()


def _refused_by_uv(links: list[str]) -> str:
    """Say what uv makes of absolute links: 0.8.0 and older keep them, 0.8.3 and newer refuse (measured)."""
    return f"has absolute links ({listed(links)}): uv 0.8.3 and newer refuse it, repack it without them"


def _expected(build: ArchiveBuild) -> str:
    minor = ".".join(build.version.split(".")[:2])
    if build.platform.os == "windows":
        return "python.exe" if build.implementation == "cpython" else f"{build.implementation}.exe"
    name = {"cpython": f"python{minor}"}.get(build.implementation, build.implementation)
    return f"bin/{name}"


def _is_program(build: ArchiveBuild, below: tuple[str, ...]) -> bool:
    """Tell whether this is the interpreter; letters after the version name its variant: `python3.13t`."""
    where, _, name = _expected(build).rpartition("/")
    if not below or below[:-1] != ((where,) if where else ()):
        return build.platform.os == "windows" and below == ("bin", name)
    if build.implementation != "cpython":  # pypy3.11, pypy3, graalpy
        return (
            re.fullmatch(re.escape(name.removesuffix(".exe")) + r"[0-9.]*(?:\.exe)?", below[-1]) is not None
        )
    return re.fullmatch(re.escape(name) + "[a-z]*", below[-1]) is not None


def _check_machine(build: ArchiveBuild, program: bytes) -> None:
    """Compare the interpreter's header with the platform; a link or a script says nothing and passes."""
    found = None
    if program.startswith(b"\x7fELF"):
        order = "<" if program[5] == 1 else ">"
        arch = _ELF.get(struct.unpack_from(f"{order}H", program, 18)[0], "unknown")
        musl = b"ld-musl" in program
        found = ("linux", arch)
        if build.platform.os == "linux" and musl != build.platform.libc.startswith("musl"):
            libc = "musl" if musl else "glibc"
            raise UsageFault(f"{build.path}: is linked to {libc}, expected {build.platform}", hint=_HINT)
    elif program.startswith(b"\xcf\xfa\xed\xfe"):
        found = ("macos", _MACH_O.get(struct.unpack_from("<I", program, 4)[0], "unknown"))
    elif program.startswith(b"MZ") and len(program) >= 64:
        at = struct.unpack_from("<I", program, 60)[0]
        machine = struct.unpack_from("<H", program, at + 4)[0] if at + 6 <= len(program) else 0
        found = ("windows", _PE.get(machine, "unknown"))
    if found and found != (build.platform.os, build.platform.family):
        raise UsageFault(f"{build.path}: is for {'-'.join(found)}, expected {build.platform}", hint=_HINT)


_HINT = "correct `platform` in the manifest"
