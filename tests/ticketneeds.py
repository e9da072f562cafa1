"""Needs of a far side: blocks of a bundle that is cut somehow, for tickets."""

from __future__ import annotations

import functools

from hypothesis import strategies as st

from bundler.core.cut import Cut, Layout
from bundler.core.digest import Digest
from bundler.core.index import Index, Member

INDEX = "7c2e904f1a" + "5" * 54


@functools.cache
def index_of(blocks):
    """Return an index that names so many blocks, all of which are alike."""
    size = 1 << 16
    member = Member(
        path="payload/x",
        size=blocks * size,
        sha256=Digest("0" * 64),
        encoding="identity",
        blocks=(Digest("0" * 64),) * blocks,
    )
    return Index(
        name="q", release="r", serial=1, created="2026-11-20T00:00:00Z", tool="t", uv=(), platforms=(),
        artifacts=(), members=(member,), block_size=size,
    )  # fmt: skip


@st.composite
def layouts(draw, most=400):
    groups = draw(st.integers(1, 3))
    whole = groups == 1 and draw(st.booleans())
    volumes = draw(st.integers(groups, 60))
    parity = draw(st.integers(int(whole), min(9, volumes) if whole else 9))
    cut = Cut(volumes=volumes, parity=parity, groups=groups, whole=whole)
    return Layout(index_of(draw(st.integers(1, most))), cut)


@st.composite
def needs(draw):
    """Return a layout, and some of its blocks: single ones, and all that a few volumes or a stretch have."""
    layout = draw(layouts())
    last = len(layout.blocks) - 1
    some = set(draw(st.lists(st.integers(0, last), max_size=40)))
    for volume in draw(st.lists(st.integers(0, layout.cut.data_volumes - 1), max_size=5)):
        some.update(layout.volume_blocks(volume))
    first = draw(st.integers(0, last))
    some.update(range(first, draw(st.integers(first, min(last, first + 30))) + 1))
    return layout, sorted(some)
