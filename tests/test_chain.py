"""Trust documents in a bundle: the walk decides whose signatures count, and hostile containers are refused."""

import io
from dataclasses import replace

import pytest
from bundles import make_document, sign_document, trust_by
from trustchains import ANN, BOB, BUNDLE, CHAIN, EVE, FIRST, SECOND, THIRD, front_of, packed, tiny, verified

from bundler.core import ustar
from bundler.errors import DamagedFault, SignatureFault
from bundler.offline.reader import BundleReader
from bundler.signing.trustdoc import MAX_CHAIN, MAX_DOCUMENT_BYTES


def test_the_walk_decides_whose_signatures_count():
    found = verified(BUNDLE)
    assert [one.version for one in found.steps] == [2, 3]
    assert [one.principal for one in found.signers] == ["ann", "eve"]
    assert found.trust.document.version == 3
    with pytest.raises(
        SignatureFault, match=r"q4.uvb: signed by 1 of 2 people, expected 2 with the role release"
    ):
        verified(tiny(chain=()))


def test_without_a_document_of_its_own_a_host_passes_the_chain_over():
    found = verified(BUNDLE, trust=ANN.trust)
    assert (found.steps, found.trust) == ((), ANN.trust)


def test_a_host_that_is_ahead_passes_the_chain_over():
    found = verified(BUNDLE, trust=trust_by(THIRD))
    assert (found.steps, found.trust.document.version) == ((), 3)


def test_a_chain_never_makes_a_stranger_count():
    theirs = make_document(2, people={"eve": EVE}, by=[EVE])
    with pytest.raises(SignatureFault, match="q4.uvb: trust/2.json: signed by 0 of 2 people"):
        verified(tiny(packers=(EVE,), chain=(theirs,)))


def test_a_doubtful_step_refuses_a_bundle_that_the_old_people_signed():
    doubtful = sign_document(b"{}", by=[ANN, BOB], number=2)
    assert verified(tiny(packers=(ANN, BOB), chain=())).signers
    with pytest.raises(SignatureFault, match="q4.uvb: trust/2.json: format: missing, but required"):
        verified(tiny(packers=(ANN, BOB), chain=(doubtful,)))


def test_no_document_is_parsed_before_those_before_it_have_signed(monkeypatch):
    def never(_):
        pytest.fail("a document was parsed before its signatures were checked")

    trust = trust_by(FIRST)
    monkeypatch.setattr("bundler.signing.trustwalk.parse_document", never)
    with pytest.raises(SignatureFault):
        verified(tiny(chain=(replace(SECOND, signatures=SECOND.signatures[:1]),)), trust=trust)


def test_bytes_come_back_as_they_were_packed():
    signed = BundleReader(io.BytesIO(BUNDLE), name="x").read_signed_index()
    assert signed.chain == CHAIN
    names = [name for name, _ in front_of(BUNDLE)[0]]
    assert names == [
        "bundle.json", "bundle.json.sig", "bundle.json.1.sig",
        "trust/2.json", "trust/2.json.sig", "trust/2.json.1.sig", "trust/2.json.2.sig",
        "trust/3.json", "trust/3.json.sig", "trust/3.json.1.sig",
    ]  # fmt: skip


SUMS = "expected SHA256SUMS after the signatures and trust documents, found "
SIGNATURES = [
    (f"trust/2.json{n}.sig", one) for n, one in zip(("", ".1", ".2"), SECOND.signatures, strict=True)
]
TWO, THREE = ("trust/2.json", SECOND.raw), ("trust/3.json", THIRD.raw)
LATER = [("trust/3.json.sig", THIRD.signatures[0]), ("trust/3.json.1.sig", THIRD.signatures[1])]


def numbered(name):
    return [(name, SECOND.raw), (f"{name}.sig", b"x")]


