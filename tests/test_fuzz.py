"""The fuzzing targets, without a fuzzer: their seeds, mutations of these, and proof that they can fail.

The slow test runs atheris; `tests/fuzz/run.py` says how to run it longer.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import cryptography
import pytest
import zstandard
from fuzz.target import ACCEPTED, CORPUS, REFUSED
from fuzz.targets import TARGETS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundler.core import decode, indexchecks, program, strictjson, ustar
from bundler.core.fault import Fault
from bundler.errors import SignatureFault
from bundler.media import drives as media_drives
from bundler.media import sums as media_sums
from bundler.offline import auditlog, signedindex, tarstream, verify
from bundler.signing import allowed_signers, publickey, schemes, trustdoc, trustwalk
from bundler.volumes import recovery, shelf

RUN = Path(__file__).parent / "fuzz" / "run.py"
ZSTD_OF_THE_SEEDS = (1, 5, 7)
each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


def seeds(target):
    return {file.name: file.read_bytes() for file in sorted(target.corpus.iterdir())}


@each_target
def test_a_target_has_seeds_that_its_reader_takes_and_seeds_that_it_refuses(target):
    names = seeds(target)
    assert any(name.startswith(ACCEPTED) for name in names)
    assert any(name.startswith(REFUSED) for name in names)


def test_every_folder_of_seeds_belongs_to_a_target():
    assert {folder.name for folder in CORPUS.iterdir() if folder.is_dir()} == set(TARGETS)


@each_target
def test_the_reader_says_of_each_seed_what_its_name_says(target):
    verdicts = {name: target.check(data) for name, data in seeds(target).items()}
    assert verdicts == {name: name.startswith(ACCEPTED) for name in verdicts}


@each_target
def test_the_committed_seeds_are_those_that_seeds_py_makes(target):
    if target.zstd and zstandard.ZSTD_VERSION != ZSTD_OF_THE_SEEDS:
        pytest.skip(f"the seeds were compressed with zstd {ZSTD_OF_THE_SEEDS}, here is another")
    if int(cryptography.__version__.split(".", 1)[0]) < 44:
        pytest.skip("needs RFC 6979 in cryptography, which 44 and later have")
    assert seeds(target) == target.seeds(), "run: python tests/fuzz/seeds.py"


@st.composite
def bent(draw, target):
    """Draw a seed that was flipped, cut, spliced with another one, had chunks put in, or was bent in its form."""
    pool = list(seeds(target).values())
    data = draw(st.sampled_from(pool))
    for kind in draw(
        st.lists(st.sampled_from(("flip", "cut", "splice", "insert", "form")), min_size=1, max_size=4)
    ):
        at = draw(st.integers(0, len(data)))
        if kind == "flip" and at < len(data):
            data = data[:at] + bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) + data[at + 1 :]
        elif kind == "cut":
            data = data[:at] + data[at + draw(st.integers(1, 600)) :]
        elif kind == "splice":
            other = draw(st.sampled_from(pool))
            data = data[:at] + other[draw(st.integers(0, len(other))) :]
        elif kind == "insert":
            data = data[:at] + draw(st.sampled_from(target.words) | st.binary(max_size=40)) + data[at:]
        else:
            data = target.mutate(data, random.Random(draw(st.integers(0, 2**32))))
    return data[: target.max_len]


@each_target
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_property_of_a_target_holds_for_bent_seeds(target, data):
    target.check(data.draw(bent(target)))


def nothing(*_arguments, **_options):
    """Check nothing."""


def anybody(*_arguments, **_options):
    """Say that somebody trusted has signed."""
    return (signedindex.verify_signatures,)


def unseen_padding(self, path, size):
    """Read what should be zeros."""
    self.exactly(-size % ustar.BLOCK, what=path)


def unseen_header(self, member):
    """Read what should be the member's header."""
    self.exactly(ustar.BLOCK, what=member.path)


def padded_number(data, at):
    """Read a number in any form."""
    value = shift = 0
    for place in range(at, len(data)):
        value |= (data[place] & 0x7F) << shift
        if data[place] < 0x80:
            return value, place + 1
        shift += 7
    raise Fault("expected a number")


