"""The index: the signed document that names every byte of a bundle (FORMAT.md, "Index")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bundler.core import strictjson
from bundler.core.digest import Digest, Digests
from bundler.core.fault import Fault, KeyPath
from bundler.core.metadata import MAX_BYTES as MAX_METADATA_BYTES
from bundler.core.names import check_distinct, portable_path
from bundler.core.platforms import Platform
from bundler.core.shapes import Either, Flag, Key, Nothing, Record, Seq, Text, Whole
from bundler.core.times import utc_time

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT = "uv-bundler.index.v1"  # the same string is the SSHSIG namespace
INDEX_NAME = "bundle.json"
SUMS_NAME = "SHA256SUMS"
MAX_INDEX_BYTES = 16 << 20  # names about 200 GiB of content in blocks of 1 MiB
MAX_SIGNATURE_BYTES = 16 << 10
MAX_SIGNATURES = 16
BLOCK_SIZE = 1 << 20  # bytes of stored content that one digest covers
IDENTITY, ZSTD = "identity", "zstd"
MAX_WINDOW_LOG = 26  # zstd: 64 MiB, which with the largest index leaves a reader below 200 MiB
METADATA_NAME = "download-metadata.json"
_ROOTS = {  # the first part of an artifact's paths, by role; a host puts its own files beside them
    "archive": ("mirror", "mirror-pypy", "mirror-graalpy", "python-cache"),
    "uv": ("uv",),
    "metadata": (METADATA_NAME,),
    "lock": ("bundle.lock",),
}
ROLES = tuple(_ROOTS)
_UV_PATH = re.compile(r"uv/[^/]+/[^/]+/uv[xw]?(?:\.exe)?")  # these alone get a name in bin/

_SERIAL_MAX = 2**53 - 1  # so that every JSON reader keeps it exact
NAME_PATTERN = r"[a-z0-9][a-z0-9-]{0,39}"
_NAME = Text(what="a name of a-z, 0-9 and -, at most 40 characters", pattern=NAME_PATTERN)
_DIGEST = Text(what="64 lowercase hexadecimal digits", max_chars=64, parse=Digest.parse)
_PATH = Text(what="a portable relative path", max_chars=240, parse=portable_path)
_PLATFORM = Text(what="a platform", max_chars=60, parse=Platform.parse)
_TIME = Text(what="a UTC time", max_chars=20, parse=utc_time)
_MEMBER = Record(
    keys={
        "path": Key(shape=_PATH, required=True),
        "size": Key(shape=Whole(maximum=8**11 - 1, unit="bytes"), required=True),
        "sha256": Key(shape=_DIGEST, required=True),
        "encoding": Key(shape=Text(options=(IDENTITY, ZSTD)), required=True),
        "blocks": Key(shape=Seq(item=_DIGEST), required=True),
    }
)
_ARTIFACT = Record(
    keys={
        "path": Key(shape=_PATH, required=True),
        "size": Key(shape=Whole(maximum=2**53 - 1, unit="bytes"), required=True),
        "sha256": Key(shape=_DIGEST, required=True),
        "role": Key(shape=Text(options=ROLES), required=True),
        "member": Key(shape=_PATH, required=True),
        "links": Key(shape=Seq(item=_PATH, max_items=8), default=()),
        "executable": Key(shape=Flag(), default=False),
        "platform": Key(
            shape=Either(kinds=((str, _PLATFORM), (type(None), Nothing())), what="a platform or null")
        ),
        "key": Key(shape=Text(what="an installation key", pattern=r"[A-Za-z0-9._+-]{1,120}")),
        "uv": Key(shape=Text(what="a uv version", pattern=r"[0-9][0-9A-Za-z.+-]{0,40}")),
        "origin": Key(shape=Text(what="a URL", max_chars=2048)),
    }
)
SHAPE = Record(
    keys={
        "format": Key(shape=Text(options=(FORMAT,)), required=True),
        "requires": Key(shape=Seq(item=Text(max_chars=40)), required=True),
        "name": Key(shape=_NAME, required=True),
        "release": Key(shape=Text(max_chars=80), required=True),
        "serial": Key(shape=Whole(minimum=1, maximum=_SERIAL_MAX), required=True),
        "created": Key(shape=_TIME, required=True),
        "expires": Key(shape=_TIME),
        "tool": Key(shape=Text(max_chars=80), required=True),
        "uv": Key(shape=Seq(item=Text(pattern=r"[0-9][0-9A-Za-z.+-]{0,40}"), max_items=32), required=True),
        "platforms": Key(shape=Seq(item=_PLATFORM, max_items=64), required=True),
        "block_size": Key(shape=Whole(minimum=1 << 16, maximum=1 << 22, unit="bytes"), required=True),
        "artifacts": Key(shape=Seq(item=_ARTIFACT), required=True),
        "members": Key(shape=Seq(item=_MEMBER), required=True),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of the container after the signatures: stored bytes, and the digest of each block of them."""

    path: str
    size: int
    sha256: Digest
    encoding: str
    blocks: Sequence[Digest]

    def to_dict(self) -> dict[str, Any]:
        """Return the member as it stands in the index."""
        return {
            "path": self.path,
            "size": self.size,
            "sha256": str(self.sha256),
            "encoding": self.encoding,
            "blocks": [str(block) for block in self.blocks],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A file of a generation: where it lies and what it is."""

    path: str
    size: int
    sha256: Digest
    role: str
    links: tuple[str, ...] = ()
    executable: bool = False
    platform: Platform | None = None
    key: str | None = None
    uv: str | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact(Content):
    """A file of a generation, and the member that it comes out of."""

    member: str

    def to_dict(self) -> dict[str, Any]:
        """Return the artifact as it stands in the index; keys without a value are left out."""
        optional: dict[str, Any] = {
            "links": list(self.links),
            "executable": self.executable,
            "platform": str(self.platform) if self.platform else None,
            "key": self.key,
            "uv": self.uv,
            "origin": self.origin,
        }
        return {
            "path": self.path,
            "size": self.size,
            "sha256": str(self.sha256),
            "role": self.role,
            "member": self.member,
            **{name: value for name, value in optional.items() if value not in (None, False, [])},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What a bundle is and holds."""

    name: str
    release: str
    serial: int
    created: str
    tool: str
    uv: tuple[str, ...]
    platforms: tuple[Platform, ...]
    artifacts: tuple[Artifact, ...]
    members: tuple[Member, ...]
    block_size: int = BLOCK_SIZE
    expires: str | None = None

    @property
    def title(self) -> str:
        """The bundle as people speak of it: `plant-7 2026Q4 (serial 2026112001)`."""
        return f"{self.name} {self.release} (serial {self.serial})"

    def to_bytes(self) -> bytes:
        """Write the index; the same index always gives the same bytes."""
        ends = {"expires": self.expires} if self.expires else {}  # older bundles keep their bytes
        return strictjson.dump(
            {
                **ends,
                "format": FORMAT,
                "requires": [],
                "name": self.name,
                "release": self.release,
                "serial": self.serial,
                "created": self.created,
                "tool": self.tool,
                "uv": list(self.uv),
                "platforms": [str(platform) for platform in self.platforms],
                "block_size": self.block_size,
                "artifacts": [artifact.to_dict() for artifact in self.artifacts],
                "members": [member.to_dict() for member in self.members],
            }
        )


def parse_index(data: bytes) -> Index:
    """Read an index; raises `Fault` for what a packer of this format would not have written.

    Afterwards: member and artifact paths are portable and distinct, every artifact names a member,
    every member serves an artifact, and every member has exactly the blocks that its size needs.
    """
    document = strictjson.parse(data, max_bytes=MAX_INDEX_BYTES)
    if isinstance(document, dict) and document.get("requires"):
        raise Fault(
            f"needs what this uv-bundler does not know: {document['requires']!r}",
            path=("requires",),
            hint="install the uv-bundler that the bundle was packed with, or a newer one",
        )
    read = SHAPE.read(document)
    del read["format"], read["requires"]
    members = tuple(Member(**{**one, "blocks": Digests(one["blocks"])}) for one in read.pop("members"))
    artifacts = tuple(Artifact(**artifact) for artifact in read.pop("artifacts"))
    index = Index(**read, members=members, artifacts=artifacts)
    _check(index)
    return index


def _check(index: Index) -> None:
    if index.expires is not None and index.expires <= index.created:
        raise Fault(
            f"expected a time after created, {index.created}, found {index.expires}", path=("expires",)
        )
    check_distinct(member.path for member in index.members)
    check_distinct(path for artifact in index.artifacts for path in (artifact.path, *artifact.links))
    if not index.members or index.members[0].path != SUMS_NAME or index.members[0].encoding != IDENTITY:
        raise Fault(f"expected {SUMS_NAME} as the first member", path=("members", 0))
    members = {member.path: member for member in index.members}
    for number, artifact in enumerate(index.artifacts):
        _check_artifact(artifact, members.get(artifact.member), ("artifacts", number))
    served = {artifact.member for artifact in index.artifacts}
    for number, member in enumerate(index.members):
        _check_member(member, index.block_size, ("members", number))
        if number and (member.path not in served or not member.path.startswith("payload/")):
            raise Fault(
                "expected a member below payload/ that an artifact comes out of", path=("members", number)
            )
    roles = {artifact.role for artifact in index.artifacts}
    if "archive" in roles and "metadata" not in roles:
        raise Fault(f"expected {METADATA_NAME}, without which uv finds no archive", path=("artifacts",))
    if len(served) != len(index.artifacts):
        raise Fault("expected one artifact for each member", path=("artifacts",))


def _check_member(member: Member, block_size: int, at: KeyPath) -> None:
    if member.path == SUMS_NAME and member.size > MAX_INDEX_BYTES:
        raise Fault(f"expected at most {MAX_INDEX_BYTES} bytes, found {member.size}", path=(*at, "size"))
    needed = -(-member.size // block_size)
    if len(member.blocks) != needed:
        raise Fault(
            f"expected {needed} digests for {member.size} bytes, found {len(member.blocks)}",
            path=(*at, "blocks"),
        )


def _check_artifact(artifact: Artifact, source: Member | None, at: KeyPath) -> None:
    roots = _ROOTS[artifact.role]
    if artifact.role in ("metadata", "lock") and artifact.size > MAX_METADATA_BYTES:
        raise Fault(f"expected at most {MAX_METADATA_BYTES} bytes, found {artifact.size}", path=(*at, "size"))
    if artifact.role == "uv" and not _UV_PATH.fullmatch(artifact.path):
        raise Fault(f"expected uv/VERSION/PLATFORM/ and a program of uv, found {artifact.path!r}", path=at)
    for path in (artifact.path, *artifact.links):
        if path.split("/")[0] not in roots:
            raise Fault(f"expected a path below {' or '.join(roots)}, found {path!r}", path=(*at, "path"))
    if source is None:
        raise Fault(f"expected the path of a member, found {artifact.member!r}", path=(*at, "member"))
    if source.encoding == IDENTITY and (source.size, source.sha256) != (artifact.size, artifact.sha256):
        raise Fault("expected the size and sha256 of its member, which is stored as it is", path=at)
