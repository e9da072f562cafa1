"""The trust walk against a model of it: a site that publishes, somebody who mixes what it published, and a host.

The model knows sets of names and numbers, no bytes: FORMAT.md §13 once more, written before the code was read.
The host is real: a guarded folder, `load_trust`, `walk` and `save_document`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from bundles import Packer, make_document, sign_document
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from bundler.errors import PolicyFault, SignatureFault
from bundler.signing.documentstore import save_document
from bundler.signing.revocation import revoke
from bundler.signing.trust import NAMESPACE
from bundler.signing.trustdoc import TRUST_NAME, SignedDocument
from bundler.signing.trustload import load_trust
from bundler.signing.trustwalk import walk

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # syncs are slow on disks
KEYS = tuple(Packer(seed) for seed in range(1, 7))
PEOPLE = ("anna", "ben", "carl")


@dataclass(frozen=True)
class Paper:
    """A document as the model sees it: who is root with which keys, how many of them, which keys are out."""

    name: str
    version: int
    roots: tuple[tuple[str, frozenset[int]], ...]
    threshold: int
    revoked: frozenset[int]

    def enough(self, signed_by, *, here):
        good = signed_by - self.revoked - here
        return sum(bool(keys & good) for _, keys in self.roots) >= self.threshold


@dataclass(frozen=True)
class Parcel:
    """What may lie in a bundle as `trust/NUMBER.json`: `paper` is None where the bytes are no document."""

    number: int
    paper: Paper | None
    signed_by: frozenset[int]
    signed: SignedDocument


def expected(installed, chain, *, here):
    """Return the paper that a host must end with, or None where it must refuse."""
    now = installed
    for parcel in chain:
        if parcel.number <= installed.version:
            continue
        if parcel.number != now.version + 1 or not now.enough(parcel.signed_by, here=here):
            return None
        paper = parcel.paper
        if paper is None or (paper.name, paper.version) != (now.name, parcel.number):
            return None
        if not paper.enough(parcel.signed_by, here=here):
            return None
        now = paper
    return now


@st.composite
def papers(draw, name="plant-7", version=1):
    holders = draw(st.lists(st.sampled_from([*PEOPLE, None]), min_size=len(KEYS), max_size=len(KEYS)))
    if not any(holders):
        holders[draw(st.integers(0, len(KEYS) - 1))] = "anna"
    roots = tuple(
        (person, frozenset(number for number, one in enumerate(holders) if one == person))
        for person in PEOPLE
        if person in holders
    )
    free = {number for number, one in enumerate(holders) if one is None}
    revoked = draw(st.sets(st.sampled_from(sorted(free)))) if free else set()
    threshold = draw(st.integers(1, len(roots)))
    return Paper(name=name, version=version, roots=roots, threshold=threshold, revoked=frozenset(revoked))


def write(paper):
    """Return the bytes of the document that says what the paper says."""
    return make_document(
        paper.version,
        name=paper.name,
        people={person: tuple(KEYS[number] for number in sorted(keys)) for person, keys in paper.roots},
        root=paper.threshold,
        revoked={KEYS[number].key.fingerprint: "x" for number in paper.revoked},
        by=(),
    ).raw


def sign(raw, numbers, *, number, wrong=()):
    """Sign with the keys `numbers`, and for something else with the keys `wrong`."""
    good = sign_document(raw, by=[KEYS[one] for one in sorted(numbers)], number=number)
    others = tuple(KEYS[one].sign(raw, namespace=NAMESPACE) for one in sorted(wrong))
    return replace(good, signatures=(*others, *good.signatures))


SIGNERS = st.sets(st.integers(0, len(KEYS) - 1))


class Walk(RuleBasedStateMachine):
    """One host, one site, and everything that was ever signed, in any order."""

    parcels = Bundle("parcels")

    @initialize(first=papers())
    def install(self, first):
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY))
        self.folder.chmod(0o755)
        save_document(self.folder, write(first))
        self.installed = self.newest = first
        self.history = []
        self.here = frozenset()

    @rule(target=parcels, paper=papers(), absent=st.sets(st.integers(0, len(KEYS) - 1), max_size=1))
    def publish(self, paper, absent):
        """The site's next version, by all but one key perhaps, which may be one too few."""
        paper = replace(paper, version=self.newest.version + 1)
        numbers = frozenset(range(len(KEYS))) - absent
        parcel = self._parcel(paper, numbers)
        if self.newest.enough(numbers, here=frozenset()) and paper.enough(numbers, here=frozenset()):
            self.newest = paper
            self.history.append(parcel)
        return parcel

    @rule(target=parcels, data=st.data(), numbers=SIGNERS, wrong=SIGNERS, ahead=st.integers(-1, 2))
    def forge(self, data, numbers, wrong, ahead):
        """Any version for this host, by whoever an attacker has the keys of."""
        version = max(1, self.installed.version + ahead)
        name = data.draw(st.sampled_from(["plant-7", "plant-7", "plant-8"]))
        return self._parcel(data.draw(papers(name=name, version=version)), numbers, wrong=wrong)

    @rule(
        target=parcels,
        paper=papers(),
        who=st.sampled_from(["all", "old", "new"]),
        name=st.sampled_from(["plant-7", "plant-7", "plant-8"]),
        ahead=st.sampled_from([1, 1, 0, 2]),
    )
    def conspire(self, paper, who, name, ahead):
        """All people of the installed version sign, or all of a new one; it arrives as the next version."""
        paper = replace(paper, name=name, version=self.installed.version + ahead)
        people = {"all": (), "old": self.installed.roots, "new": paper.roots}[who]
        numbers = frozenset().union(*(keys for _, keys in people)) or frozenset(range(len(KEYS)))
        parcel = self._parcel(paper, numbers)
        number = self.installed.version + 1
        parcel = replace(parcel, number=number, signed=replace(parcel.signed, number=number))
        self._arrive([parcel], stored=False)
        return parcel

    @rule(target=parcels, parcel=parcels, shift=st.integers(-1, 2))
    def rename(self, parcel, shift):
        """The same bytes under another number."""
        number = max(1, parcel.number + shift)
        return replace(parcel, number=number, signed=replace(parcel.signed, number=number))

    @rule(target=parcels, parcel=parcels, numbers=SIGNERS)
    def spoil(self, parcel, numbers):
        """Bytes that are no document, signed all the same."""
        raw = parcel.signed.raw[:-3]
        return Parcel(parcel.number, None, frozenset(numbers), sign(raw, numbers, number=parcel.number))

    @rule(target=parcels, parcel=parcels, keep=st.integers(0, 5))
    def strip(self, parcel, keep):
        """Fewer signatures, and the same ones twice."""
        signatures = parcel.signed.signatures[:keep] * 2
        still = frozenset(
            number for number in parcel.signed_by
            if any(KEYS[number].sign(parcel.signed.raw, namespace="uv-bundler.trust.v1") == one for one in signatures)
        )  # fmt: skip
        return replace(parcel, signed_by=still, signed=replace(parcel.signed, signatures=signatures))

    @rule(
        chain=st.lists(parcels, max_size=5),
        in_order=st.booleans(),
        stored=st.sampled_from([True, True, False]),
    )
    def deliver(self, chain, in_order, stored):
        """A bundle with some of it arrives; the run may be stopped before what was walked to is stored."""
        if in_order:
            chain = sorted(dict.fromkeys(chain), key=lambda one: one.number)
        self._arrive(chain, stored=stored)

    @rule(
        slip=st.sampled_from(["none", "none", "drop", "swap", "twice"]),
        at=st.integers(0, 3),
        stored=st.booleans(),
    )
    def carry_all(self, slip, at, stored):
        """A bundle with every version that the site published, or with one slip in their order."""
        chain = list(self.history)
        if slip == "drop":
            del chain[at : at + 1]
        elif slip == "swap":
            chain[at : at + 2] = reversed(chain[at : at + 2])
        elif slip == "twice":
            chain[at:at] = chain[at : at + 1]
        self._arrive(chain, stored=stored)

    @rule(parcel=parcels)
    def replay(self, parcel):
        """One document alone."""
        self._arrive([parcel], stored=True)

    @rule(number=st.integers(0, len(KEYS) - 1))
    def lose(self, number):
        """A key is revoked on this machine."""
        revoke(KEYS[number].key.fingerprint, reason="lost", folder=self.folder)
        self.here |= {number}

    @rule(paper=papers(version=1))
    def downgrade(self, paper):
        """Whatever asks for it, the store takes no lower version, and no other one of the same."""
        lower = replace(paper, version=self.installed.version)
        if lower == self.installed:
            return
        with pytest.raises(PolicyFault):
            save_document(self.folder, write(lower))

    @invariant()
    def the_store_holds_what_the_model_says(self):
        if hasattr(self, "folder"):
            assert (self.folder / TRUST_NAME).read_bytes() == write(self.installed)
            assert sorted(one.name for one in self.folder.iterdir()) in (
                [TRUST_NAME], ["revoked_keys", TRUST_NAME],
            )  # fmt: skip

    def teardown(self):
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    def _parcel(self, paper, numbers, *, wrong=()):
        raw = write(paper)
        signed = sign(raw, numbers, number=paper.version, wrong=wrong)
        return Parcel(paper.version, paper, frozenset(numbers), signed)

    def _arrive(self, chain, *, stored):
        wanted = expected(self.installed, chain, here=self.here)
        before = load_trust(self.folder)
        try:
            trust, steps = walk(before, [parcel.signed for parcel in chain])
        except SignatureFault:
            assert wanted is None
            return
        assert wanted is not None
        assert (trust.document.version, trust.document.to_bytes()) == (wanted.version, write(wanted))
        assert [step.version for step in steps] == list(range(self.installed.version + 1, wanted.version + 1))
        if steps and stored:
            save_document(self.folder, steps[-1].raw)
            self.installed = wanted
            if wanted.version >= self.newest.version and wanted != self.newest:
                self.newest, self.history = wanted, []  # thieves of enough keys are the site from then on


_COMMON = {
    "deadline": None,
    "phases": (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.filter_too_much],
}


def test_a_host_walks_exactly_where_the_model_does():
    run_state_machine_as_test(Walk, settings=settings(max_examples=25, stateful_step_count=20, **_COMMON))


@pytest.mark.slow
def test_a_host_walks_exactly_where_the_model_does_for_long():
    run_state_machine_as_test(Walk, settings=settings(max_examples=600, stateful_step_count=40, **_COMMON))
