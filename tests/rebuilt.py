"""Recompressed bundles unpacked into a prefix, and what a prefix then holds."""

import functools
import re

from bundles import request, tree
from deflatedparts import OLD_TAR
from recompressed import full_box

from bundler.core.progress import Silent
from bundler.offline.unpack import unpack


@functools.cache
def sealed(how="recipe", tar=OLD_TAR, **facts):
    return full_box(how=how, tar=tar, **facts).seal()


def files(prefix):
    """Return what a generation holds but for what tells of the bundle it came in."""
    own = re.compile(r"generation\.json|bundle\.json.*|uv\.toml")
    folder = prefix / "current"
    return {name: one for name, one in tree(folder.resolve()).items() if not own.fullmatch(name)}


def unpack_from(stream, prefix, *, progress=None, **changes):
    return unpack(stream, request(prefix, **changes), name="q4.uvb", progress=progress or Silent())


def rot(path):
    content = bytearray(path.read_bytes())
    content[50] ^= 1
    path.write_bytes(content)
