"""Streams of a full bundle opened by FORMAT.md §15's recipe, as it stands there, and the trees that come of it."""

import io
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from smallpythons import LINUX

from bundler.connected.recompress import recompress
from bundler.core.progress import Silent

SECTION = (Path(__file__).parents[1] / "bundler" / "FORMAT.md").read_text(encoding="utf-8")
RECIPE = re.sub(
    r"^ {4}", "", re.search(r"^ {4}mkdir trees\n(?: {4}.*\n)+", SECTION, re.MULTILINE)[0], flags=re.MULTILINE
)


def trees(ingredients, tmp_path, platform=LINUX):
    """Pack, lay the members out as tar would, run the recipe of the format; return the folder of trees."""
    if missing := [one for one in ("tar", "zstd") if not shutil.which(one)]:
        pytest.skip(f"needs {', '.join(missing)} on PATH")
    spool, desk = tmp_path / "spool", tmp_path / "desk"
    spool.mkdir()
    for one in recompress(ingredients, level="fast", spool=spool, progress=Silent()).stored:
        place = desk / one.member.path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(one.file, place)
    done = subprocess.run(
        ["sh", "-ec", RECIPE.replace("linux-x86_64-gnu", str(platform))],
        cwd=desk,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return desk / "trees"


def listing(folder):
    """Return what is below the folder: contents, targets, and whether files are executable."""
    found = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_file():
            found[name] = (path.read_bytes(), bool(path.stat().st_mode & 0o100))
    return found


def expected(archive, folder):
    """Return what GNU tar makes of the archive, wheels opened in a folder beside their place."""
    folder.mkdir()
    subprocess.run(["tar", "-xzf", archive, "-C", folder], check=True)
    found = listing(folder)
    for name in [name for name in found if name.endswith(".whl")]:
        content, _ = found.pop(name)
        with zipfile.ZipFile(io.BytesIO(content)) as wheel:
            for one in wheel.infolist():
                if one.file_size:
                    found[f"{name}.d/{one.filename}"] = (wheel.read(one), False)
    return found
