"""Platforms as uv names them (`linux-x86_64-gnu`), read from triples too, and the one we are on."""

from __future__ import annotations

import os
import platform as host_facts
import re
import struct
import sys
from dataclasses import dataclass

from bundler.core.fault import Fault, nearest

_OS = {"linux": "linux", "macos": "macos", "darwin": "macos", "windows": "windows"}
_ARCH = {
    "x86_64": "x86_64",
    "amd64": "x86_64",
    "x86_64_v2": "x86_64_v2",
    "x86_64_v3": "x86_64_v3",
    "x86_64_v4": "x86_64_v4",
    "aarch64": "aarch64",
    "arm64": "aarch64",
    "armv7": "armv7",
    "armv7l": "armv7",
    "x86": "x86",
    "i686": "x86",
    "powerpc64le": "powerpc64le",
    "ppc64le": "powerpc64le",
    "riscv64": "riscv64",
    "riscv64gc": "riscv64",
    "s390x": "s390x",
}
_LIBC = {
    "linux": ("gnu", "musl", "gnueabihf", "gnueabi", "musleabihf", "musleabi"),
    "macos": ("none",),
    "windows": ("none",),
}
COMMON = (
    "linux-x86_64-gnu",
    "linux-aarch64-gnu",
    "linux-x86_64-musl",
    "linux-aarch64-musl",
    "linux-armv7-gnueabihf",
    "linux-riscv64-gnu",
    "linux-s390x-gnu",
    "linux-powerpc64le-gnu",
    "macos-aarch64-none",
    "macos-x86_64-none",
    "windows-x86_64-none",
    "windows-aarch64-none",
    "windows-x86-none",
)


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """What a machine is, in uv's words: operating system, architecture with its level, C library."""

    os: str
    arch: str
    libc: str

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read uv's name or a python-build-standalone triple; raises `Fault` with the nearest known name."""
        parts = text.split("-")
        if "unknown" in parts or "apple" in parts or "pc" in parts:
            return _from_triple(text, parts)
        if len(parts) == 3:
            system, arch, libc = _OS.get(parts[0]), _ARCH.get(parts[1]), parts[2]
            if system and arch and libc in _LIBC[system]:
                return cls(system, arch, libc)
        raise _unknown(text)

    def __str__(self) -> str:
        return f"{self.os}-{self.arch}-{self.libc}"

    @property
    def family(self) -> str:
        """The architecture without its level: `x86_64` for `x86_64_v3`."""
        return re.sub(r"_v[234]$", "", self.arch)

    def serves(self, host: Platform) -> bool:
        """Tell whether files for this platform are meant for `host`: any level of its architecture is."""
        return (self.os, self.family, self.libc) == (host.os, host.family, host.libc)


def _from_triple(text: str, parts: list[str]) -> Platform:
    arch = _ARCH.get(parts[0].replace("riscv64gc", "riscv64"))
    if arch and parts[1:] == ["apple", "darwin"]:
        return Platform("macos", arch, "none")
    if arch and parts[1:3] == ["pc", "windows"]:
        return Platform("windows", arch, "none")
    if arch and parts[1:3] == ["unknown", "linux"] and len(parts) == 4 and parts[3] in _LIBC["linux"]:
        return Platform("linux", arch, parts[3])
    raise _unknown(text)


def _unknown(text: str) -> Fault:
    near = nearest(text, COMMON)
    return Fault(
        f"expected a platform such as {COMMON[0]}, found {text!r}",
        hint=f"did you mean {near!r}?" if near else f"known: {', '.join(COMMON)}",
    )


def host_platform() -> Platform:
    """Return the platform that this interpreter runs on, as uv would name it."""
    machine = host_facts.machine().lower()
    arch = _ARCH.get(machine, machine)
    if arch == "x86_64" and struct.calcsize("P") == 4:
        arch = "x86"
    if sys.platform == "win32":
        return Platform("windows", arch, "none")
    if sys.platform == "darwin":
        return Platform("macos", arch, "none")
    libc = "gnu" if _is_glibc() else "musl"
    return Platform("linux", arch, f"{libc}eabihf" if arch == "armv7" else libc)


def _is_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (ValueError, OSError, AttributeError):
        return False
