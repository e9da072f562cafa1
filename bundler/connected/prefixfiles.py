"""Which files of an installed prefix are Python's own, and under which names they are archived.

Taken: the interpreter, the standard library, headers, the shared libpython, other libraries and Tcl/Tk of the
same prefix that the interpreter uses, its scripts, pip (before Python 3.12 also setuptools, which was bundled
then). Left out: test suites, bytecode, static libraries, every other installed package (a site's interpreter
must not carry what happened to be installed in it), `sitecustomize` and `EXTERNALLY-MANAGED`, which are the
site's or its distribution's. Of the prefix `/usr` no libraries but libpython: they are the system's.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundler.connected.interpreter import Interpreter

SYSTEM = Path("/usr")  # a prefix that Python shares with everything else
TOP = PurePosixPath("python")
_TESTS = frozenset({"test", "tests", "idle_test"})
_DROPPED_FOLDERS = frozenset({"__pycache__", "site-packages", "dist-packages", *_TESTS})
_DROPPED_FILES = re.compile(
    r".*\.(?:pyc|pyo|a|o)|EXTERNALLY-MANAGED|(?:site|user)customize\.py"
    r"|(?:_test|_ctypes_test|xxlimited|xxsubtype|_xxtestfuzz)[^/]*\.so"
)
_PIP = re.compile(r"pip|pip-[^/]*\.dist-info|README\.txt")
_SETUPTOOLS = re.compile(
    r"setuptools|setuptools-[^/]*\.dist-info|pkg_resources|_distutils_hack|distutils-precedence\.pth"
)
_SCRIPTS = ("pip", "idle", "pydoc", "2to3", "python-config")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One member of the archive: a file to read from `source`, or a link to `target`."""

    name: PurePosixPath
    source: Path
    target: str | None = None

    @property
    def executable(self) -> bool:
        """Whether the file may be run; of the source's mode nothing else is kept."""
        return bool(self.source.stat().st_mode & 0o111)


def choose(python: Interpreter) -> list[Entry]:
    """Return the archive's entries, sorted by name; a link that leads out of it becomes what it links to."""
    wanted = dict(_wanted(python))
    place = {source: name for name, source in wanted.items()}
    entries = [*_program_links(python)]
    taken = {entry.name for entry in entries}
    for name, source in wanted.items():
        if name in taken:
            continue
        if not source.is_symlink():
            entries.append(Entry(name=name, source=source))
        elif (next_name := place.get(_next(source))) is not None:
            target = os.path.relpath(next_name, name.parent)
            entries.append(Entry(name=name, source=source, target=target))
        elif source.is_file():
            entries.append(Entry(name=name, source=source.resolve()))
    if python.platlibdir != "lib":  # uv looks below lib/, Fedora's Python below lib64/
        entries.append(Entry(name=TOP / python.platlibdir, source=python.prefix, target="lib"))
    return sorted(entries, key=lambda entry: entry.name.parts)


def own_libraries(python: Interpreter) -> list[Path]:
    """Return the shared libraries that are to be archived: those of the same prefix that are in use."""
    found = [path for path in python.mapped if re.search(r"\.so(?:\.|$)", path.name)]
    own = [path for path in found if _is_own(python, path)]
    # Not in use where the interpreter is linked statically, but programs that embed Python want it.
    beside = [python.libdir / python.libpython, python.prefix / "lib" / python.libpython]
    own += [path for path in beside if ".so" in path.name and path.is_file()][:1]
    stable = python.prefix / "lib" / "libpython3.so"  # what extensions for the stable ABI may link to
    own += [stable] if python.prefix != SYSTEM and stable.is_file() else []
    return sorted({path.resolve() for path in own})


def _is_own(python: Interpreter, path: Path) -> bool:
    if path.name == python.libpython:
        return True
    inside = path.is_relative_to(python.prefix) and not path.is_relative_to(python.stdlib)
    return inside and python.prefix != SYSTEM


def _next(link: Path) -> Path:
    """Return where one step along the link leads, without following further ones."""
    return Path(os.path.normpath(link.parent / link.readlink()))


