"""An installed Python as an `install_only`-style `.tar.gz`: same input, same bytes.

Members are sorted, owned by 0, of mode 0755 or 0644 and of one fixed time; the gzip header holds no name and
no time, and the level is fixed. (Another zlib may still compress differently; the digest then says so.)
"""

from __future__ import annotations

import gzip
import io
import re
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bundler.connected import elf, relocate
from bundler.connected.prefixfiles import TOP, Entry, choose, own_libraries

if TYPE_CHECKING:
    from pathlib import PurePosixPath

    from bundler.connected.interpreter import Interpreter
    from bundler.core.progress import Progress

# 1980-01-02 UTC: zip, and so a wheel built of these files, cannot hold a time before 1980 in any time zone.
TIME = 315_619_200
_EVERYWHERE = re.compile(r"(?:ld-|libc[.-]|libm[.-]|libdl[.-]|libpthread[.-]|librt[.-]|libutil[.-]).*")
_LEVEL = 6  # gzip: 9 takes four times as long for one per cent


def write_archive(python: Interpreter, *, target: Path, scratch: Path, progress: Progress) -> list[str]:
    """Write the archive of this interpreter to `target`; `scratch` is a folder for binaries to change.

    Returns the names of the libraries that its binaries link to and that are not in it: the host must have
    them.
    """
    entries = [entry for entry in choose(python) if _contents_belong(python, entry)]
    entries = _without_dangling(entries)
    libraries = {path.name for path in own_libraries(python)}
    needed: set[str] = set()
    total = sum(entry.source.stat().st_size for entry in entries if entry.target is None)
    progress.stage(f"archiving {python.prefix}", total)
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        # Without this folder, empty where all modules are built in, CPython searches its build prefix.
        dynload = TOP / "lib" / python.stdlib.name / "lib-dynload"
        for folder in sorted({dynload, *_folders(entries)}):
            archive.addfile(_member(folder, kind=tarfile.DIRTYPE, mode=0o755))
        for entry in entries:
            if entry.target is not None:
                archive.addfile(_member(entry.name, kind=tarfile.SYMTYPE, mode=0o777, target=entry.target))
                continue
            mode = 0o755 if entry.executable else 0o644
            source = entry.source
            if python.platform.os == "linux" and elf.is_elf(source):
                source = shutil.copyfile(source, scratch / "binary")
                binary = relocate.binary(source, name=entry.name, prefix=python.prefix, libraries=libraries)
                needed.update(binary)
            with _content(python, entry, source) as stream:
                size = stream.seek(0, io.SEEK_END)
                stream.seek(0)
                archive.addfile(_member(entry.name, kind=tarfile.REGTYPE, mode=mode, size=size), stream)
            progress.advance(entry.source.stat().st_size)
    return sorted(name for name in needed - libraries if not _EVERYWHERE.fullmatch(name))


def _member(
    name: PurePosixPath, *, kind: bytes, mode: int, size: int = 0, target: str = ""
) -> tarfile.TarInfo:
    member = tarfile.TarInfo(str(name))
    member.type, member.mode, member.size, member.linkname, member.mtime = kind, mode, size, target, TIME
    return member


def _folders(entries: list[Entry]) -> set[PurePosixPath]:
    return {parent for entry in entries for parent in entry.name.parents if parent.parts}


def _content(python: Interpreter, entry: Entry, source: Path) -> BinaryIO:
    """Open what is archived for this file: changed where a text names the old prefix, else as it is."""
    name, data = entry.name, None
    if name.parent.name == "bin" and len(name.parts) == 3:
        data = _script(python, entry)
    elif name.name.startswith("_sysconfigdata_"):
        data = relocate.build_time_text(source.read_bytes(), prefix=python.prefix)
    elif name.suffix == ".pc":
        data = relocate.pkgconfig(source.read_bytes(), prefix=python.prefix)
    return source.open("rb") if data is None else io.BytesIO(data)


def _contents_belong(python: Interpreter, entry: Entry) -> bool:
    """Tell whether a file in bin/ is the interpreter or a script of it, not of another Python beside it."""
    in_bin = entry.name.parts[1:-1] == ("bin",)
    return not in_bin or entry.source == python.executable or _script(python, entry) is not None


def _script(python: Interpreter, entry: Entry) -> bytes | None:
    if entry.source == python.executable:
        return None
    data = entry.source.read_bytes()
    named = data.partition(b"\n")[0].removeprefix(b"#!").strip().decode(errors="replace")
    is_ours = Path(named).resolve() == python.executable
    program = f"python{python.minor}{python.suffix}"
    return relocate.script(data, python=program, prefix=python.prefix, is_ours=is_ours)


def _without_dangling(entries: list[Entry]) -> list[Entry]:
    """Drop links to what was dropped."""
    names = {entry.name for entry in entries}
    folders = {parent for name in names for parent in name.parents}

    def leads_somewhere(entry: Entry) -> bool:
        target = _normal(entry.name.parent / str(entry.target))
        return entry.target is None or target in names or target in folders

    return [entry for entry in entries if leads_somewhere(entry)]


def _normal(name: PurePosixPath) -> PurePosixPath:
    parts: list[str] = []
    for part in name.parts:
        parts.pop() if part == ".." else parts.append(part)
    return type(name)(*parts)
