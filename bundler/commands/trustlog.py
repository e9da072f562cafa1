"""What was done to a trust store goes into an audit log of its own, beside it (FORMAT.md §13)."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bundler.errors import BundlerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundler.signing.documentstore import Change


class TrustEntry:
    """How a change of a trust store ended, as far as is known."""

    def __init__(self) -> None:
        self.outcome = "done"
        self.facts: dict[str, Any] = {}

    def changed(self, change: Change) -> None:
        """Take over what an import changed."""
        from bundler.offline.audit import signer_facts

        before, after = (asdict(one) if one else None for one in (change.before, change.after))
        self.facts.update(
            trust_before=before, trust_after=after, signers=signer_facts(change.signers) or None
        )
        if change.added:
            self.facts["message"] = "trusts " + ", ".join(map(str, change.added))
        if before == after and not change.added:
            self.outcome = "nothing"


@contextlib.contextmanager
def recorded(folder: Path, *, command: str) -> Iterator[TrustEntry]:
    """Append to the log of the store in `folder` how the block ends; its error goes on.

    A store that is a single file has no log, nor has one that a refused first import did not make.
    """
    entry = TrustEntry()
    try:
        yield entry
    except BundlerError as error:
        with contextlib.suppress(BundlerError):
            outcome = "refused" if error.exit_code in (3, 8) else "failed"
            _append(folder, command, outcome, exit_code=error.exit_code, message=error.message)
        raise
    _append(folder, command, entry.outcome, **entry.facts)


def _append(folder: Path, command: str, outcome: str, **facts: Any) -> None:
    from bundler.offline.actor import whoami
    from bundler.offline.audit import Log
    from bundler.signing.storefolder import alone_in

    if folder.is_dir():
        with alone_in(folder):
            Log(folder / "log.jsonl", who=whoami(), command=command).append("trust", outcome, **facts)
