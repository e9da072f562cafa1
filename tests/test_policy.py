from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from bundles import HOST, make_bundle
from hypothesis import given
from hypothesis import strategies as st

from bundler.core.index import Index
from bundler.errors import PolicyFault, UsageFault
from bundler.offline.clock import Clock
from bundler.offline.generation import Generation
from bundler.offline.policy import Wish, check_expected, check_expiry, check_name, check_serial
from bundler.offline.serials import Mark, Marks
from bundler.signing.trustdoc import Policy, TrustDocument

DIGEST, OTHER = "ab" * 32, "cd" * 32
INDEX = Index(
    name="plant-7", release="2026Q4", serial=7, created="2026-11-20T00:00:00Z", tool="t", uv=(), platforms=(),
    artifacts=(), members=(), expires="2027-06-01T00:00:00Z",
)  # fmt: skip
ACTIVE = Generation(
    folder=Path("/p/generations/1"), number=1, name="plant-7", release="2026Q3", serial=5, index_sha256=OTHER,
    platforms=(), uv=(), host=HOST,
)  # fmt: skip
DOCUMENT = TrustDocument(
    name="site", version=3, created="2026-01-01T00:00:00Z", expires=None, algorithms=("ssh-ed25519",), signers=(),
    root_threshold=1, release_threshold=1, revoked=(), policy=Policy(),
)  # fmt: skip
FORCE = {"reason": "because"}


def marks(serial, digest=DIGEST):
    return Marks(names={"plant-7": Mark(serial=serial, index_sha256=digest, created="2026-01-01T00:00:00Z")})


def clock(text):
    return Clock(now=datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc))


@pytest.mark.parametrize(
    ("seen", "digest", "wish", "message"),
    [
        (marks(8), DIGEST, Wish(), "plant-7: serial is 7, expected at least 8, which this host has seen"),
        (marks(7, OTHER), DIGEST, Wish(), "plant-7: serial 7 was another bundle on this host (index cdcdcdcdcdcdcdcd…, now abababababababab…)"),
        (marks(7, OTHER), DIGEST, Wish(allow_downgrade=True, **FORCE), "plant-7: serial 7 was another bundle on this host (index cdcdcdcdcdcdcdcd…, now abababababababab…)"),
        (Marks(), DIGEST, Wish(), "plant-7: serial is 7, expected at least 8, which this host has seen"),
    ],
)  # fmt: skip
def test_a_serial_that_is_refused(seen, digest, wish, message):
    with pytest.raises(PolicyFault) as caught:
        check_serial(INDEX, seen, None if seen.names else replace(ACTIVE, serial=8), wish, digest=digest)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("seen", "active", "wish", "lines"),
    [
        (Marks(), None, Wish(), ()),
        (marks(6), None, Wish(), ()),
        (marks(7), None, Wish(), ()),
        (marks(9), replace(ACTIVE, index_sha256=DIGEST), Wish(), ()),
        (Marks(), replace(ACTIVE, index_sha256=DIGEST), Wish(), ()),
        (Marks(), ACTIVE, Wish(), ()),
        (Marks(), replace(ACTIVE, serial=8, name="other"), Wish(), ()),
        (marks(9), None, Wish(allow_downgrade=True, **FORCE), ("plant-7: serial 7 is older than 9, which stays the highest seen",)),
    ],
    ids=["first", "newer", "same", "active already", "no marks, active", "no marks, newer", "no marks, other name", "step back"],
)  # fmt: skip
def test_a_serial_that_is_taken(seen, active, wish, lines):
    assert check_serial(INDEX, seen, active, wish, digest=DIGEST) == lines


def test_a_bundle_of_another_name_needs_to_be_accepted():
    other = replace(INDEX, name="plant-8")
    with pytest.raises(PolicyFault, match=r"q4: is a bundle of 'plant-8', expected 'plant-7', active in /p$"):
        check_name(other, ACTIVE, Wish(), name="q4")
    check_name(other, ACTIVE, Wish(accept_name="plant-8"), name="q4")
    check_name(other, None, Wish(), name="q4")


@pytest.mark.parametrize("option", ["allow_downgrade", "allow_expired"])
@pytest.mark.parametrize("reason", [None, "", "  "])
def test_an_override_needs_a_reason(option, reason):
    with pytest.raises(UsageFault) as caught:
        Wish(**{option: True, "reason": reason})
    assert caught.value.message == f"--{option.replace('_', '-')}: no reason given, expected one"


STRICT = replace(DOCUMENT, policy=Policy(first_install="expected"))


