"""Trust documents in a bundle: every byte of the front flipped or cut off."""

import io

import pytest
from bundles import PACKER, Packer, request, tree, trust_by
from trustchains import ANN, BOB, BUNDLE, EVE, FIRST, SECOND, front_of, front_size, tiny, verified

from bundler.core import ustar
from bundler.core.progress import Silent
from bundler.errors import BundlerError, DamagedFault, SignatureFault
from bundler.offline.unpack import unpack

SHORT = tiny(chain=(SECOND,))


def test_every_flipped_byte_before_the_payload_is_refused():
    """What follows is read as in a bundle without a chain, which test_reader.py flips as a whole."""
    trust, wrong = trust_by(FIRST), []
    for at in range(front_size(SHORT) + ustar.BLOCK):
        broken = bytearray(SHORT)
        broken[at] ^= 0x01
        try:
            verified(bytes(broken), trust=trust)
        except (SignatureFault, DamagedFault) as fault:
            assert str(fault).startswith("q4.uvb: "), at
        else:
            wrong.append(at)
    assert wrong == []


def test_every_cut_before_the_payload_is_refused():
    trust = trust_by(FIRST)
    for end in range(front_size(BUNDLE) + ustar.BLOCK):
        with pytest.raises(DamagedFault, match=f"q4.uvb: ends at byte {end} within "):
            verified(BUNDLE[:end], trust=trust)


def test_a_flip_in_a_signature_that_is_not_needed_changes_nothing_but_that_signature():
    data = tiny(packers=(ANN, PACKER, EVE, Packer(9)))
    stranger = front_of(data)[0][4]
    assert stranger[0] == "bundle.json.3.sig"
    start = data.index(stranger[1])
    honest = verified(data)
    for at in range(start, start + len(stranger[1]), 3):
        broken = bytearray(data)
        broken[at] ^= 0x01
        found = verified(bytes(broken))
        assert (found.index, found.signers, found.steps) == (honest.index, honest.signers, honest.steps)


@pytest.mark.slow
@pytest.mark.parametrize("bit", range(8))
def test_no_flip_and_no_cut_leaves_anything_but_the_old_state_or_the_new_one(tmp_path, bit):
    """Every bit and every length, through `unpack` onto a host that has an older bundle; its log may grow."""
    prefix, trust = tmp_path / "prefix", trust_by(FIRST)

    def run(data):
        unpack(io.BytesIO(data), request(prefix, trust=trust), name="q4.uvb", progress=Silent())

    def state():
        own = ("state/lock", "state/log.jsonl")
        return {path: facts for path, facts in tree(prefix).items() if not path.startswith(own)}

    # Other content than in the next one: what a host has already is passed over, whatever the medium says.
    run(tiny(b"y" * 40, packers=(ANN, BOB), chain=(), serial=6))
    before = state()
    for at in range(len(SHORT)):
        broken = bytearray(SHORT)
        broken[at] ^= 1 << bit
        for data in (bytes(broken), SHORT[:at]) if at % 8 == bit else (bytes(broken),):
            with pytest.raises(BundlerError) as caught:
                run(data)
            assert isinstance(caught.value, SignatureFault | DamagedFault), at
            assert state() == before, at
    run(SHORT)
    assert state() != before
