"""The trust document of a store: installed once with a person's word, then only ever replaced by a later one.

What is written was accepted by `bundler.signing.trustwalk` before. The file appears whole or not at all, in a
guarded folder, and never makes way for a lower version (FORMAT.md §13).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundler.core.durable import whole_file
from bundler.core.fault import Fault
from bundler.errors import PolicyFault, UsageFault
from bundler.signing.storefolder import alone_in, make_store
from bundler.signing.trustdoc import TRUST_NAME, parse_document
from bundler.signing.trustfile import read_trust_file
from bundler.signing.trustload import read_store_document

if TYPE_CHECKING:
    from pathlib import Path

    from bundler.signing.judging import Signer
    from bundler.signing.trustdoc import TrustDocument
    from bundler.signing.trustwalk import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """Which document a store holds: for people, and for the audit log."""

    name: str
    version: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.name} version {self.version} (sha256 {self.sha256})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a command changed in the trust store in the folder `store`, for people and for the audit log.

    `before` and `after` are equal, and the rest is empty, where nothing had to be done.
    """

    store: Path
    before: Installed | None = None
    after: Installed | None = None
    steps: tuple[Step, ...] = ()
    added: tuple[Signer, ...] = ()

    @property
    def signers(self) -> tuple[Signer, ...]:
        """Who signed the document that is installed now: those who count by itself."""
        return self.steps[-1].new_signers if self.steps else ()


def installed_in(folder: Path) -> Installed | None:
    """Return which document the store in `folder` holds; raises as `read_store_document` does."""
    found = read_store_document(folder)
    return describe(found[0]) if found else None


def describe(raw: bytes) -> Installed:
    """Return name, version and sha256 of a document that was checked before."""
    document = parse_document(raw)
    return Installed(name=document.name, version=document.version, sha256=hashlib.sha256(raw).hexdigest())


def save_document(folder: Path, raw: bytes, *, after: TrustDocument | None = None) -> None:
    """Install a document, which was verified before, in the store in `folder`; the same bytes are a no-op.

    `after` is the installed one that the walk began at, where there was one: its authority is gone where
    somebody has put another one there, or none, in the meantime. Raises `PolicyFault` for that, and where the
    store holds a later version, another name, or other bytes of this version; `SignatureFault` where others
    can write the store; `HostFault` where it cannot be written, `LockedFault` where somebody else is changing
    it.
    """
    path = folder / TRUST_NAME
    try:
        new = describe(raw)
    except Fault as fault:
        raise UsageFault(f"{path}: {fault}", hint=fault.hint or "get it from its source again") from None
    make_store(folder)
    with alone_in(folder):
        old = installed_in(folder)
        if old == new:
            return
        check_replaceable(path, old, new)
        if after and (old is None or parse_document(read_trust_file(path)) != after):
            raise PolicyFault(
                f"{path}: is not {after.title} any more, which this one follows",
                hint="somebody changed the trust store meanwhile: run the command again",
            )
        with whole_file(path, mode=0o644) as stream:
            stream.write(raw)


def check_replaceable(path: Path, old: Installed | None, new: Installed) -> None:
    """Raise `PolicyFault` where `new` may not take the place of `old`, the document in `path`."""
    if old is None:
        return
    if new.name != old.name:
        raise PolicyFault(
            f"{path}: is of the name {old.name!r}, and a document of {new.name!r} cannot take its place",
            hint="to believe another series, move that file away, then import the other one anew",
        )
    if new.version <= old.version:
        found = f"version {new.version}" if new.version < old.version else "another one of the same version"
        raise PolicyFault(
            f"{path}: is version {old.version}, expected a later one, found {found}",
            hint="compare the sha256 of both with their signers: uv-bundler trust list FILE",
        )
