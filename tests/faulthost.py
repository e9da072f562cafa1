"""A prefix that an unpack is disturbed in, and what must hold afterwards, whatever the disturbance was."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from bundles import PACKER, archive, make_bundle, small_content, tree, unpack_bytes
from cli import bundler, process

LOG_NAME = "log.jsonl"  # append-only, and it tells of failures: no part of what "nothing changed" means
STATE = {"lock", "serials.json", LOG_NAME}
UMASK = 0o077  # the most hostile one: a folder that a crash leaves must not stay closed to users

# Free space is looked at beforehand; this command line sees more of it than there is, so that it runs out later.
BLIND = (
    "import shutil; shutil.disk_usage = lambda _: type('U', (), {'free': 1 << 40})(); "
    "import bundler.__main__ as m; m.main()"
)


def lean(values, *quick):
    """Return test parameters of which only the `quick` ones belong to the default suite."""
    marks = {one: () if one in quick else pytest.mark.slow for one in values}
    return [
        pytest.param(one, marks=mark, id=one if isinstance(one, str) else " ".join(one[:2]))
        for one, mark in marks.items()
    ]


class Host:
    """A prefix with generation 1 (or a blank one), the same at the start of every run, and the next bundle.

    `stop` gets the prefix into the state that every run begins with, if that is not the state of rest.
    """

    def __init__(self, folder: Path, *, blank: bool = False, prefix: Path | None = None, stop=None) -> None:
        self.folder, self.prefix, self.log = folder, prefix or folder / "p", folder / "strace"
        self.bundle, self.blank = folder / "new.uvb", blank
        (folder / "trust").write_text(PACKER.line + "\n")
        self.bundle.write_bytes(make_bundle(serial=2, archives=[archive(small_content(6))]))
        self.words = ("unpack", "new.uvb", "--trust", "trust", "--prefix", self.prefix, "--shell", "sh", "-q")
        self._template = folder / "template"
        if not blank:
            unpack_bytes(make_bundle(serial=1), self.prefix)
            self.old = tree(self.prefix / "generations" / "1")
            subprocess.run(["cp", "-a", self.prefix, self._template], check=True)
        done = process(*self.words, cwd=folder, umask=UMASK)
        assert done.code == 0, done.stderr
        self.exports, self.new = done.stdout, self.active()[1]
        self.restore()
        if stop:
            stop(self)
            shutil.rmtree(self._template, ignore_errors=True)
            subprocess.run(["cp", "-a", self.prefix, self._template], check=True)

    def restore(self):
        """Set everything back to the start."""
        shutil.rmtree(self.prefix, ignore_errors=True)
        if not self.blank:
            subprocess.run(["cp", "-a", self._template, self.prefix], check=True)

    def active(self):
        """Return the number of the active generation and its tree, without what its number decides."""
        current = self.prefix / "current"
        if not current.is_symlink():
            assert not current.exists()
            return 0, {}
        number, found = generation(current.resolve(strict=True))
        assert current.readlink() == Path("generations", str(number))
        return number, found

    def mark(self):
        """Return the highest serial that the host remembers."""
        path = self.prefix / "state" / "serials.json"
        if not path.exists():
            return 0
        document = json.loads(path.read_bytes())
        return document.get("names", document).get("plant-7", {"serial": 0})["serial"]

    def check_old_or_new(self, done, *, at):
        """Assert what a fault may leave; return whether the new generation is active."""
        number, found = self.active()
        if not self.blank:
            assert tree(self.prefix / "generations" / "1") == self.old, at
        for folder in (self.prefix / "generations").glob("*"):
            assert (folder.name == "1" and not self.blank) or generation(folder) == (
                int(folder.name),
                self.new,
            ), at
        if found == self.new:
            assert self.mark() == 2, at
            return True
        assert number == (0 if self.blank else 1), at
        assert self.mark() in ((0, 2) if self.blank else (1, 2)), at
        assert done.code != 0, at
        return False

    def check_converged(self, *, at):
        """Run the same command again, undisturbed; assert that the new state is there, and nothing else."""
        done = process(*self.words, cwd=self.folder, umask=UMASK)
        assert (done.code, done.stdout) == (0, self.exports), (at, done.stderr)
        number, found = self.active()
        assert found == self.new, at
        assert self.mark() == 2, at
        names = {one.name for one in self.prefix.iterdir()}
        assert names - {"staging"} == {"current", "generations", "state"}, at
        assert "staging" not in names or not list((self.prefix / "staging").iterdir()), at
        kept = {one.name for one in (self.prefix / "generations").iterdir()}
        assert kept == ({str(number)} if self.blank else {"1", str(number)}), at
        assert {one.name for one in (self.prefix / "state").iterdir()} <= STATE, at
        for folder in (self.prefix, self.prefix / "generations", self.prefix / "state"):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o755, (at, folder)
        told = bundler("log", "--prefix", self.prefix)
        assert told.code == 0, (at, told.stderr)


def generation(folder):
    """Return the number of a generation and its tree, without what its number decides."""
    found = tree(folder)
    mode, raw = found["generation.json"]
    record = json.loads(raw)
    found["generation.json"] = (mode, {key: value for key, value in record.items() if key != "number"})
    return record["number"], found


def check_refused(done, *, at):
    """Assert exit code 6, one line that names the thing, one next step, and nothing on stdout."""
    assert (done.code, done.stdout) == (6, ""), (at, done.stderr)
    error, step = done.stderr.splitlines()
    assert error.startswith(("uv-bundler: error: /", "uv-bundler: error: new.uvb: ")), (at, error)
    assert step.startswith("uv-bundler: next: "), at


def outside_log(prefix):
    """Return the tree of the prefix, without its lock and its log."""
    if not prefix.exists():
        return {}
    own = ("state/lock", f"state/{LOG_NAME}")
    return {path: facts for path, facts in tree(prefix).items() if path not in own}
