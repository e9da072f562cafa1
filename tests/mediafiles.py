"""Files that are called as volumes, media that are written without a command line, and who judges what lies there."""

from __future__ import annotations

import random
import subprocess
from dataclasses import replace

from bundler.core.progress import Silent
from bundler.media import filling, writing
from bundler.media.preflight import preflight
from bundler.media.writing import find_sources, write_media


def volumes(folder, *, count, size, stem="plant-7-7"):
    """Write files that are called as volumes and have bytes of their own, and return them."""
    folder.mkdir(exist_ok=True)
    made = []
    for number in range(1, count + 1):
        path = folder / f"{stem}.{number:04d}-of-{count:04d}.uvb"
        path.write_bytes(random.Random(f"{stem}{number}").randbytes(size))
        made.append(path)
    return made


def three_volumes(folder):
    """Write three files of 1 MiB that are called as volumes, one byte over and over in each; return them."""
    folder.mkdir()
    for number in (1, 2, 3):
        (folder / f"plant-7-7.000{number}-of-0003.uvb").write_bytes(bytes([number]) * (1 << 20))
    return sorted(folder.iterdir())


def write(paths, folder, **options):
    """Write without a command line."""
    options = {"drive": None, "state": None, "progress": Silent(), **options}
    return write_media(find_sources(paths), folder, **options)


def with_room(monkeypatch, *, for_files):
    """Let media say that they have room for so many files of 1 MiB."""
    room = filling._MARGIN + for_files * (1 << 20)

    def small(folder):
        return replace(preflight(folder), free=room, unit=4096)

    monkeypatch.setattr(writing, "preflight", small)


def sums_hold(folder):
    """Let coreutils judge what lies on the medium; return the names that it was told of."""
    done = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {line.partition(":")[0] for line in done.stdout.splitlines()}
