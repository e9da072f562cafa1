"""Where trust comes from: a file that a person names, or the guarded trust store of this machine.

Exit codes: a trust file that is malformed, or missing where it was named, is `UsageFault` (2); no trust
store, one that others can write, and a document that too few have signed are `SignatureFault` (3).
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults
from bundler.core.fault import Fault
from bundler.core.index import MAX_SIGNATURE_BYTES, MAX_SIGNATURES
from bundler.errors import SignatureFault, UsageFault
from bundler.signing.guard import check_guarded
from bundler.signing.revocation import read_revoked
from bundler.signing.trust import Trust, trust_in
from bundler.signing.trustdoc import TRUST_NAME, SignedDocument, claimed_version, parse_document
from bundler.signing.trustfile import ANY, DOCUMENT, read_trust_file, rules_of
from bundler.signing.trustwalk import check_own

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bundler.signing.trustdoc import TrustDocument

STORE_NAME = "allowed_signers"
_SYSTEM_STORE = Path("/etc/uv-bundler") / STORE_NAME
_MEND = "get it from its source again: it must be as `uv-bundler trust new` wrote it"


def default_trust_path() -> Path:
    """Return where this user's trust store keeps plain keys, whether it exists or not.

    Root: `/etc/uv-bundler/allowed_signers`. Others: below `XDG_CONFIG_HOME` or `~/.config`. Windows:
    below `%ProgramData%`, where an administrator has to make the folder so that only administrators write it.
    """
    if os.name == "nt":
        return Path(os.environ.get("PROGRAMDATA") or r"C:\ProgramData") / "uv-bundler" / STORE_NAME
    if os.geteuid() == 0:
        return _SYSTEM_STORE
    configured = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    return configured / "uv-bundler" / STORE_NAME


def trust_path_to_read() -> Path:
    """Return the store to read: this user's, or the machine's where this user has none."""
    own = default_trust_path()
    return _SYSTEM_STORE if not _is_there(own) and _is_there(_SYSTEM_STORE) else own


def store_path(path: Path) -> Path:
    """Return the file of plain keys of a trust store: `path`, or the one in it where `path` is a folder."""
    return path / STORE_NAME if path.is_dir() else path


def store_folder(path: Path) -> Path:
    """Return the folder of the trust store that `path` names: itself, or the one that its file lies in."""
    is_file = path in (default_trust_path(), _SYSTEM_STORE) or path.name in (STORE_NAME, TRUST_NAME)
    return path.parent if is_file and not path.is_dir() else path


def store_to_read(path: Path) -> Path:
    """Return what to load as the store that `path` names: its folder where a document decides there."""
    folder = store_folder(path)
    return folder if os.path.lexists(folder / TRUST_NAME) else path


def load_trust(path: Path) -> Trust:
    """Load a public key, an `allowed_signers` file, a trust document, or a trust store.

    A folder and this machine's own are trust stores: they must be safe from other users
    (`bundler.signing.guard`), and a document in one needs no signatures. A file that a person names is taken
    as it is; a document with its signatures beside it. The keys that this machine has revoked never count,
    whatever is named. Raises `UsageFault`, `SignatureFault` or `HostFault`.
    """
    with host_faults(path):
        is_store = path.is_dir() or path in _own_files()
    if is_store:
        return _load_store(path)
    data = read_trust_file(path, expected=ANY)
    revoked = revoked_here()
    if not is_document(data):
        return Trust(rules=rules_of(data, path=path), source=str(path), revoked_keys=revoked)
    return check_own(signed_document(path, data), source=str(path), revoked_keys=revoked)


def revoked_here(*folders: Path) -> Mapping[str, str]:
    """Return what this machine has revoked, in its own store, this user's and `folders`, with the reasons."""
    places = dict.fromkeys((_SYSTEM_STORE.parent, default_trust_path().parent, *folders))
    return {key: reason for folder in places for key, reason in read_revoked(folder).items()}


def is_document(data: bytes) -> bool:
    """Tell whether the content of a trust file begins as a trust document does."""
    return data.lstrip()[:1] == b"{"