@pytest.mark.parametrize(
    ("seen", "document", "wish", "message"),
    [
        (Marks(), None, Wish(expect_serial=8), "plant-7: serial is 7, expected 8 (--expect-serial)"),
        (marks(6), None, Wish(expect_serial=8), "plant-7: serial is 7, expected 8 (--expect-serial)"),
        (Marks(), None, Wish(expect_index=OTHER), f"plant-7: index sha256 is {DIGEST}, expected {OTHER} (--expect-index)"),
        (Marks(), STRICT, Wish(), "plant-7: the first bundle of this name here, expected --expect-serial or --expect-index, as the trust document asks"),
    ],
)  # fmt: skip
def test_what_was_not_expected_is_refused(seen, document, wish, message):
    with pytest.raises(PolicyFault) as caught:
        check_expected(INDEX, seen, document, wish, digest=DIGEST)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("seen", "document", "wish"),
    [
        (Marks(), None, Wish()),
        (Marks(), DOCUMENT, Wish()),
        (marks(6), STRICT, Wish()),
        (Marks(), STRICT, Wish(expect_serial=7)),
        (Marks(), STRICT, Wish(expect_index=DIGEST.upper())),
        (Marks(), STRICT, Wish(rehearsal=True)),
    ],
)
def test_what_was_expected_is_taken(seen, document, wish):
    check_expected(INDEX, seen, document, wish, digest=DIGEST)


def test_what_does_not_expire_never_does():
    enforcing = replace(DOCUMENT, policy=Policy(expiry="enforce"))
    assert check_expiry(replace(INDEX, expires=None), enforcing, clock("2099-01-01T00:00:00Z"), Wish()) == ()


LATE = "2027-06-02T00:00:00Z"


@pytest.mark.parametrize("document", [None, DOCUMENT])
def test_expiry_warns_by_default(document):
    assert check_expiry(INDEX, document, clock(LATE), Wish()) == (
        "plant-7 2026Q4 (serial 7) expired 2027-06-01T00:00:00Z, and it is 2027-06-02T00:00:00Z",
    )


@pytest.mark.parametrize(
    "document",
    [replace(DOCUMENT, policy=Policy(expiry="enforce")),
     replace(DOCUMENT, policy=Policy(expiry="enforce"), expires="2027-01-01T00:00:00Z")],
    ids=["bundle", "bundle and trust document"],
)  # fmt: skip
def test_expiry_is_enforced_where_the_trust_document_says_so(document):
    with pytest.raises(PolicyFault, match="expired 2027-06-01T00:00:00Z, and it is 2027-06-02") as caught:
        check_expiry(INDEX, document, clock(LATE), Wish())
    assert "bring a newer bundle, or say --allow-expired" in caught.value.hint
    assert check_expiry(INDEX, document, clock("2026-12-01T00:00:00Z"), Wish()) == ()
    assert len(check_expiry(INDEX, document, clock(LATE), Wish(allow_expired=True, **FORCE))) == (
        2 if document.expires else 1
    )


def test_an_expired_trust_document_is_told_and_enforced():
    document = replace(DOCUMENT, expires="2026-12-01T00:00:00Z")
    assert check_expiry(INDEX, document, clock("2026-12-02T00:00:00Z"), Wish()) == (
        "the trust document site version 3 expired 2026-12-01T00:00:00Z, and it is 2026-12-02T00:00:00Z",
    )
    with pytest.raises(PolicyFault, match="the trust document site version 3 expired") as caught:
        check_expiry(
            INDEX, replace(document, policy=Policy(expiry="enforce")), clock("2026-12-02T00:00:00Z"), Wish()
        )
    assert "bring a newer version of the trust document" in caught.value.hint


def test_a_clock_that_was_held_up_is_told():
    held = clock("1970-01-01T00:00:00Z").not_before(LATE, of="a bundle of plant-7 that this host took")
    (line,) = check_expiry(INDEX, None, held, Wish())
    assert line.endswith(f"and it is {LATE}, by a bundle of plant-7 that this host took ({LATE})")


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 9), st.integers(0, 3)), max_size=20))
def test_a_mark_never_goes_down(seen):
    have = Marks()
    for name, serial, day in seen:
        before = have.names.get(name)
        have = have.raised(
            replace(INDEX, name=name, serial=serial, created=f"2026-11-2{day}T00:00:00Z"),
            index_sha256=f"{serial:064x}",
        )
        after = have.names[name]
        assert after.serial >= max(serial, before.serial if before else 0)
        assert after.created >= max(f"2026-11-2{day}T00:00:00Z", before.created if before else "")
        assert after.index_sha256 == f"{after.serial:064x}"


def test_the_helpers_make_bundles_that_never_expire():
    assert b'"expires"' not in make_bundle()[:4096]
