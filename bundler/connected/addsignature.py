"""`sign`: add a signature to a packed bundle; all other members stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundler.connected.bundlewriter import front
from bundler.core import ustar
from bundler.core.durable import host_faults, whole_file
from bundler.core.fault import Fault
from bundler.core.index import MAX_SIGNATURES
from bundler.errors import UsageFault
from bundler.offline.reader import BundleReader
from bundler.offline.signedindex import parse_named
from bundler.signing.sshsig import claimed_key
from bundler.signing.trust import NAMESPACE

if TYPE_CHECKING:
    from pathlib import Path

    from bundler.core.progress import Progress
    from bundler.offline.signedindex import SignedIndex
    from bundler.signing.signer import SigningKey


def add_signature(path: Path, key: SigningKey, *, signature: bytes | None = None, progress: Progress) -> int:
    """Sign the bundle in one file at `path` once more; return how many signatures it has now.

    `signature` is one by this key that other files of the bundle have already. The file is written anew
    beside itself and replaced by one rename; on the way every block is checked against the index, so nobody
    signs a bundle that is damaged. Raises `DamagedFault`, `UsageFault` where the key has signed already,
    `HostFault` where the folder cannot be written.
    """
    with host_faults(path):
        stream = path.open("rb", buffering=0)
    with stream:
        reader = BundleReader(stream, name=str(path))
        signed = reader.read_signed_index()
        index = parse_named(signed, name=str(path))
        reader.begin(index)
        refuse_again(signed, key, name=str(path))
        signatures = (*signed.signatures, signature or key.sign(signed.raw, namespace=NAMESPACE))
        with whole_file(path, mode=path.stat().st_mode & 0o777) as out:
            for data in front(signed.raw, signatures, signed.chain):
                out.write(data)
            for member in index.members:
                out.write(ustar.header(member.path, member.size))
                for block in reader.blocks(member, block_size=index.block_size):
                    out.write(block)
                    progress.advance(len(block))
                out.write(ustar.padding(member.size))
            reader.expect_end()
            out.write(ustar.END)
    return len(signatures)


def refuse_again(signed: SignedIndex, key: SigningKey, *, name: str) -> None:
    """Raise `UsageFault` where the key has signed it already, or there is no room for one more signature."""
    if len(signed.signatures) >= MAX_SIGNATURES:
        raise UsageFault(f"{name}: has {MAX_SIGNATURES} signatures, expected room for one more")
    for signature in signed.signatures:
        try:
            same = claimed_key(signature) == key.public
        except Fault:
            continue
        if same:
            raise UsageFault(
                f"{name}: {key.public.fingerprint} has signed it already, expected another key",
                hint="a second signature by the same key counts for nothing; sign with another person's key",
            )
