"""The index: the signed document that names every byte of a bundle (FORMAT.md, "Index")."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from bundler.core import strictjson
from bundler.core.digest import Digest, Digests
from bundler.core.fault import Fault
from bundler.core.recipe import Base, Held, Range, Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bundler.core.platforms import Platform

FORMAT = "uv-bundler.index.v1"  # the same string is the SSHSIG namespace
INDEX_NAME = "bundle.json"
SUMS_NAME = "SHA256SUMS"
MAX_INDEX_BYTES = 16 << 20  # names about 200 GiB of content in blocks of 1 MiB
MAX_SIGNATURE_BYTES = 16 << 10
MAX_SIGNATURES = 16
BLOCK_SIZE = 1 << 20  # bytes of stored content that one digest covers, in a large bundle
MIN_BLOCK_SIZE = 1 << 16  # in a small one
IDENTITY, ZSTD = "identity", "zstd"
MAX_WINDOW_LOG = 26  # zstd: 64 MiB, which with the largest index leaves a reader below 200 MiB
METADATA_NAME = "download-metadata.json"
RECOMPRESSED, BASED = "recompressed", "base"  # features, FORMAT.md §8
ROOTS = {  # the first part of an artifact's paths, by role; a host puts its own files beside them
    "archive": ("mirror", "mirror-pypy", "mirror-graalpy", "python-cache"),
    "uv": ("uv",),
    "metadata": (METADATA_NAME,),
    "lock": ("bundle.lock",),
}
ROLES = tuple(ROOTS)
NAME_PATTERN = r"[a-z0-9][a-z0-9-]{0,39}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of the container after the signatures: stored bytes, and the digest of each block of them."""

    path: str
    size: int
    sha256: Digest
    encoding: str
    blocks: Sequence[Digest]
    content: int | None = None
    prefix: tuple[Range, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the member as it stands in the index."""
        optional: dict[str, Any] = {
            "content": self.content,
            "prefix": [one.to_dict() for one in self.prefix] or None,
        }
        return {
            "path": self.path,
            "size": self.size,
            "sha256": str(self.sha256),
            "encoding": self.encoding,
            "blocks": [str(block) for block in self.blocks],
            **{name: value for name, value in optional.items() if value is not None},
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
    """A file of a generation, and what it comes out of: a member, a recipe, or what the host has."""

    member: str | None = None
    recipe: Recipe | None = None

    @classmethod
    def of(cls, content: Content, *, member: str | None = None, recipe: Recipe | None = None) -> Artifact:
        """Return the same file of a generation, and what it comes out of."""
        facts = {field.name: getattr(content, field.name) for field in fields(Content)}
        return cls(member=member, recipe=recipe, **facts)

    def to_dict(self) -> dict[str, Any]:
        """Return the artifact as it stands in the index; keys without a value are left out."""
        optional: dict[str, Any] = {
            "member": self.member,
            "recipe": self.recipe.to_dict() if self.recipe else None,
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
    base: tuple[Base, ...] = ()
    held: tuple[Held, ...] = ()

    @property
    def requires(self) -> list[str]:
        """The features that a reader must know, sorted (FORMAT.md §8)."""
        recompressed = any(one.recipe for one in self.artifacts)
        return [BASED] * bool(self.base) + [RECOMPRESSED] * recompressed

    @property
    def stem(self) -> str:
        """What its files are called before what tells one from another: `plant-7-2026112001`."""
        return f"{self.name}-{self.serial}"

    @property
    def title(self) -> str:
        """The bundle as people speak of it: `plant-7 2026Q4 (serial 2026112001)`."""
        return f"{self.name} {self.release} (serial {self.serial})"

    def to_bytes(self) -> bytes:
        """Write the index; the same index always gives the same bytes."""
        optional: dict[str, Any] = {
            "expires": self.expires,
            "base": [one.to_dict() for one in self.base],
            "held": [one.to_dict() for one in self.held],
        }
        return strictjson.dump(
            {
                **{name: value for name, value in optional.items() if value},
                "format": FORMAT,
                "requires": self.requires,
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

    Afterwards: member and artifact paths are portable and distinct, every artifact says what it comes out of,
    every member serves, and every member has exactly the blocks that its size needs.
    """
    from bundler.core.indexchecks import check_index
    from bundler.core.indexshape import SHAPE

    document = strictjson.parse(data, max_bytes=MAX_INDEX_BYTES)
    if isinstance(document, dict) and isinstance(document.get("requires"), list):
        unknown = [one for one in document["requires"] if one not in (BASED, RECOMPRESSED)]
        if unknown:
            raise Fault(
                f"needs what this uv-bundler does not know: {unknown!r}",
                path=("requires",),
                hint="install the uv-bundler that the bundle was packed with, or a newer one",
            )
    read = SHAPE.read(document)
    requires = read.pop("requires")
    del read["format"]
    index = Index(
        **read
        | {
            "members": tuple(_member(one) for one in read["members"]),
            "artifacts": tuple(_artifact(one) for one in read["artifacts"]),
            "base": tuple(Base(**one) for one in read["base"]),
            "held": tuple(Held(**one) for one in read["held"]),
        }
    )
    check_index(index, requires=requires, size=len(data))
    return index


def _member(read: dict[str, Any]) -> Member:
    prefix = tuple(Range(**one) for one in read["prefix"])
    return Member(**read | {"blocks": Digests(read["blocks"]), "prefix": prefix})


def _artifact(read: dict[str, Any]) -> Artifact:
    return Artifact(**read | {"recipe": Recipe(**read["recipe"]) if read["recipe"] else None})
