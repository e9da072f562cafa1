"""`trust import`: keys, or trust documents, into the trust store of this machine (FORMAT.md §13).

The first document needs a person's word for the fingerprints of those who signed it; every later one has the
installed document as its authority. All of what is named comes in, or nothing.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults
from bundler.core.fault import Fault
from bundler.errors import PolicyFault, SignatureFault, UsageFault
from bundler.signing.documentstore import Change, check_replaceable, describe, save_document
from bundler.signing.trust import trust_in, verify_signatures
from bundler.signing.trustdoc import MAX_CHAIN, ROOT, TRUST_FORMAT, TRUST_NAME, parse_document
from bundler.signing.trustfile import ANY, read_trust_file
from bundler.signing.trustlist import threshold_of
from bundler.signing.trustload import (
    STORE_NAME,
    is_document,
    read_store_document,
    revoked_here,
    signed_document,
    store_folder,
)
from bundler.signing.truststore import import_key, told
from bundler.signing.trustwalk import Step, check_first, expect_root_keys, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bundler.signing.trust import Trust
    from bundler.signing.trustdoc import SignedDocument

    Named = tuple[Path, SignedDocument]


def import_trust(
    sources: Sequence[Path],
    *,
    store: Path,
    expect: Sequence[str],
    confirm: Callable[[str], bool] | None,
) -> Change:
    """Let `store` trust what `sources` name: one file of keys, or trust documents (files or folders of them).

    `expect` are the fingerprints that a person was told; where there are none, `confirm` is asked, and None
    says that nobody can be. Later documents than the installed one need neither. Raises `UsageFault`,
    `SignatureFault`, `PolicyFault` (an older document, or one of another name) or `HostFault`; then nothing
    has changed.
    """
    files = _files(sources)
    contents = [(path, read_trust_file(path, expected=ANY)) for path in files]
    if not any(is_document(data) for _, data in contents):
        return _import_keys(files, store=store, expect=expect, confirm=confirm)
    for path, data in contents:
        if not is_document(data):
            raise UsageFault(
                f"{path}: no trust document, expected one beside the others",
                hint="import keys and trust documents one after the other",
            )
    named = sorted(
        ((path, signed_document(path, data)) for path, data in contents), key=lambda one: one[1].number
    )
    for (first, one), (second, other) in itertools.pairwise(named):
        if one.number == other.number:
            raise UsageFault(
                f"{second}: version {other.number} again, which {first} is, expected each version once",
                hint="name the one that was published",
            )
    folder = store_folder(store)
    with host_faults(folder):
        if folder.exists() and not folder.is_dir():
            raise UsageFault(
                f"{folder}: a file, expected the folder of a trust store", hint="name a folder with --store"
            )
    return _import_documents(named, folder=folder, expected=told(expect), confirm=confirm)


def _import_keys(
    files: Sequence[Path], *, store: Path, expect: Sequence[str], confirm: Callable[[str], bool] | None
) -> Change:
    if len(files) != 1:
        raise UsageFault(
            f"{files[1]}: a second file of keys, expected one at a time",
            hint="write the keys into one allowed_signers file, or import them one after the other",
        )
    folder = store_folder(store)
    if found := read_store_document(folder):
        raise UsageFault(
            f"{folder / TRUST_NAME}: {found[1].title} says who may sign, expected its successor and no key",
            hint="have its people add the key: uv-bundler trust new NEW.json --from OLD.json "
            f"--signer NAME={files[0]}",
        )
    keys = store.with_name(STORE_NAME) if store.name == TRUST_NAME else store
    return Change(store=folder, added=import_key(files[0], store=keys, expect=expect, confirm=confirm))


def _import_documents(
    named: Sequence[Named],
    *,
    folder: Path,
    expected: frozenset[str],
    confirm: Callable[[str], bool] | None,
) -> Change:
    revoked = revoked_here(folder)
    steps: list[Step] = []
    if installed := read_store_document(folder):
        before = describe(installed[0])
        trust = trust_in(installed[1], source=str(folder / TRUST_NAME), revoked_keys=revoked, store=folder)
        path, newest = named[-1]
        if newest.number <= before.version and newest.raw != installed[0]:
            check_replaceable(folder / TRUST_NAME, before, describe(_checked(path, newest)))
        rest = named
    else:
        before = None
        path, first = named[0]
        confirmed = expected or _ask(path, first, revoked=revoked, confirm=confirm)
        trust, step = check_first(first, source=str(path), confirmed=confirmed, revoked_keys=revoked)
        steps.append(step)
        rest = named[1:]
    for path, one in rest:
        trust, more = _follow(trust, one, path=path)
        steps += more
    if installed and trust.document:
        expect_root_keys(trust.document, expected, source=str(named[-1][0]))
    if steps:
        save_document(folder, steps[-1].raw, after=installed[1] if installed else None)
    after = describe(steps[-1].raw) if steps else before
    return Change(store=folder, before=before, after=after, steps=tuple(steps))


def _files(sources: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for source in sources:
        with host_faults(source):
            inside = source.is_dir()
            found = _documents_in(source) if inside else [source]
        if not found:
            raise UsageFault(
                f"{source}: no .json file in it, expected trust documents", hint="name the file itself"
            )
        files += found
    if len(files) > MAX_CHAIN:
        raise UsageFault(
            f"{sources[0]}: {len(files)} files, expected at most {MAX_CHAIN} trust documents",
            hint="name those that follow the installed one, in several runs if there are so many",
        )
    return list(dict.fromkeys(files))


def _documents_in(folder: Path) -> list[Path]:
    """Return what a folder has of them: no file of macOS beside one, and no FIFO to wait for."""
    return sorted(one for one in folder.glob("*.json") if one.name[0] != "." and one.is_file())


def _checked(path: Path, signed: SignedDocument) -> bytes:
    try:
        parse_document(signed.raw)
    except Fault as fault:
        raise UsageFault(f"{path}: {fault}", hint=fault.hint or "get it from its source again") from None
    return signed.raw


def _ask(
    path: Path,
    signed: SignedDocument,
    *,
    revoked: Mapping[str, str],
    confirm: Callable[[str], bool] | None,
) -> frozenset[str]:
    """Return the fingerprints that a person confirms, of those whose signatures the document asks for."""
    document = parse_document(_checked(path, signed))
    trust = trust_in(document, source=str(path), revoked_keys=revoked)
    try:
        signers = verify_signatures(signed.raw, signed.signatures, trust=trust, namespace=TRUST_FORMAT)
    except SignatureFault as fault:
        raise SignatureFault(f"{path}: {fault.message}", hint=fault.hint) from None
    wanted = signers[: document.threshold(ROOT)]
    if confirm is None:
        raise UsageFault(
            f"{path}: {' and '.join(map(str, wanted))} must be checked by a person, and there is no terminal",
            hint="give each fingerprint that its owner told you by another road: --expect SHA256:…",
        )
    for signer in wanted:
        if not confirm(
            f"{path}: {document.title}, for which {threshold_of(document, ROOT)} must sign, signed by "
            f"{signer.principal} ({signer.key_type}), fingerprint {signer.fingerprint}: "
            "is that what its owner told you by another road?"
        ):
            raise SignatureFault(
                f"{path}: {signer.fingerprint} was not confirmed; nothing was imported",
                hint="ask its owner for the fingerprint by telephone or on paper, and compare",
            )
    return frozenset(signer.fingerprint for signer in wanted)


def _follow(trust: Trust, signed: SignedDocument, *, path: Path) -> tuple[Trust, tuple[Step, ...]]:
    """Take one step of the walk; what is said about it names the file."""
    try:
        return walk(trust, [signed])
    except SignatureFault as fault:
        message = fault.message.removeprefix(f"trust/{signed.number}.json: ")
        name = _claimed_name(signed)
        if trust.document and name not in (None, trust.document.name):
            raise PolicyFault(
                f"{path}: is of the name {name!r}, expected {trust.document.name!r}, which is installed",
                hint="to believe another series, move the installed file away, then import it anew",
            ) from None
        raise SignatureFault(f"{path}: {message}", hint=fault.hint) from None


def _claimed_name(signed: SignedDocument) -> str | None:
    """Return the name that a refused document gives itself, for the message alone."""
    try:
        return parse_document(signed.raw).name
    except Fault:
        return None
