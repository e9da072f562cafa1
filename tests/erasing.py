"""Rows of cells, made and recovered, beside the slow code in plain Python that FORMAT.md §18 has of it."""

import functools
import hashlib
import itertools
import re
import textwrap
from pathlib import Path

from hypothesis import strategies as st

from bundler.core.cut import row_size
from bundler.core.erasure import COLUMNS, Encoder, Recovery

FORMAT = (Path(__file__).parents[1] / "bundler" / "FORMAT.md").read_text(encoding="utf-8")
SECTION = re.search(r"^## 18\. The erasure code\n(.*?)(?=^## |\Z)", FORMAT, re.MULTILINE | re.DOTALL)[1]
LENGTHS = {0: 70_000, 1: 69_999, 2: 65_536, 3: 1, 5: 65_537, 127: 40_000}


def code_of_the_format():
    """Return what the code in the format's section defines."""
    code = re.search(r"^    def times.*?(?=^\*\*)", SECTION, re.MULTILINE | re.DOTALL)[0]
    defined = {}
    exec(textwrap.dedent(code), defined)  # noqa: S102 - it is our own page
    defined["times"] = functools.cache(defined["times"])  # its functions look it up here
    return defined


def column_content(column, size):
    """Return a cell as the format's section makes it."""
    digests = (hashlib.sha256(f"{column}:{i}".encode()).digest() for i in itertools.count())
    return b"".join(itertools.islice(digests, size // 32 + 1))[:size]


def padded(cell, size):
    """Return a cell with zeros up to the size of its row."""
    return cell.ljust(size, b"\0")


def encode(cells, *, parity, size=None):
    """Return the parity cells with these numbers, of data cells by their column."""
    size = row_size(max(map(len, cells.values()), default=0)) if size is None else size
    encoder = Encoder(parity=parity, size=size)
    for column, cell in cells.items():
        encoder.add(column, cell)
    return dict(zip(parity, encoder.finish(), strict=True))


def recover(cells, parity, *, size):
    """Recover the cells that are None from the parity cells given."""
    lost = [column for column, cell in cells.items() if cell is None]
    recovery = Recovery(lost=lost, parity=list(parity), size=size)
    for column, cell in cells.items():
        if cell is not None:
            recovery.add_data(column, cell)
    for number, cell in parity.items():
        recovery.add_parity(number, cell)
    return recovery.finish()


cells_of_rows = st.dictionaries(st.integers(0, COLUMNS - 1), st.binary(max_size=70), max_size=9)
