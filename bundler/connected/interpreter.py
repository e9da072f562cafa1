"""What an installed interpreter says about itself: the facts that an own build is made of."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bundler.core.fault import Fault
from bundler.core.platforms import Platform
from bundler.core.text import printable
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMEOUT = 120  # seconds; importing everything takes about one
_MARK = "uv-bundler:"  # a site's sitecustomize may print before us
# Imports what people miss when it is not there, and all extension modules; then tells which files are in use.
ASK = """
import importlib, json, os, platform, struct, sys, sysconfig
var = sysconfig.get_config_var
stdlib = os.path.dirname(os.__file__)
names = ["asyncio", "bz2", "ctypes", "curses", "ensurepip", "hashlib", "lzma", "multiprocessing", "readline",
         "sqlite3", "ssl", "tkinter", "uuid", "venv", "zlib"]
dynload = os.path.join(stdlib, "lib-dynload")
names += sorted({f.partition(".")[0] for f in os.listdir(dynload)} if os.path.isdir(dynload) else ())
tests = ("_test", "xx", "_xx", "_ctypes_test")
names = [n for n in dict.fromkeys(names) if not n.startswith(tests)]
able, unable = [], []
for name in names:
    try:
        importlib.import_module(name)
        able.append(name)
    except BaseException:
        unable.append(name)
try:
    with open("/proc/self/maps") as maps:
        mapped = sorted({line.split(None, 5)[5].rstrip("\\n") for line in maps if " /" in line})
except OSError:
    mapped = []
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
except (AttributeError, ValueError, OSError):
    libc = ""
print("uv-bundler:" + json.dumps({
    "implementation": sys.implementation.name, "version": list(sys.version_info), "platform": sys.platform,
    "machine": platform.machine().lower(), "bits": struct.calcsize("P") * 8,
    "glibc": libc.startswith("glibc"),
    "freethreaded": bool(var("Py_GIL_DISABLED")), "debug": hasattr(sys, "gettotalrefcount"),
    "executable": sys.executable, "prefix": sys.prefix, "base_prefix": sys.base_prefix, "stdlib": stdlib,
    "platlibdir": getattr(sys, "platlibdir", "lib"), "include": sysconfig.get_path("include"),
    "multiarch": var("MULTIARCH") or "", "libdir": var("LIBDIR") or "", "libpython": var("INSTSONAME") or "",
    "path": sys.path, "able": able, "unable": unable, "mapped": mapped,
}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """An interpreter that runs on this machine."""

    implementation: str
    version: tuple[int, int, int]
    prerelease: str
    variant: str
    platform: Platform
    executable: Path  # the real file
    prefix: Path
    stdlib: Path
    platlibdir: str
    include: Path
    multiarch: str
    libdir: Path
    libpython: str  # the file name of the shared library, or of a static one; may be empty
    search_path: tuple[str, ...]
    able: tuple[str, ...]  # modules that can be imported
    unable: tuple[str, ...]  # those that cannot
    mapped: tuple[
        Path, ...
    ]  # files in use once all of these are imported; empty where the system does not tell

    @property
    def minor(self) -> str:
        """The version that stands in file names: `3.13`."""
        return f"{self.version[0]}.{self.version[1]}"

    @property
    def suffix(self) -> str:
        """What follows the version in file names: `t` for free-threaded, `d` for debug builds."""
        return ("t" if "freethreaded" in self.variant else "") + ("d" if "debug" in self.variant else "")


def find_python(path: Path) -> Path:
    """Return the interpreter below an installed prefix; `path` may also name the interpreter itself.

    Raises `UsageFault` where there is none.
    """
    if path.is_file():
        found = path
    else:
        below = [path / "bin" / name for name in ("python3", "python", "pypy3")] + [path / "python.exe"]
        existing = [candidate for candidate in below if candidate.is_file()]
        if not existing:
            raise UsageFault(
                f"{path}: holds no bin/python3, expected the prefix of an installed Python",
                hint="python3 -c 'import sys; print(sys.base_prefix)' prints the prefix of a Python",
            )
        found = existing[0]
    return found


def describe(
    python: Path, *, wrapper: Sequence[str] = (), environ: dict[str, str] | None = None
) -> Interpreter:
    """Run the interpreter in isolated mode (behind `wrapper`, if any) and return what it says.

    Raises `UsageFault` where it does not run, or is of a platform that we have no name for.
    """
    answer = _ask([*wrapper, str(python), "-I", "-B", "-c", ASK], python, environ)
    if answer["prefix"] != answer["base_prefix"]:
        raise UsageFault(
            f"{answer['prefix']}: is a virtual environment of {answer['base_prefix']}, expected its base",
            hint=f"name the Python itself: path: {answer['base_prefix']}",
        )
    major, minor, micro, level, serial = answer["version"]
    variants = [name for name in ("freethreaded", "debug") if answer[name]]
    try:
        platform = _platform(answer)
    except Fault as fault:
        raise UsageFault(f"{python}: {fault.message}", hint=fault.hint) from None
    return Interpreter(
        implementation=answer["implementation"],
        version=(major, minor, micro),
        prerelease={"final": "", "candidate": f"rc{serial}", "beta": f"b{serial}"}.get(level, f"a{serial}"),
        variant="+".join(variants),
        platform=platform,
        executable=Path(answer["executable"]).resolve(),
        prefix=Path(answer["prefix"]),
        stdlib=Path(answer["stdlib"]),
        platlibdir=answer["platlibdir"],
        include=Path(answer["include"]),
        multiarch=answer["multiarch"],
        libdir=Path(answer["libdir"]),
        libpython=answer["libpython"],
        search_path=tuple(answer["path"]),
        able=tuple(answer["able"]),
        unable=tuple(answer["unable"]),
        mapped=tuple(map(Path, answer["mapped"])),
    )


def _platform(answer: dict[str, Any]) -> Platform:
    system = {"win32": "windows"}.get(answer["platform"], answer["platform"])
    machine = (
        "x86" if answer["machine"] in ("x86_64", "amd64") and answer["bits"] == 32 else answer["machine"]
    )
    libc = "none"
    if system == "linux":
        libc = ("gnu" if answer["glibc"] else "musl") + ("eabihf" if machine.startswith("armv7") else "")
    return Platform.parse(f"{system}-{machine}-{libc}")


def _ask(command: Sequence[str], python: Path, environ: dict[str, str] | None) -> dict[str, Any]:
    try:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT,
            env=environ if environ is not None else clean_environ(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageFault(f"{python}: does not run: {error}", hint="name another Python") from None
    for line in done.stdout.decode(errors="replace").splitlines():
        if line.startswith(_MARK):
            answer: dict[str, Any] = json.loads(line.removeprefix(_MARK))
            return answer
    said = printable(done.stderr.decode(errors="replace").strip()[-300:]) or f"exit code {done.returncode}"
    raise UsageFault(f"{python}: does not run: {said}", hint="try it by hand, or name another Python")


def clean_environ() -> dict[str, str]:
    """Return our environment without what changes how a Python starts."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "__PYVENV"))}
