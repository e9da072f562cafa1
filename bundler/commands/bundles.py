"""The bundle that a command was given: found, opened and judged; what is wrong with its files is said."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from bundler.commands.options import typed_trust
from bundler.commands.output import say
from bundler.core.durable import host_faults
from bundler.errors import DamagedFault, IncompleteFault, UsageFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bundler.core.index import Index
    from bundler.offline.signedindex import SignedIndex
    from bundler.signing.trust import Trust
    from bundler.volumes.choosing import Judge, Wanted
    from bundler.volumes.opening import Opened


@contextlib.contextmanager
def open_bundle(
    paths: Sequence[Path],
    *,
    trust: Trust | None = None,
    verifier: str = "builtin",
    judge: Judge | None = None,
    wanted: Wanted | None = None,
    quiet: bool = False,
) -> Iterator[Opened]:
    """Open the bundle that `paths` name, whatever form it has; `-` is stdin.

    Where files of several bundles lie there, the newest that `trust`, or else `judge`, accepts is meant,
    or that which is `wanted`. What is wrong with files of a set is said, whether the rest was enough or not;
    with `quiet` other files are not spoken of.
    """
    from bundler.offline.folder import FolderReader
    from bundler.volumes.named import name_folders
    from bundler.volumes.opening import Opened, opened
    from bundler.volumes.setreader import SetReader

    if is_stdin(paths):
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageFault(
                "stdin: expected a bundle, found a terminal" if sys.stdin else "stdin: is closed",
                hint="name the file, or send it in: … < q4.uvb",
            )
        yield Opened(source=sys.stdin.buffer, name="stdin")
        return
    judge = judging(trust, verifier=verifier) if trust else judge
    named = typed_trust(trust.source) if trust and trust.store is None else []
    with opened(paths, judge=judge, trust=named, wanted=wanted) as bundle:
        for line in () if quiet else bundle.notes:
            say(f"note: {line}")
        try:
            yield bundle
        except (DamagedFault, IncompleteFault) as fault:
            fault.hint = "; otherwise: ".join(filter(None, (name_folders(bundle.more), fault.hint))) or None
            raise
        finally:
            if isinstance(bundle.source, SetReader | FolderReader):
                for line in bundle.source.told():
                    say(f"warning: {line}")


def judging(trust: Trust, *, verifier: str) -> Judge:
    """Return what tells whether somebody trusted signed an index, and parses it then."""
    from bundler.offline.signedindex import verify_index

    def judge(signed: SignedIndex, name: str) -> Index:
        return verify_index(signed, trust=trust, name=name, verifier=verifier).index

    return judge


def check_exists(path: Path) -> None:
    """Raise `UsageFault` where there is nothing at `path`."""
    with host_faults(path):
        if not path.exists():
            raise UsageFault(
                f"{path}: no such file, expected a bundle", hint="check the path, and `ls` the medium"
            )


def is_stdin(paths: Sequence[Path]) -> bool:
    """Tell whether `-` was named, and nothing else."""
    return [str(path) for path in paths] == ["-"]
