"""The files that say whom to trust: one public key, or an `allowed_signers` file.

Bytes in, rules out. A private key is recognised by its first bytes, and no more of it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from bundler.core.durable import host_faults
from bundler.core.fault import Fault
from bundler.errors import UsageFault
from bundler.signing.allowed_signers import MAX_FILE_BYTES, Rule, decode_lines, parse_allowed_signers
from bundler.signing.publickey import PublicKey, looks_like_key_type

if TYPE_CHECKING:
    from pathlib import Path

_PEEK = 64  # bytes: enough to recognise any PEM header
KEYS = "an OpenSSH public key or an allowed_signers file"
DOCUMENT = "a trust document"
ANY = "an OpenSSH public key, an allowed_signers file or a trust document"
_FOREIGN = (  # what people confuse with a public key; how it begins, what it is, what to do
    (b"-----BEGIN PUBLIC KEY", "a PEM public key", "convert it: ssh-keygen -i -m PKCS8 -f {path}"),
    (b"-----BEGIN RSA PUBLIC KEY", "a PEM public key", "convert it: ssh-keygen -i -m PEM -f {path}"),
    (b"---- BEGIN SSH2 PUBLIC KEY", "an RFC 4716 public key", "convert it: ssh-keygen -i -f {path}"),
    (b"-----BEGIN CERTIFICATE", "a certificate", "name the packer's OpenSSH public key (KEY.pub)"),
    (b"-----BEGIN SSH SIGNATURE", "a signature", "name the packer's public key (KEY.pub)"),
)


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Read the file at `path`; raises `UsageFault` naming file and line for anything but keys.

    A single public key becomes a rule for every namespace, whose principal is the key's comment, or its
    fingerprint where it has none.
    """
    return rules_of(read_trust_file(path), path=path)


def read_trust_file(path: Path, *, expected: str = KEYS) -> bytes:
    """Return the content of a file that may say whom to trust; `UsageFault` for what clearly does not.

    `expected` is what the person should have named, for the message.
    """
    with host_faults(path):
        if path.is_dir():
            raise UsageFault(f"{path}: a folder, expected {expected}", hint="name the file in it")
        if not path.exists():
            raise UsageFault(
                f"{path}: no such file, expected {expected}", hint="check the path that was given"
            )
        with path.open("rb", buffering=0) as stream:
            return _read(stream, path=path, expected=expected)


def rules_of(data: bytes, *, path: Path) -> tuple[Rule, ...]:
    """Return the rules in the content of `path`; raises `UsageFault` naming file and line."""
    try:
        return parse_rules(data)
    except Fault as fault:
        where = f"{path}:{fault.path[0]}" if fault.path else str(path)
        hint = (
            fault.hint or "correct the line; the file must be right as a whole before anything in it counts"
        )
        raise UsageFault(f"{where}: {fault.message}", hint=hint) from None


def parse_rules(data: bytes) -> tuple[Rule, ...]:
    """Read the content of either kind of file; raises `Fault` with the number of the line as its path."""
    lines = [
        (number, line) for number, line in enumerate(decode_lines(data), start=1) if line and line[0] != "#"
    ]
    if not lines:
        raise Fault("no key in it, expected at least one", hint="give the public key of the packer (KEY.pub)")
    number, first = lines[0]
    words = first.split(None, 1)  # none in a line of form feeds, which is not empty all the same
    if not words or not looks_like_key_type(words[0]):
        return parse_allowed_signers(data)
    if len(lines) > 1:
        raise Fault(
            "a second line after a public key, expected one key alone",
            hint="for several keys begin each line with a name, as allowed_signers files do: "
            "NAME ssh-ed25519 AAAA…",
        ).under((lines[1][0],))
    try:
        key = PublicKey.parse(first)
    except Fault as fault:
        raise fault.under((number,)) from None
    return (Rule(principals=key.comment or key.fingerprint, key=key, line=number),)


def _read(stream: BinaryIO, *, path: Path, expected: str) -> bytes:
    head = stream.read(_PEEK)
    begins = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if b"PRIVATE KEY" in head or begins.startswith(b"PuTTY-User-Key-File"):
        raise UsageFault(
            f"{path}: a private key, expected {expected}; nothing further of it was read",
            hint=f"name its public half ({path}.pub), and keep the private key off this machine",
        )
    for mark, what, step in _FOREIGN:
        if begins.startswith(mark):
            raise UsageFault(f"{path}: {what}, expected {expected}", hint=step.format(path=path))
    data = head
    while (more := stream.read(MAX_FILE_BYTES + 1 - len(data))) and len(data) <= MAX_FILE_BYTES:
        data += more
    if len(data) > MAX_FILE_BYTES:
        raise UsageFault(
            f"{path}: more than {MAX_FILE_BYTES} bytes, expected {expected}", hint="name another file"
        )
    return data
