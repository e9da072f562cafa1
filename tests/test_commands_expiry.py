"""Bundles that expire: how `pack` dates them, and what `inspect` and `verify` say."""

import json

import pytest
from bundles import PACKER, make_bundle, make_document, trust_by
from cli import Desk, bundler, check_refusal
from fakeindex import Site

from bundler.core.progress import Silent
from bundler.core.times import read_time
from bundler.offline.clock import Clock
from bundler.offline.policy import past_its_time
from bundler.offline.verify import verify_bundle

EPOCH = {"SOURCE_DATE_EPOCH": "1789000000"}  # 2026-09-10T00:26:40Z


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def index_of(path):
    done = bundler("inspect", path, "--json")
    assert done.code == 0, done.stderr
    return json.loads(done.stdout)


def test_a_bundle_expires_as_many_days_after_packing_as_the_manifest_says(site):
    done = site.pack(manifest=site.manifest(more="valid_days: 200\n"), **EPOCH)
    assert done.code == 0, done.stderr
    found = index_of(site.folder / "q4.uvb")
    assert (found["created"], found["expires"]) == ("2026-09-10T00:26:40Z", "2027-03-29T00:26:40Z")
    assert "plant-7 2026Q4 (serial 20260910002640), expires 2027-03-29, signed by SHA256:" in done.stderr


def test_the_command_line_says_it_louder_than_the_manifest(site):
    manifest = site.manifest(more="valid_days: 200\n")
    assert site.pack("--valid-days", "1", manifest=manifest, **EPOCH).code == 0
    assert index_of(site.folder / "q4.uvb")["expires"] == "2026-09-11T00:26:40Z"
    assert site.pack(manifest=manifest, UV_BUNDLER_VALID_DAYS="2", **EPOCH).code == 0
    assert index_of(site.folder / "q4.uvb")["expires"] == "2026-09-12T00:26:40Z"


def test_a_bundle_that_nobody_gave_an_end_has_none(site):
    done = site.pack(**EPOCH)
    assert index_of(site.folder / "q4.uvb")["expires"] is None
    assert "expires" not in done.stderr
    assert "expires" not in bundler("inspect", site.folder / "q4.uvb").stdout


def test_days_do_not_change_the_lock(site):
    site.run("lock", site.manifest())
    lock = (site.folder / "plant.lock").read_bytes()
    assert site.pack(manifest=site.manifest(more="valid_days: 5\n"), **EPOCH).code == 0
    assert (site.folder / "plant.lock").read_bytes() == lock


@pytest.mark.parametrize("days", ["0", "-1", "3661", "1.5", "soon"])
def test_days_that_do_not_fit_are_refused(site, days):
    done = site.pack("--valid-days", days)
    check_refusal(done, 2, "--valid-days", "uv-bundler pack --help")
    assert not (site.folder / "q4.uvb").exists()


def test_inspect_shows_when_a_bundle_expires(desk):
    desk.bundle.write_bytes(make_bundle(expires="2027-06-09T00:00:00Z"))
    assert "expires    2027-06-09T00:00:00Z" in bundler("inspect", desk.bundle).stdout.splitlines()
    assert index_of(desk.bundle)["expires"] == "2027-06-09T00:00:00Z"


@pytest.mark.parametrize("words", [(), ("-q",)], ids=["aloud", "quiet"])
def test_verify_warns_of_a_bundle_that_has_expired_and_still_verifies_it(desk, words):
    desk.bundle.write_bytes(make_bundle(created="2020-01-01T00:00:00Z", expires="2020-06-09T00:00:00Z"))
    done = bundler("verify", desk.bundle, "--trust", desk.trust, *words)
    assert (done.code, done.stdout) == (0, "")
    title = "plant-7 2026Q4 (serial 7)"
    warned = f"warning: {desk.bundle}: {title} expired 2020-06-09T00:00:00Z, and it is 2"
    assert done.stderr.startswith(f"uv-bundler: {warned}")


def test_verify_says_nothing_of_a_bundle_that_has_not_expired(desk):
    desk.bundle.write_bytes(make_bundle(created="2020-01-01T00:00:00Z", expires="9999-12-31T23:59:59Z"))
    done = bundler("verify", desk.bundle, "--trust", desk.trust, "-q")
    assert (done.code, done.stdout, done.stderr) == (0, "", "")


def verified(*, document=None, **facts):
    import io

    trust = trust_by(document) if document else PACKER.trust
    return verify_bundle(io.BytesIO(make_bundle(**facts)), name="q4", trust=trust, progress=Silent())


ENDS = "2026-12-01T00:00:00Z"


def past(found, now):
    document = found.trust.document
    return past_its_time(
        found.index, document, Clock(now=read_time(now)).not_before_making(found.index, document)
    )


@pytest.mark.parametrize(
    ("now", "lines"),
    [
        ("2026-11-30T23:59:59Z", ()),
        (ENDS, ()),
        (
            "2026-12-01T00:00:01Z",
            (f"plant-7 2026Q4 (serial 7) expired {ENDS}, and it is 2026-12-01T00:00:01Z",),
        ),
    ],
)
def test_the_second_that_it_names_is_the_last_one(now, lines):
    assert past(verified(expires=ENDS), now) == lines


def test_a_trust_document_that_has_expired_is_told_too():
    found = verified(document=make_document(expires=ENDS))
    assert past(found, "2027-01-01T00:00:00Z") == (
        f"the trust document plant-7 version 1 expired {ENDS}, and it is 2027-01-01T00:00:00Z",
    )


def test_a_clock_that_stands_before_the_bundle_was_made_does_not_make_the_document_young():
    found = verified(document=make_document(expires="2026-11-10T00:00:00Z"))
    assert past(found, "1970-01-01T00:00:00Z") == (
        (
            "the trust document plant-7 version 1 expired 2026-11-10T00:00:00Z, and it is "
            "2026-11-20T00:00:00Z, by the making of this bundle (2026-11-20T00:00:00Z)"
        ),
    )
