"""The command line as people and scripts meet it, and what every refusal of it looks like."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bundles import PACKER, make_bundle, tree
from typer.testing import CliRunner

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


def bundler(*words, **env) -> Done:
    """Run a command in this process: quick, for all that does not depend on real streams."""
    from bundler.commands.app import app

    done = CliRunner().invoke(app, [*map(str, words)], prog_name="uv-bundler", env=env)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Done(done.exit_code, done.stdout, done.stderr)


def command(*words, before=()) -> list[str]:
    """Return the words that start the command line in a process of its own, `before` in front of them."""
    return [*map(str, before), sys.executable, "-m", "bundler", *map(str, words)]


def environment(**more) -> dict[str, str]:
    """Return this environment with `more`, in which the package under test is found from every folder."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, **{name: str(value) for name, value in more.items()}}


def process(*words, before=(), env=None, **options) -> Done:
    """Run a command in a process of its own and catch its streams as text."""
    done = subprocess.run(
        command(*words, before=before), env=environment(**(env or {})), capture_output=True, check=False, **options
    )  # fmt: skip
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def check_refusal(done: Done, code: int, message: str, hint: str = "") -> None:
    """Assert the form of every refusal: its code, nothing on stdout, one line and one next step on stderr."""
    assert done.code == code, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert all(line.startswith("uv-bundler: ") for line in lines), done.stderr
    assert [line.split(": ")[1] for line in lines].count("error") == 1, done.stderr
    assert lines[-2].startswith("uv-bundler: error: "), done.stderr
    assert lines[-1].startswith("uv-bundler: next: "), done.stderr
    assert message in lines[-2]
    assert hint in lines[-1]
    for line in lines[-2:]:
        assert not line.endswith((".", " ")), line
        assert "this is a bug" not in line
    assert "Traceback" not in done.stderr


class Desk:
    """A folder with a bundle, its packer's public key and a prefix: an administrator's desk."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.prefix, self.bundle = folder, folder / "prefix", folder / "q4.uvb"
        self.trust = folder / "packer.pub"
        self.trust.write_text(f"{PACKER.key} packer@site\n")
        self.bundle.write_bytes(make_bundle())

    def unpack(self, *words, bundle=None, **env) -> Done:
        """Unpack in this process."""
        return bundler("unpack", bundle or self.bundle, *self.options, *words, **env)

    def unpack_process(self, *words, bundle=None, **options) -> Done:
        """Unpack in a process of its own."""
        return process("unpack", bundle or self.bundle, *self.options, *words, **options)

    @property
    def options(self) -> tuple[str, ...]:
        """What every unpack here says beside the bundle."""
        return ("--prefix", str(self.prefix), "--trust", str(self.trust), "--shell", "sh")

    def state(self) -> dict:
        """Return all of the prefix, but for the empty file that is locked and what the next run sweeps."""
        own = ("state/lock", "staging")
        return {path: facts for path, facts in tree(self.prefix).items() if not path.startswith(own)}


def used_desk(folder: Path) -> Iterator[Desk]:
    """Lend a desk whose prefix has a bundle already; afterwards assert that this state stayed as it was."""
    desk = Desk(folder)
    assert desk.unpack().code == 0
    before = desk.state()
    assert before
    yield desk
    assert desk.state() == before
