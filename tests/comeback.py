"""Files recompressed by the packer, and rebuilt with nothing of it."""

import io

import smallpythons
import zstandard
from smallpythons import LINUX, ingredient

from bundler.connected.bundlewriter import store_plain, with_sums
from bundler.connected.recompress import recompress
from bundler.core.digest import Digest
from bundler.core.index import Index, parse_index
from bundler.core.metadata import dump_rows
from bundler.core.program import Copy, Encode, parse_program
from bundler.core.progress import Silent
from bundler.deflate import catalog


def packed(ingredients, tmp_path, level="fast"):
    spool = tmp_path / f"spool-{len(list(tmp_path.iterdir()))}"
    spool.mkdir()
    return recompress(ingredients, level=level, spool=spool, progress=Silent())


def decoded(made):
    """Return what each member decodes to, by its path."""
    contents = {}
    for one in made.stored:
        contents[one.member.path] = zstandard.ZstdDecompressor().decompress(one.file.read_bytes())
        assert len(contents[one.member.path]) == one.member.content
    return contents


def rebuilt(artifact, contents):
    """Run an artifact's program, as a host would, with nothing of the packer."""
    recipe = artifact.recipe
    program = contents[recipe.member][recipe.offset : recipe.offset + recipe.length]
    sources = [contents[source] for source in recipe.sources]
    open_ = [(None, io.BytesIO())]
    for step in parse_program(program, sources=[len(one) for one in sources], encoders=len(recipe.encoders)):
        if isinstance(step, Copy):
            open_[-1][1].write(sources[step.source][step.offset : step.offset + step.length])
        elif isinstance(step, Encode):
            open_.append((recipe.encoders[step.encoder], io.BytesIO()))
        else:
            name, content = open_.pop()
            encoder = catalog.native(name) or catalog.reference(name)
            open_[-1][1].write(encoder.feed(content.getvalue()) + encoder.finish())
    return open_[0][1].getvalue()


def check(made, ingredients):
    """Every ingredient comes back, or is left over; return the paths of those that were recompressed."""
    contents = decoded(made)
    for artifact in made.artifacts:
        assert Digest.of(rebuilt(artifact, contents)) == artifact.sha256
    left = {one.path for one in made.left}
    done = {one.path for one in made.artifacts}
    assert not left & done
    assert left | done == {one.path for one in ingredients}
    assert set(made.shares) == {one.path for one in ingredients if one.role in ("archive", "uv")}
    return done


def indexed(made, tmp_path):
    """Return the index of a bundle with what was made, as a reader takes it."""
    listing = tmp_path / "rows"
    listing.write_bytes(dump_rows([]))
    extra = ingredient(tmp_path, dump_rows([]), path="download-metadata.json", role="metadata", platform=None)
    plain = store_plain([*made.left, extra], level="fast", spool=tmp_path, progress=Silent())
    stored = with_sums([*plain, *made.stored], tmp_path)
    index = Index(
        name="plant-7", release="x", serial=1, created="2026-11-20T00:00:00Z", tool="t", uv=(), platforms=(LINUX,),
        artifacts=(*(one.artifact for one in stored if one.artifact), *made.artifacts),
        members=tuple(one.member for one in stored),
    )  # fmt: skip
    return parse_index(index.to_bytes())


def uv(box, platform=LINUX, content=None):
    content = smallpythons.code(f"uv {platform}") if content is None else content
    path = f"uv/0.13.8/{platform}/uv"
    return ingredient(box, content, path=path, role="uv", platform=platform, executable=True, uv="0.13.8")