def _program_links(python: Interpreter) -> Iterator[Entry]:
    program = f"python{python.minor}{python.suffix}"
    yield Entry(name=TOP / "bin" / program, source=python.executable)
    for link in dict.fromkeys((f"python{python.minor}", "python3", "python")):
        if link != program:
            yield Entry(name=TOP / "bin" / link, source=python.executable, target=program)


def _wanted(python: Interpreter) -> Iterator[tuple[PurePosixPath, Path]]:
    prefix, stdlib = python.prefix, TOP / "lib" / python.stdlib.name
    yield from _tree(python.stdlib, stdlib)
    has_pip = (python.stdlib / "site-packages" / "pip").is_dir()
    yield from _packages(python, stdlib / "site-packages")
    yield from _scripts(python, has_pip=has_pip)
    yield from _headers(python)
    yield from _libraries(python)
    if prefix != SYSTEM:
        yield from _tree(prefix / "share" / "terminfo", TOP / "share" / "terminfo")
        for path in sorted(prefix.glob(f"share/man/man1/python{python.minor}.1")):
            yield TOP / "share" / "man" / "man1" / path.name, path


def _headers(python: Interpreter) -> Iterator[tuple[PurePosixPath, Path]]:
    name = python.include.name
    yield from _tree(python.include, TOP / "include" / name)
    if python.multiarch:  # Debian's pyconfig.h only points to the one in this folder
        folder = python.include.parent / python.multiarch / name
        yield from _tree(folder, TOP / "include" / python.multiarch / name)


def _libraries(python: Interpreter) -> Iterator[tuple[PurePosixPath, Path]]:
    lib, libraries = TOP / "lib", own_libraries(python)
    for path in libraries:
        yield lib / path.name, path
        for link in sorted(path.parent.glob(f"{path.name.partition('.so')[0]}.so*")):
            if link.is_symlink() and link.resolve() == path:
                yield lib / link.name, link
    # Whether linked statically or not, tkinter looks for Tcl's and Tk's scripts in these folders.
    if "tkinter" in python.able and python.prefix != SYSTEM:
        for folder in sorted(python.prefix.glob("lib/t*[0-9]")):
            if re.fullmatch(r"t(?:cl|k)[0-9.]+", folder.name):
                yield from _tree(folder, lib / folder.name)
    for pattern in (f"python-{python.minor}*.pc", "python3*.pc"):
        for path in sorted((python.prefix / "lib" / "pkgconfig").glob(pattern)):
            yield lib / "pkgconfig" / path.name, path


def _tree(folder: Path, name: PurePosixPath) -> Iterator[tuple[PurePosixPath, Path]]:
    """Yield the files below a folder without tests, bytecode and static libraries."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - _DROPPED_FOLDERS)
        below = name / Path(parent).relative_to(folder).as_posix()
        links = [item for item in folders if Path(parent, item).is_symlink()]
        for item in [*files, *links]:
            if not _DROPPED_FILES.fullmatch(item):
                yield below / item, Path(parent, item)


def _packages(python: Interpreter, name: PurePosixPath) -> Iterator[tuple[PurePosixPath, Path]]:
    packages = python.stdlib / "site-packages"
    for path in sorted(packages.iterdir()) if packages.is_dir() else ():
        if _PIP.fullmatch(path.name) or (python.version < (3, 12) and _SETUPTOOLS.fullmatch(path.name)):
            if path.is_dir():
                yield from _tree(path, name / path.name)
            else:
                yield name / path.name, path


def _scripts(python: Interpreter, *, has_pip: bool) -> Iterator[tuple[PurePosixPath, Path]]:
    minor = python.minor + python.suffix
    for stem in _SCRIPTS:
        if stem == "pip" and not has_pip:
            continue
        head, dash, tail = stem.partition("-")
        for script in (stem, f"{head}3{dash}{tail}", f"{head}{minor}{dash}{tail}", f"{head}-{minor}"):
            path = python.prefix / "bin" / script
            if path.is_file():
                yield TOP / "bin" / script, path
