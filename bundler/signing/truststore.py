"""The trust store of this machine: keys come in once, with the fingerprint checked by a person.

The store is an `allowed_signers` file that stock `ssh-keygen` reads too; each line that is added is tied to
our namespace. It appears whole or not at all, and it is read back as rules before it takes effect.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults, whole_file
from bundler.core.fault import Fault
from bundler.errors import SignatureFault, UsageFault
from bundler.signing.guard import check_guarded
from bundler.signing.publickey import looks_like_key_type, parse_fingerprint
from bundler.signing.storefolder import alone_in, busy, make_store
from bundler.signing.trust import NAMESPACE, Signer
from bundler.signing.trustfile import parse_rules, read_rules
from bundler.signing.trustload import load_trust, revoked_here, store_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bundler.signing.allowed_signers import Rule

_UNSAFE = re.compile(r"[^A-Za-z0-9._@:/+=-]+")  # what patterns, quotes and blanks could mean in a principal


def import_key(
    source: Path,
    *,
    store: Path,
    expect: Sequence[str],
    confirm: Callable[[str], bool] | None,
) -> tuple[Signer, ...]:
    """Let `store` trust the keys of `source` (a public key, or `allowed_signers`); return the new ones.

    Every key must have a fingerprint in `expect`; where `expect` is empty, `confirm` is asked about each new
    key. All of the file is added or nothing. Keys that the store has already are left as they are, so running
    it again changes nothing. Raises `UsageFault`, `SignatureFault` (a fingerprint differs, others can write
    the store) or `HostFault`.
    """
    store = store_path(store)
    incoming = _incoming(source)
    _check_fingerprints(source, incoming, expect=expect)
    _refuse_revoked(source, incoming, store=store)
    old, existing = _read_store(store)
    new = _missing(incoming, existing, store=store)
    if not expect:
        _ask(source, new, confirm=confirm)
    if new:
        _write(store, old, [*existing, *new], added=new)
    return tuple(_signer(rule) for rule in new)


def list_keys(store: Path) -> tuple[Signer, ...]:
    """Return the keys of a trust store in the order of its lines; raises as `load_trust` does."""
    return tuple(_signer(rule) for rule in load_trust(store).rules)


def _incoming(source: Path) -> tuple[Rule, ...]:
    """Read `source` into the rules that the store would get, each key once and for our namespace alone."""
    rules: dict[bytes, Rule] = {}
    for rule in read_rules(source):
        if not rule.covers(NAMESPACE):
            raise UsageFault(
                f'{source}:{rule.line}: for namespaces="{rule.namespaces}", expected a key for {NAMESPACE}',
                hint="take the line out, or ask its author to add the namespace",
            )
        if rule.key.blob in rules:
            raise UsageFault(
                f"{source}:{rule.line}: {rule.key.fingerprint} for the second time, expected each key once",
                hint="take one of the lines out",
            )
        rules[rule.key.blob] = replace(rule, principals=safe_principals(rule), namespaces=NAMESPACE)
    return tuple(rules.values())


def safe_principals(rule: Rule) -> str:
    """Return the name for a line: a comment is free text, and might bring quotes, patterns or a key along."""
    principals = rule.principals
    if rule.namespaces is None and principals == rule.key.comment:
        principals = _UNSAFE.sub("_", principals)
    if looks_like_key_type(principals):  # would make the line look like a bare public key
        principals = rule.key.fingerprint
    return principals


def told(expect: Sequence[str]) -> frozenset[str]:
    """Return the fingerprints that a person was told; raises `UsageFault` for one that no key can have."""
    expected = frozenset(text.strip() for text in expect)
    for text in expected:
        try:
            parse_fingerprint(text)
        except Fault:
            raise UsageFault(
                f"--expect: {text!r}, expected a fingerprint: SHA256: and 43 characters",
                hint="ask the packer for what `uv-bundler keygen` or `ssh-keygen -lf KEY.pub` printed",
            ) from None
    return expected


def _check_fingerprints(source: Path, incoming: Sequence[Rule], *, expect: Sequence[str]) -> None:
    expected = told(expect)
    found = {rule.key.fingerprint for rule in incoming}
    if expected and (found - expected or expected - found):
        raise SignatureFault(
            f"{source}: holds {', '.join(sorted(found))}, expected {', '.join(sorted(expected))}",
            hint="this is not the key you were told of: get it again, and the fingerprint by another road",
        )


def _refuse_revoked(source: Path, incoming: Sequence[Rule], *, store: Path) -> None:
    revoked = revoked_here(store.parent)
    for rule in incoming:
        if reason := revoked.get(rule.key.fingerprint):
            raise SignatureFault(
                f"{source}: {rule.key.fingerprint} is revoked on this machine: {reason}",
                hint="ask its owner for a new key; whoever knows better takes the line out of revoked_keys",
            )


def _ask(source: Path, new: Sequence[Rule], *, confirm: Callable[[str], bool] | None) -> None:
    for rule in new:
        if confirm is None:
            raise UsageFault(
                f"{source}: {rule.key.fingerprint} must be checked by a person, and there is no terminal",
                hint="give the fingerprint that the packer told you by another road: --expect SHA256:…",
            )
        question = (
            f"{source}: key of {rule.principals} ({rule.key.key_type}), fingerprint {rule.key.fingerprint}: "
            "is that what its owner told you by another road?"
        )
        if not confirm(question):
            raise SignatureFault(
                f"{source}: {rule.key.fingerprint} was not confirmed; nothing was imported",
                hint="ask the packer for the fingerprint by telephone or on paper, and compare",
            )


def _read_store(store: Path) -> tuple[bytes, tuple[Rule, ...]]:
    with host_faults(store):
        if not store.exists() and not store.is_symlink():
            return b"", ()
    check_guarded(store)
    with host_faults(store):
        old = store.read_bytes()
    return old, read_rules(store) if old.strip() else ()


def _missing(incoming: Sequence[Rule], existing: Sequence[Rule], *, store: Path) -> list[Rule]:
    new = []
    for rule in incoming:
        same = [one for one in existing if one.key == rule.key]
        if not same:
            new.append(rule)
        for one in same:
            if replace(one, line=0) != replace(rule, line=0):
                raise UsageFault(
                    f"{store}:{one.line}: has {rule.key.fingerprint} with another name, namespace or date",
                    hint="change that line by hand, or take it out and import the key again",
                )
    return new


def _write(store: Path, old: bytes, rules: Sequence[Rule], *, added: Sequence[Rule]) -> None:
    joint = b"" if not old or old.endswith(b"\n") else b"\n"
    data = old + joint + "".join(f"{rule}\n" for rule in added).encode()
    try:
        reread = [replace(rule, line=0) for rule in parse_rules(data)]
    except Fault:
        reread = []
    if reread != [replace(rule, line=0) for rule in rules]:
        raise UsageFault(
            f"{store}: holds lines that no key can be added to, expected an allowed_signers file",
            hint="begin each line with a name, or move the file away and import its keys",
        )
    make_store(store.parent)
    with alone_in(store.parent):
        with host_faults(store):
            if (store.read_bytes() if store.exists() else b"") != old:
                raise busy(store.parent)
        with whole_file(store, mode=0o644) as stream:
            stream.write(data)


def _signer(rule: Rule) -> Signer:
    return Signer(principal=rule.principals, fingerprint=rule.key.fingerprint, key_type=rule.key.key_type)
