"""Artifacts with recipes whose programs and contents lie in a spool, as an unpack has put them there."""

from deflatedparts import Deflated, Literal

from bundler.core.digest import Digest
from bundler.core.index import Artifact
from bundler.core.program import Copy, Encode, End, dump_program
from bundler.core.recipe import Recipe


def described(data, recipe, *, path="mirror/a.tar.gz"):
    return Artifact(path=path, size=len(data), sha256=Digest.of(data), role="archive", recipe=recipe)


def put(spool, steps, *contents, encoders=(), program=None, member="programs"):
    """Put a program and what it copies from into the spool; return the recipe."""
    program = dump_program(steps, sources=len(contents)) if program is None else program
    spool.add(member, [b"before", program, b"after"])
    for number, content in enumerate(contents):
        spool.add(f"{member}/{number}", [content])
    sources = tuple(f"{member}/{number}" for number in range(len(contents)))
    return Recipe(member=member, offset=6, length=len(program), sources=sources, encoders=tuple(encoders))


def recipe_of(spool, parts, **options):
    """Return a recipe for what the parts yield."""
    contents, encoders = [], []

    def steps(parts):
        for part in parts:
            if isinstance(part, Deflated):
                encoders.append(part.encoder) if part.encoder not in encoders else None
                yield Encode(encoders.index(part.encoder))
                yield from steps(part.parts)
                yield End()
            else:
                contents.append(part.data if isinstance(part, Literal) else part)
                yield Copy(len(contents) - 1, 0, len(contents[-1]))

    found = list(steps(parts))
    return put(spool, found, *contents, encoders=encoders, **options)
