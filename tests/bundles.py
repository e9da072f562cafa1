"""Small bundles, really signed, made in memory by the code that packs real ones."""

from __future__ import annotations

import io
import random
import tarfile
import tempfile
from dataclasses import fields
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bundler.connected.bundlewriter import Ingredient, front, in_blocks, store_all, stored_blocks
from bundler.core.digest import Digest
from bundler.core.index import BLOCK_SIZE, Index
from bundler.core.metadata import Row, dump_rows
from bundler.core.platforms import Platform, host_platform
from bundler.core.progress import Silent
from bundler.core.uvnames import cache_name, mirror_path, own_build_url
from bundler.offline.deciding import Request
from bundler.offline.policy import Wish
from bundler.offline.unpack import unpack
from bundler.signing import wire
from bundler.signing.allowed_signers import parse_allowed_signers
from bundler.signing.publickey import PublicKey
from bundler.signing.sshsig import Sshsig, armor, signed_data
from bundler.signing.trust import NAMESPACE, Trust, trust_in
from bundler.signing.trustdoc import (
    TRUST_FORMAT,
    Person,
    Policy,
    SignedDocument,
    TrustDocument,
    parse_document,
)
from bundler.volumes.source import Source

HOST = host_platform()
OTHER = Platform.parse("windows-x86_64-none" if HOST.os != "windows" else "linux-x86_64-gnu")


class Packer:
    """A signer with a key in memory; the seed decides the key."""

    def __init__(self, seed=1, name="packer@site"):
        self._private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        raw = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key = PublicKey(wire.text("ssh-ed25519") + wire.string(raw))
        self.name = name

    def sign(self, message, *, namespace=NAMESPACE):
        data = signed_data(message, namespace=namespace)
        blob = wire.text("ssh-ed25519") + wire.string(self._private.sign(data))
        return armor(
            Sshsig(public_key=self.key, namespace=namespace, hash_name="sha512", signature=blob).to_blob()
        )

    @property
    def line(self):
        return f'{self.name} namespaces="{NAMESPACE}" {self.key}'

    @property
    def trust(self):
        return Trust(rules=parse_allowed_signers(self.line.encode() + b"\n"), source="test trust")


PACKER = Packer()
BOTH = ("root", "release")


def make_document(
    version=1, *, people=None, roles=None, root=1, release=1, by=None, name="plant-7", revoked=None,
    created="2026-11-01T00:00:00Z", expires=None, policy=None, algorithms=("ssh-ed25519",),
):  # fmt: skip
    """Return a signed trust document.

    `people` maps names to a `Packer` or a tuple of them (by default the test packer alone), `roles` names to
    roles (by default both), `by` lists who signs it: by default everybody with the role root.
    """
    people = {"packer@site": PACKER} if people is None else people
    keys = {person: own if isinstance(own, tuple) else (own,) for person, own in people.items()}
    held = {person: (roles or {}).get(person, BOTH) for person in keys}
    document = TrustDocument(
        name=name, version=version, created=created, expires=expires, algorithms=algorithms,
        signers=tuple(
            Person(name=person, keys=tuple(one.key for one in keys[person]), roles=held[person])
            for person in sorted(keys)
        ),
        root_threshold=root, release_threshold=release, revoked=tuple(sorted((revoked or {}).items())),
        policy=policy or Policy(),
    )  # fmt: skip
    if by is None:
        by = [keys[person][0] for person in sorted(keys) if "root" in held[person]]
    return sign_document(document.to_bytes(), by=by, number=version)


def sign_document(raw, *, by, number):
    """Return the bytes of a document, signed by `by`, for the place `trust/NUMBER.json`."""
    signatures = tuple(one.sign(raw, namespace=TRUST_FORMAT) for one in by)
    return SignedDocument(raw=raw, signatures=signatures, number=number)


def write_document(path, signed):
    """Write a document to `path`, and its signatures beside it."""
    path.write_bytes(signed.raw)
    for number, signature in enumerate(signed.signatures):
        path.with_name(f"{path.name}.{number}.sig" if number else f"{path.name}.sig").write_bytes(signature)
    return path


