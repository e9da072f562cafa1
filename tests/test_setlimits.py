"""The limits of sets, as FORMAT.md and README.md write them down, are those that the code has.

What happens at a limit is tested where the code is that has it, most often by way of the constant.
"""

from pathlib import Path

import pytest

from bundler.arriving.arrivals import GROWING_SUFFIXES
from bundler.arriving.collectnotes import _MAX_BYTES
from bundler.arriving.receivedset import MAX_COPIES, MAX_KEPT, MAX_SUPPLEMENTS
from bundler.arriving.receivestatus import MAX_NAMED
from bundler.arriving.receiving import Receiving
from bundler.core import erasure
from bundler.core.cut import MAX_COLUMNS, MAX_PARITY, MAX_VOLUMES
from bundler.core.ticket import _PRIME, LINE_CHARS, MAX_TICKET_BYTES
from bundler.core.volumehead import MAX_VOLUME_BYTES
from bundler.media.drives import MAX_DRIVES, MAX_LIST_BYTES
from bundler.media.sums import MAX_SUMS_BYTES
from bundler.volumes.choosecut import COLUMNS, MEDIA
from bundler.volumes.crowding import MAX_CUTS
from bundler.volumes.rowmemory import ROW_BYTES
from bundler.volumes.survey import MAX_FILES

ROOT = Path(__file__).parents[1]
WORDS = {3: "three"}
FORMAT = [
    f"`volumes` N (1 to {MAX_VOLUMES}), `parity` M (0 to {MAX_PARITY}, and M · G at most {MAX_VOLUMES})",
    f"A group with parity has at most {MAX_COLUMNS} columns",
    f"**`VOLUME`** is ASCII text of at most {MAX_VOLUME_BYTES} bytes",
    f"of at most {LINE_CHARS} characters: IDENTITY",
    f"leaves 1 modulo {_PRIME}",
    f"lines as that takes, and at most {MAX_TICKET_BYTES >> 20} MiB",
    f"Of more than {MAX_CUTS} cuts of a bundle",
    f"ASCII, at most {MAX_LIST_BYTES >> 20} MiB; one line for each of at most {MAX_DRIVES} drives",
    "or end in " + ", ".join(f"`{suffix}`" for suffix in GROWING_SUFFIXES) + " still grow",
    f"no other copy of that volume has, {WORDS.get(MAX_COPIES)} copies at most",
    f"Where there are {MAX_CUTS} cuts of a bundle already, or {MAX_KEPT:,} files",
    f"the first 16 digits of its own sha256; {MAX_SUPPLEMENTS} at most with the same blocks",
    f"At most {MAX_NAMED} names are in each list of files, and {MAX_NAMED} untrusted bundles",
    f"| parity of a row | {ROW_BYTES >> 20} MiB |",
    f"| cuts of a bundle that are read | {MAX_CUTS} |",
    f"| `VOLUME` | {MAX_VOLUME_BYTES} bytes |",
    f"| a repair ticket as a file | {MAX_TICKET_BYTES >> 20} MiB |",
    f"| `.collect/state.json` | {_MAX_BYTES >> 20} MiB |",
    f"`state.json`, of at most {_MAX_BYTES >> 20} MiB",
    f"| entries of a folder that holds a set | {MAX_FILES // 1000} {MAX_FILES % 1000:03d} |",
    f"| `STEM.drives`, `SHA256SUMS` on a drive | {MAX_LIST_BYTES >> 20} MiB |",
    f"columns 0 to {erasure.COLUMNS - 1} and parity cells with the numbers 0 to {erasure.PARITY - 1}",
]
README = [
    f"`fat32` (files of {MEDIA['fat32'] >> 20} MiB), `dvd` ({MEDIA['dvd'] / 1e9:g} GB)",
    f"`bd` ({MEDIA['bd'] / 1e9:g} GB), `diode` ({MEDIA['diode'] >> 20} MiB)",
    f"each group of at most {COLUMNS} volumes",
    f"a line to read out over the phone, of at most {LINE_CHARS} characters",
    f"nothing came for {Receiving(watch=ROOT).expire} days, is removed",
]


def one_line(name):
    return " ".join((ROOT / name).read_text(encoding="utf-8").split())


@pytest.mark.parametrize("sentence", FORMAT)
def test_the_format_says_what_the_code_has(sentence):
    assert sentence in one_line("bundler/FORMAT.md")


@pytest.mark.parametrize("sentence", README)
def test_the_readme_says_what_the_code_has(sentence):
    assert sentence in one_line("README.md")


def test_what_has_one_limit_in_two_places_has_the_same():
    assert (MAX_COLUMNS, MAX_PARITY, MAX_LIST_BYTES) == (erasure.COLUMNS, erasure.PARITY, MAX_SUMS_BYTES)
    assert COLUMNS <= MAX_COLUMNS
