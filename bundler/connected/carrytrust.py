"""Trust documents that a bundle is to carry: found, put in order, and walked as a host will (FORMAT.md §13).

Each document of the chain is signed as the one before and it itself ask for: a host that trusts by one of
them can walk on to the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundler.core.durable import host_faults
from bundler.core.index import MAX_SIGNATURE_BYTES
from bundler.errors import SignatureFault, UsageFault
from bundler.signing.trustdoc import MAX_CHAIN, SignedDocument
from bundler.signing.trustfile import DOCUMENT, read_trust_file
from bundler.signing.trustload import signed_document
from bundler.signing.trustwalk import check_own, walk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bundler.signing.trust import Trust


def load_chain(paths: Sequence[Path]) -> tuple[SignedDocument, ...]:
    """Return the documents in `paths`, files or folders of `.json` files, by version, with their signatures.

    Raises `UsageFault` for what is no trust document or leaves a version out, and `SignatureFault` where one
    is not signed as it must be.
    """
    found: dict[int, tuple[Path, SignedDocument]] = {}
    for path in _files(paths):
        one = signed_document(path, read_trust_file(path, expected=DOCUMENT))
        first = found.setdefault(one.number, (path, one))[0]
        if first != path:
            raise UsageFault(
                f"{path}: version {one.number} again, which {first} is, expected each version once",
                hint="name the one that was published",
            )
        if any(len(signature) > MAX_SIGNATURE_BYTES for signature in one.signatures):
            raise UsageFault(
                f"{path}: a signature beside it has more than {MAX_SIGNATURE_BYTES} bytes",
                hint="remove what is no signature",
            )
    ordered = [found[number] for number in sorted(found)]
    if len(ordered) > MAX_CHAIN:
        raise UsageFault(
            f"--carry-trust: expected at most {MAX_CHAIN} trust documents, found {len(ordered)}",
            hint="leave out versions that no host has any more",
        )
    trust: Trust | None = None
    for number, (path, one) in enumerate(ordered, start=ordered[0][1].number if ordered else 0):
        if one.number != number:
            raise UsageFault(
                f"{path}: is version {one.number}, expected version {number} after {number - 1}",
                hint="a host takes one step at a time: name every version, up to the newest one",
            )
        trust = _follow(trust, one, path=path)
    return tuple(one for _, one in ordered)


def _files(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        with host_faults(path):
            inside = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not inside:
            raise UsageFault(
                f"{path}: no .json file in it, expected trust documents", hint="name the documents themselves"
            )
        files += inside
    return files


def _follow(trust: Trust | None, one: SignedDocument, *, path: Path) -> Trust:
    """Return the trust in a document, which is the first, or follows the one that `trust` is in."""
    try:
        if trust is None:
            return check_own(one, source=str(path), revoked_keys={})
        return walk(trust, [one])[0]
    except SignatureFault as fault:
        message = fault.message.removeprefix(f"trust/{one.number}.json: ").removeprefix(f"{path}: ")
        raise SignatureFault(f"{path}: {message}", hint=fault.hint) from None