HOSTILE = {  # members between the index's signatures and SHA256SUMS : what is said
    "out of order": ([THREE, *LATER, TWO, *SIGNATURES], SUMS + "'trust/2.json'"),
    "a version left out": ([TWO, *SIGNATURES, *numbered("trust/4.json")], SUMS + "'trust/4.json'"),
    "a version twice": ([TWO, *SIGNATURES, TWO, *SIGNATURES], SUMS + "'trust/2.json'"),
    "no signature": ([TWO], "expected trust/2.json.sig after trust/2.json, found 'SHA256SUMS'"),
    "no signature but the next document": ([TWO, THREE], "expected trust/2.json.sig after trust/2.json, found 'trust/3.json'"),
    "the first signature missing": ([TWO, *SIGNATURES[1:]], "expected trust/2.json.sig after trust/2.json, found 'trust/2.json.1.sig'"),
    "a signature missing in the middle": ([TWO, SIGNATURES[0], SIGNATURES[2]], SUMS + "'trust/2.json.2.sig'"),
    "a signature of another document": ([TWO, LATER[0]], "expected trust/2.json.sig after trust/2.json, found 'trust/3.json.sig'"),
    "a signature before its document": ([*SIGNATURES, TWO], SUMS + "'trust/2.json.sig'"),
    "a signature twice": ([TWO, SIGNATURES[0], SIGNATURES[0]], SUMS + "'trust/2.json.sig'"),
    "a signature of the index after the chain": ([TWO, *SIGNATURES, ("bundle.json.2.sig", b"x")], SUMS + "'bundle.json.2.sig'"),
    "version 0": (numbered("trust/0.json"), SUMS + "'trust/0.json'"),
    "a leading zero": (numbered("trust/02.json"), SUMS + "'trust/02.json'"),
    "a version that no document has": (numbered("trust/2147483648.json"), SUMS + "'trust/2147483648.json'"),
    "a number of many digits": (numbered(f"trust/{'9' * 60}.json"), SUMS + f"'trust/{'9' * 60}.json'"),
    "another name": (numbered("trust/trust.json"), SUMS + "'trust/trust.json'"),
    "another folder": (numbered("trusted/2.json"), SUMS + "'trusted/2.json'"),
    "capitals": (numbered("trust/2.JSON"), SUMS + "'trust/2.JSON'"),
    "a folder below": (numbered("trust/2/2.json"), SUMS + "'trust/2/2.json'"),
    "something else": ([("notes.txt", b"x")], SUMS + "'notes.txt'"),
    "payload": ([("payload/x", b"x")], SUMS + "'payload/x'"),
    "17 signatures": (
        [TWO, SIGNATURES[0], *((f"trust/2.json.{n}.sig", b"x") for n in range(1, 17))],
        "expected at most 16 signatures of trust/2.json, found more",
    ),
    "65 documents": (
        [one for n in range(2, 67) for one in ((f"trust/{n}.json", b"{}"), (f"trust/{n}.json.sig", b"x"))],
        "expected at most 64 trust documents, found more",
    ),
    "a document that is too large": (
        [("trust/2.json", bytes(MAX_DOCUMENT_BYTES + 1)), *SIGNATURES],
        "trust/2.json: expected at most 262144 bytes, found 262145",
    ),
    "a signature that is too large": (
        [TWO, ("trust/2.json.sig", bytes((16 << 10) + 1))],
        "trust/2.json.sig: expected at most 16384 bytes, found 16385",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_container_that_no_packer_writes_is_refused(case):
    between, message = HOSTILE[case]
    members, rest = front_of(tiny(chain=(), packers=(ANN, BOB)))
    assert verified(packed(members, rest)).signers
    with pytest.raises(DamagedFault) as caught:
        verified(packed([*members, *between], rest))
    assert str(caught.value) == f"q4.uvb: {message}"
    assert caught.value.hint == "copy the bundle from its source again and compare `sha256sum` on both sides"


def test_documents_before_the_signatures_of_the_index_are_refused():
    members, rest = front_of(BUNDLE)
    with pytest.raises(
        SignatureFault, match=r"expected bundle.json.sig after bundle.json, found no signature"
    ):
        verified(packed([members[0], *members[3:7], *members[1:3]], rest))


def test_documents_after_the_list_of_sums_are_refused():
    members, rest = front_of(BUNDLE)
    sums = ustar.stored_size(int(rest[124:135], 8))
    moved = packed(members[:3], rest[:sums]) + packed(members[3:], rest[sums:])
    with pytest.raises(DamagedFault, match="expected the header of payload/"):
        verified(moved, trust=trust_by(THIRD))


def test_a_list_of_sums_of_another_size_than_the_index_says_is_refused():
    members, rest = front_of(BUNDLE)
    size = int(rest[124:135], 8)
    for wrong in (size - 1, size + 1):
        with pytest.raises(
            DamagedFault, match=f"expected SHA256SUMS of {size} bytes as in the index, found {wrong}"
        ):
            verified(packed(members, ustar.header("SHA256SUMS", wrong) + rest[ustar.BLOCK :]))


def test_documents_at_the_end_are_refused():
    members, rest = front_of(BUNDLE)
    moved = packed(members[:3], rest[:-1024]) + packed(members[3:], rest[-1024:])
    with pytest.raises(DamagedFault, match="expected the end of the archive at byte"):
        verified(moved, trust=trust_by(THIRD))


def test_documents_of_another_bundle_change_nothing_that_their_signers_did_not_want():
    """The chain is not tied to its bundle: that is what its own signatures are for."""
    members, rest = front_of(tiny(chain=()))
    moved = packed([*members, *front_of(BUNDLE)[0][3:]], rest)
    assert [one.version for one in verified(moved).steps] == [2, 3]


def test_a_bundle_may_bring_as_many_documents_as_the_limit_says():
    chain = tuple(
        make_document(n, people={"ann": ANN, "bob": BOB}, root=2, release=2) for n in range(2, 2 + MAX_CHAIN)
    )
    assert len(verified(tiny(packers=(ANN, BOB), chain=chain)).steps) == MAX_CHAIN


def test_a_document_as_large_as_the_limit_says_is_read():
    padded = FIRST.raw + b" " * (MAX_DOCUMENT_BYTES - len(FIRST.raw))
    chain = (sign_document(padded, by=[ANN], number=2),)
    data = tiny(packers=(ANN,), chain=chain)
    assert verified(data, trust=ANN.trust).signers
    assert BundleReader(io.BytesIO(data), name="x").read_signed_index().chain == chain