def unchecked_block(self, block):
    """Return what lies where the block should be."""
    found = (self.content(spot) for spot in self.spots(block))
    return next((data for data in found if data is not None), None)


def unchecked_row(self, row, found):
    """Keep what was recovered, whatever it is."""
    self._kept = {
        row.blocks[at]: cell[: self._shelf.blocks.size(row.blocks[at])] for at, cell in found.items()
    }
    return True


def nobody(*_arguments, **_options):
    """Say that nobody trusted has signed."""
    raise SignatureFault("nobody signed")


DEFECTS = [  # a target, and a check that is taken out of the reader
    ("container", signedindex, "verify_signatures", anybody),
    ("container", tarstream.TarStream, "padding", unseen_padding),
    ("container", tarstream.TarStream, "expect_header", unseen_header),
    ("container", tarstream.TarStream, "expect_end", nothing),
    ("signed", indexchecks, "check_distinct", nothing),
    ("signed", verify, "check_sums", nothing),
    ("signed", decode, "_check_frame", nothing),
    ("index", indexchecks, "_check_member", nothing),
    ("index", indexchecks, "_check_artifact", nothing),
    ("index", indexchecks, "_check_recipe", nothing),
    ("index", indexchecks, "_check_kept", nothing),
    ("index", indexchecks, "_check_prefix", nothing),
    ("program", program, "MAX_NESTING", 9),
    ("program", program, "_number", padded_number),
    ("json", strictjson, "_check_depth_and_text", nothing),
    ("json", strictjson, "_without_duplicates", dict),
    ("json", strictjson, "_refuse_float", float),
    ("json", strictjson, "_bounded_int", int),
    ("sshsig", schemes, "_guarded", lambda _algorithm, _check: nothing),
    ("sshsig-blob", publickey.wire.Reader, "end", nothing),
    ("trust", allowed_signers, "looks_like_key_type", lambda _word: False),
    ("trust-document", trustdoc, "check_document", nothing),
    ("trust-document", trustdoc, "_check_people", nothing),
    ("trust-walk", trustwalk, "_verify", lambda *_arguments, **_options: ()),
    ("zstd", decode, "_check_frame", nothing),
    ("ustar", ustar, "header", lambda *_arguments: bytes(512)),
    ("metadata", strictjson, "_without_duplicates", list),
    ("drives", media_drives, "portable_path", lambda name: name),
    ("drive-sums", media_sums, "portable_path", lambda name: name),
    ("drive-sums", media_sums, "check_distinct", nothing),
    ("volumes", shelf.Shelf, "read", unchecked_block),
    ("volumes", recovery.Rows, "_keep", unchecked_row),
    ("volumes", signedindex, "verify_signatures", nobody),
    ("log", auditlog.Chain, "_stump", lambda _self, _data, _stream: auditlog.Stump(line=1, size=1)),
    ("log", auditlog, "_whole", lambda line: json.loads(line) if line.startswith(b"{") else None),
]


@pytest.mark.parametrize(("name", "module", "attribute", "defect"), DEFECTS)
def test_a_check_that_is_missing_is_found(name, module, attribute, defect, monkeypatch):
    target = TARGETS[name]
    target.check(next(iter(seeds(target).values())))  # what it keeps is kept from a reader that is whole
    monkeypatch.setattr(module, attribute, defect)
    rng = random.Random(1)
    pool = seeds(target)
    with pytest.raises(Exception):  # noqa: B017, PT011  # an assertion of the target, or what the reader let out
        for number in range(3000):
            name, data = rng.choice(list(pool.items()))
            for _ in range(number and rng.randrange(4)):
                data = target.mutate(data, rng)
            verdict = target.check(data)
            if data == pool[name]:
                assert verdict is name.startswith(ACCEPTED)


@pytest.mark.slow
@each_target
def test_atheris_finds_nothing_in_a_minute(target, tmp_path):
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("needs atheris, which is not installed here: pip install atheris")
    done = subprocess.run(
        [sys.executable, str(RUN), target.name, "-max_total_time=60"],
        env={**os.environ, "FUZZ_OUT": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Done " in done.stderr
