"""A host with a bundle that was really unpacked, for the tests of `doctor` to break in one place each."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from bundles import archive, make_bundle, small_content, unpack_bytes

from bundler.offline.doctor import diagnose
from bundler.offline.exporting import export_facts
from bundler.offline.generation import active_generation
from bundler.offline.prefix import Prefix
from bundler.offline.settings import settings

BUNDLE = make_bundle(archives=[archive(small_content(1)), archive(small_content(2), version=(3, 12, 1))])


class Host:
    """A prefix, a home and an /etc of their own; `env` is what the exports say until a test changes it."""

    def __init__(self, top: Path) -> None:
        self.prefix = top / "pre fix"
        unpack_bytes(BUNDLE, self.prefix)
        self.current = self.prefix / "current"
        self.home, self.etc, self.cwd = top / "home", top / "etc", top / "work"
        for folder in (self.home, self.etc, self.cwd):
            folder.mkdir()
        self.env = {"HOME": str(self.home), **self.exports()}
        self.env["PATH"] = f"{self.current / 'bin'}:/usr/bin:/bin"
        self.mountinfo = top / "mountinfo"
        self.mountinfo.write_text("36 35 0:1 / / rw - ext4 /dev/x rw\n")

    def exports(self) -> dict[str, str]:
        prefix = Prefix(self.prefix)
        generation = active_generation(prefix)
        return {one.name: one.value for one in settings(export_facts(generation, prefix, generation.index()))}

    def diagnose(self, **changes):
        usual = {"env": self.env, "cwd": self.cwd, "etc": self.etc, "mountinfo": self.mountinfo}
        return diagnose(self.prefix, **{**usual, **changes})

    def troubles(self, **changes):
        return [one for one in self.diagnose(**changes) if one.level != "ok"]

    def the_trouble(self, **changes):
        found = self.troubles(**changes)
        assert len(found) == 1, found
        return found[0]

    def first(self, pattern: str) -> Path:
        return min(self.current.resolve().glob(pattern))

    def interpreter(self, folder: Path | None = None) -> Path:
        made = (folder or self.prefix / "python") / "cpython-3.13.5-linux-x86_64-gnu"
        (made / "bin").mkdir(parents=True)
        (made / "bin" / "python3").write_text("#!/bin/sh\n")
        (made / "bin" / "python3").chmod(0o755)
        return made


@contextlib.contextmanager
def unpacked_host():
    """Give a host with the bundle unpacked in a prefix that everybody may reach."""
    # pytest's own folder is closed to others, which is a finding.
    top = Path(tempfile.mkdtemp())
    top.chmod(0o755)
    try:
        yield Host(top)
    finally:
        shutil.rmtree(top)


def run_fix(finding) -> None:
    subprocess.run(["sh", "-c", finding.fix], check=True)


def other_uv(host, script: str) -> Path:
    folder = host.home / "bin"
    folder.mkdir()
    (folder / "uv").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "uv").chmod(0o755)
    host.env["PATH"] = f"{folder}:{host.env['PATH']}"
    return folder / "uv"
