"""The table of targets.

A new one is a `check` in a module beside this one, seeds in one of the modules of samples, and a row here.
"""

from __future__ import annotations

from . import (
    bundlesamples,
    containers,
    documents,
    drives,
    logs,
    mutators,
    programs,
    samples,
    sets,
    signatures,
    stored,
    trust,
    trustdocs,
    trustsamples,
)
from .target import Target

_JSON = (b'"', b"{}", b"[]", b"null", b"true", b"\\u", b"\\ud800", b": ", b", ", b"1e5", b"\xef\xbb\xbf")
_INDEX = (
    b'"artifacts"', b'"members"', b'"links"', b'"blocks"', b'"encoding"', b'"requires"', b'"origin"', b'"platform"',
    b'"executable"', b'"expires"', b'"zstd"', b'"identity"', b'"archive"', b'"lock"', b'"uv"', b"SHA256SUMS",
    b"payload/", b"python-cache/", b"..", b"/", b"nul.", b'"recipe"', b'"held"', b'"base"', b'"content"', b'"prefix"',
    b'"recompressed"', b'"sources"', b'"encoders"', b"zlib-6-8",
)  # fmt: skip
_ARMOR = (b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n", b"=", b"\r\n")
_KEYS = (
    b"SSHSIG", b"ssh-ed25519", b"ssh-rsa", b"rsa-sha2-512", b"rsa-sha2-256", b"ecdsa-sha2-nistp256",
    b"nistp521", b"sk-ssh-ed25519@openssh.com", b"ssh-dss", b"sha256", b"ssh:", b"\0\0\0\1", b"\0\0\0\0",
)  # fmt: skip
_TRUST = (
    b"namespaces=", b"valid-after=", b"valid-before=", b"cert-authority", b'"', b'\\"', b"#", b"Z", b"UTC", b"\x0b",
    b"\xc2\x85", b"\xe2\x80\xa8", b"19700101", b"00010101", b"99991231235959", b" ", b"\t",
)  # fmt: skip
_DOCUMENT = (
    b'"signers"', b'"keys"', b'"roles"', b'"root"', b'"release"', b'"thresholds"', b'"revoked"', b'"algorithms"',
    b'"expires"', b'"policy"', b"SHA256:", b'"alice"', b'"ALICE"',
)  # fmt: skip

_ALL = (
    Target(
        name="container", check=containers.check_changed, mutate=mutators.member_level, seeds=bundlesamples.bundles,
        words=(*_ARMOR, b"bundle.json", b"bundle.json.1.sig", b"ustar"), max_len=20_000, zstd=True,
    ),
    Target(
        name="signed", check=containers.check_signed, mutate=mutators.signed_level, seeds=bundlesamples.signed,
        words=(*_JSON, *_INDEX), max_len=8192, zstd=True,
    ),
    Target(
        name="index", check=documents.check_index, mutate=mutators.json_level, seeds=samples.indexes,
        words=(*_JSON, *_INDEX), max_len=8192, zstd=True,
    ),
    Target(name="json", check=documents.check_json, mutate=mutators.json_level, seeds=samples.jsons, words=_JSON),
    Target(
        name="sshsig", check=signatures.check_armored, mutate=mutators.armor_level, seeds=trustsamples.sshsigs,
        words=(*_ARMOR, b"U1NIU0lH"),
    ),
    Target(
        name="sshsig-blob", check=signatures.check_blob, mutate=mutators.wire_level, seeds=trustsamples.blobs,
        words=_KEYS,
    ),
    Target(
        name="trust", check=trust.check_file, mutate=mutators.words_level, seeds=trustsamples.trusts,
        words=(*_TRUST, *_KEYS),
    ),
    Target(
        name="revoked-keys", check=trust.check_revoked, mutate=mutators.words_level, seeds=trustsamples.revocations,
        words=_TRUST,
    ),
    Target(
        name="trust-document", check=trustdocs.check_document, mutate=mutators.json_level, seeds=trustsamples.documents,
        words=(*_JSON, *_KEYS, *_DOCUMENT), max_len=8192,
    ),
    Target(
        name="trust-walk", check=trustdocs.check_walk, mutate=mutators.records_level, seeds=trustsamples.walks,
        words=(*_JSON, *_DOCUMENT), max_len=8192,
    ),
    Target(
        name="zstd", check=stored.check_zstd, mutate=mutators.byte_level, seeds=samples.frames,
        words=(b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18"), zstd=True,
    ),
    Target(
        name="program", check=programs.check_program, mutate=mutators.byte_level, seeds=programs.samples,
        words=(b"\0", b"\2", b"\4", b"\1\0\1", b"\x80\0", b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), max_len=512,
    ),
    Target(
        name="ustar", check=stored.check_header, mutate=mutators.byte_level, seeds=samples.headers,
        words=(b"ustar\x0000", b"ustar  \0", b"/", b"..", b"\x80"), max_len=512,
    ),
    Target(
        name="metadata", check=documents.check_rows, mutate=mutators.json_level, seeds=samples.rows,
        words=(*_JSON, b'"sha256"', b'"arch"', b'"build"', b'"variant"', b'"x86_64_v3"', b'"darwin"'),
    ),
    Target(
        name="drives", check=drives.check_drives, mutate=mutators.words_level, seeds=drives.lists,
        words=(b": ", b" ", b"\n", b"\r", b"A", b"..", b"/", b"nul.", b".uvb", b"\xe9"),
    ),
    Target(
        name="drive-sums", check=drives.check_sums, mutate=mutators.words_level, seeds=drives.sums,
        words=(b"  ", b" *", b"\n", b"\\", b"./", b"0" * 64, b"A" * 64, b"con.", b"\x7f"),
    ),
    Target(
        name="volumes", check=sets.check, mutate=sets.mutate, seeds=sets.samples,
        words=(b"data", b"parity", b"resend", b" volumes 9999", b" whole 1", b"blocks/00001-0000000", b"VOLUME", b"ustar"),
        max_len=20_000, zstd=True,
    ),
    Target(
        name="log", check=logs.check_log, mutate=logs.mutate, seeds=logs.samples,
        words=(b'"number"', b'"previous"', b'"event"', b'"outcome"', b'"signers"', b"\n", b"\x7f", b"\xff"),
    ),
)  # fmt: skip
TARGETS = {target.name: target for target in _ALL}
