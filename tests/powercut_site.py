"""A host after a power cut: a prefix, what may be in it, and whether the same command again puts it right."""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from typing import TYPE_CHECKING

from bundles import PACKER, archive, make_bundle, small_content, tree
from cli import bundler

from bundler.errors import BundlerError
from bundler.offline.prefix import Prefix
from bundler.offline.serials import read_marks

if TYPE_CHECKING:
    from pathlib import Path

NOT_SWITCHED = "the command had ended well, and what it unpacked is not active"


class Site:
    """A prefix with, maybe, an old generation, a new bundle for it, and what it looks like when all went well."""

    def __init__(self, folder: Path, prefix: Path, *, used: bool) -> None:
        self.folder, self.prefix = folder, prefix
        self.trust, self.old_bundle, self.bundle = (folder / one for one in ("trust", "old.uvb", "new.uvb"))
        self.trust.write_text(PACKER.line + "\n")
        self.old_bundle.write_bytes(make_bundle(serial=1))
        self.bundle.write_bytes(
            make_bundle(serial=2, archives=[archive(small_content()), archive(small_content(6), version=(3, 12, 9))])
        )  # fmt: skip
        self.old = None
        if used:
            assert self.unpack(self.old_bundle).code == 0
            self.old = tree(prefix / "generations" / "1")

    def words(self, bundle: Path) -> tuple[object, ...]:
        """Return the command that unpacks a bundle here."""
        return ("unpack", bundle, "--prefix", self.prefix, "--trust", self.trust, "--shell", "sh", "-q")

    def unpack(self, bundle: Path):
        """Unpack in this process."""
        return bundler(*self.words(bundle))

    def take_as_done(self) -> None:
        """Note what is in the prefix as the state to come to."""
        self.new, self.layout = self._generation(self.prefix / "current"), self._layout()

    def faults(self, *, done: bool = False) -> list[str]:
        """Say what is wrong after a power cut; `done`: the command had ended with success."""
        try:
            target = (self.prefix / "current").readlink()
        except OSError:
            gone = ["there is no current"] if self.old else []
            return [*gone, NOT_SWITCHED] if done else [*gone, *self._log_faults(active=1)]
        found = []
        active = self.prefix / target
        if not re.fullmatch(r"generations/\d+", str(target)) or not active.is_dir():
            return [f"current leads to {target}"]
        is_old = self.old is not None and active.name == "1"
        if (tree(active) if is_old else self._generation(active)) != (self.old if is_old else self.new):
            found.append(f"the files of {target} are not those of its bundle")
        if self.old is not None and not is_old and tree(self.prefix / "generations" / "1") != self.old:
            found.append("the old generation has changed")
        if self._mark() < (1 if is_old else 2):
            found.append(f"the mark is {self._mark()} and {target} is active")
        found += self._log_faults(active=1 if is_old else 2, done=done)
        if done and is_old:
            found.append(NOT_SWITCHED)
        return found

    def faults_after_rerun(self) -> list[str]:
        """Run the command again, and say what it did not mend."""
        again = self.unpack(self.bundle)
        if again.code:
            return [f"again: {again.stderr}"]
        found = [f"again: {one}" for one in self.faults(done=True)]
        if not found and self._layout() != self.layout:
            stray, lost = self._layout() - self.layout, self.layout - self._layout()
            found.append(f"again: stray {sorted(stray)}, lost {sorted(lost)}")
        if self.unpack(self.old_bundle).code != 8:
            found.append("again: the old bundle is taken")
        return found

    def _generation(self, folder: Path) -> dict:
        """Return the tree of a generation without its number, which depends on what went before."""
        found = tree(folder.resolve())
        if (raw := found.get("generation.json", ("", None))[1]) and raw.startswith(b"{"):
            with contextlib.suppress(ValueError):
                found["generation.json"] = {**json.loads(raw), "number": None}
        return found

    def _layout(self) -> Counter:
        """Return how often each name is in the prefix; names in generations are looked at elsewhere."""
        inner = re.compile(r"generations/\d+/")
        names = [str(path.relative_to(self.prefix)) for path in self.prefix.rglob("*")]
        first = r"generations/(?!1$)\d+" if self.old is not None else r"generations/\d+"
        return Counter(re.sub(first, "generations/new", one) for one in names if not inner.match(one))

    def _log_faults(self, *, active: int, done: bool = False) -> list[str]:
        """Say what the audit log does not tell of the bundle with the serial `active`, or of a command that is `done`."""
        log = self.prefix / "state" / "log.jsonl"
        if not log.exists():
            return ["there is no log"] if done or self.old or active == 2 else []
        shown = bundler("log", log, "--json")
        if shown.code:
            return [f"log: {shown.stderr}"]
        entries = [json.loads(line) for line in shown.stdout.splitlines()]
        found = []
        if active == 2 and not any(one.get("bundle", {}).get("serial") == 2 for one in entries):
            found.append("the log does not tell of the active bundle")
        if done and (not entries or entries[-1]["outcome"] not in {"done", "nothing"}):
            found.append("the log does not tell of the end")
        return found

    def _mark(self) -> int:
        try:
            return read_marks(Prefix(self.prefix)).names["plant-7"].serial
        except (BundlerError, KeyError):
            return 0
