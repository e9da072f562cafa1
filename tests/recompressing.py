"""There and back: files through the packer's recompression and the unpacker's rebuilding, compared byte by byte."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bundler.connected.bundlewriter import Ingredient
from bundler.connected.recompress import recompress
from bundler.core.decode import decode
from bundler.core.digest import Digest, read_chunks
from bundler.core.progress import Silent
from bundler.core.recipe import RECIPE
from bundler.offline.rebuild import rebuild
from bundler.offline.spool import Spool

_COUNTER = itertools.count()


@dataclass(frozen=True)
class Outcome:
    """What became of a file: by these encoders, or as it is for this reason; its bytes came back."""

    encoders: tuple[str, ...] = ()
    reason: str | None = None
    stored: int = 0

    @property
    def recompressed(self) -> bool:
        return self.reason is None


def there_and_back(files: dict[str, bytes], folder: Path, *, reference: bool = False) -> dict[str, Outcome]:
    """Recompress all files together, rebuild each that has a recipe, and tell what became of each.

    Asserts that no file is lost, that a reader takes each recipe, and that what is rebuilt is the file. With
    `reference` the encoders in pure Python do it once more.
    """
    spool = folder / f"spool-{next(_COUNTER)}"
    spool.mkdir(parents=True)
    paths = {f"archive/{number}.tar.gz": name for number, name in enumerate(files)}
    done = recompress([_ingredient(path, files[name], spool) for path, name in paths.items()],
                      level="fast", spool=spool, progress=Silent())  # fmt: skip
    found = {
        one.path: Outcome(reason=done.shares[one.path].how.removeprefix("as it is: ")) for one in done.left
    }
    with Spool(spool / "contents") as contents:
        for one in done.stored:
            member = one.member
            contents.add(
                member.path, decode(read_chunks(one.file), encoding=member.encoding, size=member.content)
            )
        for one in done.artifacts:
            assert one.path not in found
            RECIPE.read(one.recipe.to_dict())
            for trust in (True, False) if reference else (True,):
                rebuilt = bytearray()
                rebuild(
                    one, one.recipe, contents, write=rebuilt.extend, check=lambda: None, trust_native=trust
                )
                assert rebuilt == files[paths[one.path]]
            found[one.path] = Outcome(one.recipe.encoders, stored=done.shares[one.path].stored)
    assert found.keys() == paths.keys()
    return {name: found[path] for path, name in paths.items()}


def come_back(data: bytes) -> Outcome:
    """Send one file there and back, in a folder of its own; return what became of it."""
    with tempfile.TemporaryDirectory() as folder:
        return there_and_back({"it": data}, Path(folder))["it"]


def _ingredient(path: str, data: bytes, folder: Path) -> Ingredient:
    source = folder / path.replace("/", "-")
    source.write_bytes(data)
    digest = Digest.parse(hashlib.sha256(data).hexdigest())
    return Ingredient(path=path, size=len(data), sha256=digest, role="archive", source=source)