def trust_by(document, **changes):
    """Return the trust of a host on which this signed document is installed."""
    return trust_in(parse_document(document.raw), source="trust.json", **changes)


def archive(content, *, version=(3, 13, 5), platform=HOST):
    """Return content and row of a made-up interpreter archive."""
    name = f"cpython-{'.'.join(map(str, version))}+own-{platform}.tar.gz"
    digest = Digest.of(content)
    row = Row(
        name="cpython", version=version, prerelease="", variant="", platform=platform,
        url=own_build_url(name, digest), sha256=digest, build=f"own-{digest.short}",
    )  # fmt: skip
    return content, row


def small_content(seed=0, size=3000):
    """Return bytes that do not compress."""
    return random.Random(seed).randbytes(size)


def make_bundle(
    *,
    archives=None,
    uv_for=(HOST,),
    serial=7,
    name="plant-7",
    packers=(PACKER,),
    platforms=(HOST,),
    rows=None,
    created="2026-11-20T00:00:00Z",
    expires=None,
    chain=(),
    block_size=BLOCK_SIZE,
):
    """Return the bytes of a bundle with archives, uv binaries and metadata, and with trust documents.

    Blocks of `block_size`, 64 KiB or more, make volumes of small bundles.
    """
    archives = [archive(small_content())] if archives is None else archives
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ingredients = []

        def add(content, **facts):
            file = folder / f"in{len(ingredients)}"
            file.write_bytes(content)
            ingredients.append(Ingredient(source=file, size=len(content), sha256=Digest.of(content), **facts))

        for content, row in archives:
            add(
                content, path=mirror_path(row.url), role="archive", platform=row.platform, key=row.key,
                links=(f"python-cache/{cache_name(row.url, row.sha256)}",), origin=row.url,
            )  # fmt: skip
        for platform in uv_for:
            for program in ("uv", "uvx"):
                script = f"#!/bin/sh\necho {program} 0.13.8\n".encode() + b"# filler\n" * 200
                add(
                    script, path=f"uv/0.13.8/{platform}/{program}", role="uv", platform=platform, uv="0.13.8",
                    executable=True,
                )  # fmt: skip
        add(
            dump_rows([row for _, row in archives]) if rows is None else rows,
            path="download-metadata.json", role="metadata",
        )  # fmt: skip
        spool = folder / "spool"
        spool.mkdir()
        stored = store_all(ingredients, level="fast", spool=spool, progress=Silent())
        stored = in_blocks(stored, block_size)
        index = Index(
            name=name, release="2026Q4", serial=serial, created=created, expires=expires, tool="uv-bundler test",
            uv=("0.13.8",) if uv_for else (), platforms=platforms,
            artifacts=tuple(one.artifact for one in stored if one.artifact),
            members=tuple(one.member for one in stored), block_size=block_size,
        )  # fmt: skip
        raw = index.to_bytes()
        signatures = [one.sign(raw) for one in packers]
        opening = b"".join(front(raw, signatures, chain))
        source = Source(front=opening, index=index, digest=str(Digest.of(raw)))
        return b"".join(source.container(stored_blocks(stored, block_size=block_size)))


def request(prefix, **changes):
    """Return what an administrator asks for, trusting the test packer."""
    wishes = {one.name: changes.pop(one.name) for one in fields(Wish) if one.name in changes}
    return Request(
        **({"prefix": prefix, "trust": PACKER.trust, "host": HOST, "wish": Wish(**wishes)} | changes)
    )


def unpack_bytes(data, prefix, *, name="q4.uvb", **changes):
    """Unpack a bundle from memory."""
    return unpack(io.BytesIO(data), request(prefix, **changes), name=name, progress=Silent())


def members(path):
    """Return what is in a tar file, by name."""
    with tarfile.open(path) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar}


AUDIT_LOG = ("state", "log.jsonl")  # grows with every run, refusals included


def tree(folder):
    """Return every path below `folder` with its kind, mode and content: what `nothing changed` means.

    The audit log is left out: that it grows is its purpose.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.parts[-2:] == AUDIT_LOG:
            continue
        facts = path.lstat()
        content = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (oct(facts.st_mode), content)
    return found