def expect_document(path: Path, data: bytes) -> None:
    """Raise `UsageFault` where a file that a person named as a trust document is none."""
    if not is_document(data):
        raise UsageFault(
            f"{path}: no trust document, expected one",
            hint="name a file that `uv-bundler trust new` wrote, such as trust.json",
        )


def signed_document(path: Path, data: bytes) -> SignedDocument:
    """Return the document in `path`, whose content is `data`, with the signatures that lie beside it.

    Its number is what it claims itself: names of such files are free. Raises `UsageFault` or `HostFault`.
    """
    expect_document(path, data)
    try:
        number = claimed_version(data)
    except Fault as fault:
        raise UsageFault(f"{path}: {fault}", hint=fault.hint or _MEND) from None
    signatures = []
    with host_faults(path):
        for place in signature_places(path):
            if place.is_file():  # a FIFO on the medium would keep us waiting
                with place.open("rb") as stream:
                    signatures.append(stream.read(MAX_SIGNATURE_BYTES + 1))
    return SignedDocument(raw=data, signatures=tuple(signatures), number=number)


def signature_places(path: Path) -> Iterator[Path]:
    """Yield where signatures of the file `path` may lie: `FILE.sig`, `FILE.1.sig` and so on."""
    yield path.with_name(f"{path.name}.sig")
    for number in range(1, MAX_SIGNATURES):
        yield path.with_name(f"{path.name}.{number}.sig")


def read_store_document(folder: Path) -> tuple[bytes, TrustDocument] | None:
    """Return the installed document of a store, bytes and value, or None where it has none.

    Raises `SignatureFault` where others could have changed it, and `UsageFault` where it is malformed.
    """
    path = folder / TRUST_NAME
    with host_faults(path):
        if not os.path.lexists(path):
            return None
    check_guarded(path)
    data = read_trust_file(path, expected=DOCUMENT)
    try:
        return data, parse_document(data)
    except Fault as fault:
        raise UsageFault(
            f"{path}: {fault}",
            hint="put it back from a backup, or move it away and import it anew: "
            "uv-bundler trust import FILE --expect FINGERPRINT",
        ) from None


def _load_store(path: Path) -> Trust:
    folder = path if path.is_dir() else path.parent
    keys = store_path(path) if path.name != TRUST_NAME else folder / STORE_NAME
    revoked = revoked_here(folder)
    if installed := read_store_document(folder):
        return trust_in(installed[1], source=str(folder / TRUST_NAME), revoked_keys=revoked, store=folder)
    with host_faults(keys):
        missing = not os.path.lexists(keys)
        other = folder != _SYSTEM_STORE.parent and _is_there(_SYSTEM_STORE)
    if missing and folder not in (default_trust_path().parent, _SYSTEM_STORE.parent):
        raise SignatureFault(
            f"{folder}: neither {TRUST_NAME} nor {STORE_NAME} in it, expected a trust store",
            hint="name a file in it (a public key, allowed_signers, a trust document), or fill it: "
            f"{shlex.join(['uv-bundler', 'trust', 'import', 'FILE', '--store', str(folder)])}",
        )
    if missing:
        raise SignatureFault(
            f"{keys}: no such trust store, expected the keys that this machine trusts",
            hint="run `uv-bundler trust import KEY.pub --expect FINGERPRINT` once, with the fingerprint that "
            "the packer told you by another road (a trust document, trust.json, is imported in the same "
            f"way); or say --trust {_SYSTEM_STORE.parent if other else 'KEY.pub'}",
        )
    check_guarded(keys)
    rules = rules_of(read_trust_file(keys), path=keys)
    return Trust(rules=rules, source=str(keys), revoked_keys=revoked, store=folder)


def _own_files() -> tuple[Path, ...]:
    stores = (default_trust_path(), _SYSTEM_STORE)
    return (*stores, *(store.with_name(TRUST_NAME) for store in stores))


def _is_there(store: Path) -> bool:
    return store.exists() or store.with_name(TRUST_NAME).exists()
