"""`write-media`: a bundle onto a drive that can be pulled out and holds what it should."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path  # noqa: TC003  # typer reads it from the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.commands.options import Quiet, some_path
from bundler.commands.output import emit, say
from bundler.commands.watch import watch
from bundler.core.text import are, counted, duration, numbers, size
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundler.media.filling import Source
    from bundler.media.writing import WrittenDrive
    from bundler.volumes.survey import Seen

_SHOWN = 3  # names in a line; further ones are counted


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("write-media")(write_to_medium)


def write_to_medium(
    bundles: Annotated[
        list[Path],
        typer.Argument(
            metavar="BUNDLE...", parser=some_path, help="Bundles, volumes, or folders that hold them."
        ),
    ],
    *,
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            envvar="UV_BUNDLER_TO",
            parser=some_path,
            metavar="<path>",
            help="The folder of the mounted drive.",
        ),
    ],
    drive: Annotated[
        str | None,
        typer.Option(
            "--drive",
            envvar="UV_BUNDLER_DRIVE",
            help="What is written on the drive: its label. Default: A, B …",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            envvar="UV_BUNDLER_STATE",
            readable=False,
            help="Where the packing list is kept between drives. Default: beside the volumes.",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write a bundle to a drive, sync it, read it back, and say when the drive may be pulled out.

    Volumes go onto as many drives as they need: whole files, as many as fit; run the same command again
    with the next drive. Prints the paths of the bundle's files on the drive.

    \b
    Examples:
      uv-bundler write-media plant-7-2026112001.uvb --to /media/usb
      uv-bundler write-media volumes/ --to /media/usb --drive B
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.media.mounts import mount_of
    from bundler.media.writing import find_sources, write_media

    begun = time.monotonic()
    files, whole = _files(bundles)
    sources = find_sources(files)
    mount = mount_of(to)
    if mount.point == "/" or mount.in_memory:
        what = "in this machine's memory" if mount.in_memory else "on the file system of /"
        say(f"warning: {to}: is {what}, expected a drive of its own: is the drive mounted?")
    with watch(quiet=quiet) as progress:
        written = write_media(sources, to, drive=drive, state=state, progress=progress)
    emit("".join(f"{to / one.name}\n" for one in written.load.held))
    if not quiet:
        _tell(written, to, elapsed=time.monotonic() - begun, whole=whole)


def _files(bundles: list[Path]) -> tuple[list[Path], bool]:
    """Return the files to write, and whether every bundle of which they are files is whole."""
    from bundler.offline.folder import make_one_file
    from bundler.volumes.named import has_more, unnamed
    from bundler.volumes.survey import list_files, look

    files = list(list_files(bundles))
    if not files:
        raise UsageFault(
            f"{', '.join(map(str, bundles))}: expected a .uvb file in there, found none",
            hint=make_one_file(bundles) or "name the bundle itself, or the folder of its volumes",
        )
    seen = [look(path) for path in files]
    absent = list(_absent(seen))
    for line in [f"{has_more(*one)}, not written" for one in unnamed(bundles, seen).items()] or absent:
        say(f"warning: {line}")
    for one in seen:
        if one.fault:
            say(f"warning: {one.path}: is written all the same, but is no part of a bundle: {one.fault}")
    return files, not absent and not any(one.fault for one in seen)


def _absent(seen: list[Seen]) -> Iterator[str]:
    """Yield a line for the volumes of each bundle that no file is, so that they are on no drive."""
    from bundler.volumes.parts import parts_of

    for index in dict.fromkeys(one.index for one in seen if one.head):
        mine = [one for one in seen if one.index == index]
        for part in parts_of(mine):
            if absent := part["missing"]:
                count, total = len(absent), counted(len(absent) + len(part["here"]), "volume")
                which = f"{count} of {total} {are(count)} missing, and not written: {numbers(absent)}"
                if part["whole"]:
                    which = "the bundle in one file is missing, and not written"
                yield f"{mine[0].path.parent}: {which}"


def _tell(written: WrittenDrive, to: Path, *, elapsed: float, whole: bool) -> None:
    load, medium = written.load, written.medium
    new = sum(one.size for one in load.writing)
    kept = f", {counted(len(load.kept), 'file')} kept" if load.kept else ""
    say(
        f"{to}: {counted(len(load.writing), 'file')} written, {size(new)}{kept}; "
        f"{medium.filesystem}, in {duration(elapsed)}"
    )
    for path, packing in load.lists.items():
        if packing.files_of(load.label):
            say(f"{to}: is drive {load.label}; {path} has what is on which drive")
    say(f"read back: {written.back.level.value} ({written.back.level.meaning})")
    if load.left:
        total = sum(one.size for one in load.left)
        say(
            f"{counted(len(load.left), 'file')} left, {size(total)}: {_names(load.left)}; "
            "run the same command again with the next drive"
        )
    if written.durable and sys.platform == "linux":
        say(f"{to}: safe to remove")
    else:
        say(f"{to}: written; eject or unmount it before you remove it: this system does not confirm names")
    say(f"to reach replug, plug it in again: {_proof(written, to, whole=whole)}")


def _names(sources: tuple[Source, ...]) -> str:
    if len(sources) > _SHOWN:
        return f"{sources[0].name} to {sources[-1].name}"
    return ", ".join(one.name for one in sources)


def _proof(written: WrittenDrive, to: Path, *, whole: bool) -> str:
    """Return the command that closes the loop; where it is not one whole bundle, digests are all there is."""
    load = written.load
    stems = {one.stem for one in load.held}
    if (
        not whole
        or load.left
        or len(stems) > 1
        or any(len(packing.drives) > 1 for packing in load.lists.values())
    ):
        return f"cd {shlex.quote(str(to))} && sha256sum -c SHA256SUMS"
    what = to / load.held[0].name if len(load.held) == 1 else to
    trust = "" if _trusts() else " --trust KEY.pub"
    return f"uv-bundler verify {shlex.quote(str(what))}{trust}"


def _trusts() -> bool:
    """Tell whether this machine knows whom to trust without being told."""
    from bundler.signing.trustdoc import TRUST_NAME
    from bundler.signing.trustload import STORE_NAME, store_folder, trust_path_to_read

    folder = store_folder(trust_path_to_read())
    stored = any((folder / name).exists() for name in (STORE_NAME, TRUST_NAME))
    return stored or bool(os.environ.get("UV_BUNDLER_TRUST"))
