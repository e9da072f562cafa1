"""`inspect`: what the contract promises of it, on a bundle that `pack` made; and what `verify` tells of trust."""

import json
import subprocess
from dataclasses import replace

import pytest
from bundles import (
    HOST,
    OTHER,
    Packer,
    archive,
    make_bundle,
    make_document,
    sign_document,
    small_content,
    tree,
    write_document,
)
from cli import Desk, bundler, check_refusal, process
from fakeindex import Site
from recompressed import delta_box, full_box, index_of, sha
from volumes import make_set, small_blocks

FIELDS = {
    "format", "name", "release", "serial", "created", "uv", "platforms", "artifacts", "archives_size", "stored_size",
    "signatures", "verified",
}  # fmt: skip


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def inspected(*words, **options):
    done = process("inspect", *words, "--json", **options)
    assert done.code == 0, done.stderr
    assert done.stderr.endswith("nothing of this was verified: neither the signatures nor the payload\n")
    return json.loads(done.stdout)


def test_the_fields_of_the_contract_have_the_values_of_the_bundle(tmp_path):
    site = Site(tmp_path, uv=("0.12.0", "0.13.8"))
    manifest = site.manifest(
        uv='["0.13.8", "0.12.0"]', pythons='["3.13", "3.12"]', platforms="[linux-x86_64-gnu, windows-x86_64-none]",
        more=f"serial: 2026112001\n{site.build}",
    )  # fmt: skip
    manifest.write_text(
        manifest.read_text().replace("[linux-x86_64-gnu, windows-x86_64-none]", "[linux-x86_64-gnu]")
    )
    assert site.pack(manifest=manifest, SOURCE_DATE_EPOCH="1789000000").code == 0
    bundle = tmp_path / "q4.uvb"
    found = inspected(bundle)
    assert set(found) >= FIELDS
    assert {name: found[name] for name in ("format", "name", "release", "serial", "created", "uv", "platforms")} == {
        "format": "uv-bundler.index.v1", "name": "plant-7", "release": "2026Q4", "serial": 2026112001,
        "created": "2026-09-10T00:26:40Z", "uv": ["0.13.8", "0.12.0"], "platforms": ["linux-x86_64-gnu"],
    }  # fmt: skip
    assert found["verified"] is False
    assert found["stored_size"] == bundle.stat().st_size
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", site.trust], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    assert found["signatures"] == [{"fingerprint": fingerprint}]
    keys = {one["key"]: one for one in found["artifacts"] if one["role"] == "archive"}
    assert sorted(keys) == [
        f"cpython-{version}-linux-x86_64-gnu" for version in ("3.11.9", "3.12.7", "3.13.5")
    ]
    content = site.archives["cpython-3.13.5-linux-x86_64-gnu"].read_bytes()
    assert keys["cpython-3.13.5-linux-x86_64-gnu"]["size"] == len(content)
    assert {one["role"] for one in found["artifacts"]} == {"archive", "uv", "metadata", "lock"}
    assert all({"path", "size", "sha256", "role"} <= set(one) for one in found["artifacts"])


def test_content_that_two_artifacts_share_counts_once(desk):
    content = small_content(3)
    desk.bundle.write_bytes(
        make_bundle(
            archives=[archive(content), archive(small_content(4), platform=OTHER)],
            uv_for=(HOST, OTHER),
            platforms=(HOST, OTHER),
        )
    )
    found = inspected(desk.bundle)
    sizes = {one["sha256"]: one["size"] for one in found["artifacts"]}
    assert len(sizes) == len(found["artifacts"]) - 2  # uv and uvx are the same for both platforms here
    assert found["archives_size"] == sum(sizes.values())
    assert found["stored_size"] == desk.bundle.stat().st_size


def test_stdin_gives_what_the_file_gives(desk):
    with desk.bundle.open("rb") as stdin:
        assert inspected("-", stdin=stdin) == inspected(desk.bundle)


def test_only_the_front_of_the_bundle_is_needed(desk):
    found = inspected(desk.bundle)
    desk.bundle.write_bytes(desk.bundle.read_bytes()[:-1500])
    assert inspected(desk.bundle) == found


def test_it_trusts_nothing_and_says_so(desk):
    data = desk.bundle.read_bytes()
    at = data.index(b"-----BEGIN SSH SIGNATURE-----") + 100
    desk.bundle.write_bytes(data[:at] + b"!" + data[at + 1 :])
    found = inspected(desk.bundle)
    assert found["verified"] is False
    assert found["signatures"][0]["fingerprint"] is None
    assert found["signatures"][0]["fault"]
    done = bundler("inspect", desk.bundle)
    assert "nothing of this was verified" in done.stderr


def test_people_see_the_same(desk):
    done = bundler("inspect", desk.bundle)
    assert done.stdout.splitlines()[:3] == [
        "plant-7 2026Q4, serial 7, packed 2026-11-20T00:00:00Z by uv-bundler test",
        "uv         0.13.8",
        f"platforms  {HOST}",
    ]
    assert f"cpython-3.13.5-{HOST}" in done.stdout


def test_json_can_be_asked_for_by_a_variable(desk):
    assert json.loads(bundler("inspect", desk.bundle, UV_BUNDLER_JSON="1").stdout)["verified"] is False


def test_a_front_that_is_cut_is_refused(desk):
    desk.bundle.write_bytes(desk.bundle.read_bytes()[:900])
    check_refusal(
        bundler("inspect", desk.bundle, "--json"), 5, "ends at byte 900 within bundle.json", "copy the bundle"
    )


def test_trust_documents_are_shown_by_their_numbers_unread(desk):
    chain = tuple(sign_document(b"no document at all", by=[], number=n) for n in (3, 4, 5))
    chain = tuple(replace(one, signatures=(b"no signature",)) for one in chain)
    desk.bundle.write_bytes(make_bundle(chain=chain))
    assert inspected(desk.bundle)["trust"] == [3, 4, 5]
    assert inspected(desk.bundle)["stored_size"] == desk.bundle.stat().st_size
    shown = bundler("inspect", desk.bundle).stdout.splitlines()
    assert "trust      version 3 to 5 comes with it" in shown


def test_a_bundle_without_trust_documents_says_none(desk):
    assert inspected(desk.bundle)["trust"] == []
    assert "trust " not in bundler("inspect", desk.bundle).stdout


def test_verify_tells_which_documents_it_walked_and_who_signed_them(desk):
    ann, bob = Packer(1, "ann"), Packer(2, "bob")
    first = make_document(1, people={"ann": ann})
    second = make_document(2, people={"bob": bob}, by=[ann, bob])
    third = make_document(3, people={"bob": bob})
    desk.bundle.write_bytes(make_bundle(packers=(bob,), chain=(second, third)))
    trust = write_document(desk.folder / "trust.json", first)
    before = tree(desk.folder)
    done = bundler("verify", desk.bundle, "--trust", trust)
    assert (done.code, done.stdout) == (0, "")
    by_ann, by_bob = f"ann with {ann.key.fingerprint}", f"bob with {bob.key.fingerprint}"
    assert done.stderr.splitlines()[:3] == [
        f"uv-bundler: trust document version 2 comes with it, signed by {by_ann}, {by_bob}",
        f"uv-bundler: trust document version 3 comes with it, signed by {by_bob}",
        f"uv-bundler: signed by {by_bob}",
    ]
    assert tree(desk.folder) == before


def test_verify_says_who_is_missing_by_the_newest_document(desk):
    ann, bob = Packer(1, "ann"), Packer(2, "bob")
    first = make_document(1, people={"ann": ann})
    second = make_document(2, people={"ann": ann, "bob": bob}, release=2, by=[ann, bob])
    desk.bundle.write_bytes(make_bundle(packers=(ann,), chain=(second,)))
    done = bundler("verify", desk.bundle, "--trust", write_document(desk.folder / "trust.json", first))
    message = "signed by 1 of 2 people, expected 2 with the role release in trust/2.json (plant-7 version 2)"
    check_refusal(done, 3, f"{desk.bundle}: {message}", "ask bob to sign it")


def test_a_delta_tells_what_it_builds_on_and_how_each_file_travels(desk):
    base = full_box().seal()
    desk.bundle.write_bytes(delta_box(base).seal())
    found = inspected(desk.bundle)
    assert found["requires"] == ["base", "recompressed"]
    digest = sha(index_of(base))
    assert found["base"] == [{"name": "plant-7", "release": "2026Q4", "serial": 7, "index_sha256": digest}]
    assert [one["how"] for one in found["artifacts"]] == ["rebuilt", "held", "stored", "stored", "stored"]
    assert found["stored_size"] == desk.bundle.stat().st_size
    shown = bundler("inspect", desk.bundle).stdout.splitlines()
    assert "requires   base, recompressed" in shown
    assert f"builds on  plant-7 2026Q4 (serial 7), index sha256 {digest}" in shown
    assert [line.split("  (")[1] for line in shown if line.startswith("archive")] == [
        "rebuilt)",
        "the host has it)",
    ]


def test_a_plain_bundle_requires_nothing_and_builds_on_nothing(desk):
    desk.bundle.write_bytes(make_bundle())
    found = inspected(desk.bundle)
    assert (found["requires"], found["base"]) == ([], [])
    assert {one["how"] for one in found["artifacts"]} == {"stored"}
    shown = bundler("inspect", desk.bundle).stdout
    assert "requires" not in shown
    assert "builds on" not in shown


def test_one_volume_says_what_it_belongs_to_and_what_is_missing(tmp_path):
    paths = make_set(small_blocks(), tmp_path / "set", volumes=5, parity=2)
    done = bundler("inspect", paths[2])
    assert done.code == 0, done.stderr
    assert "plant-7 2026Q4, serial 7" in done.stdout
    assert "volumes    5 volumes, here 3, missing 1-2, 4-5; 2 parity volumes, none here\n" in done.stdout
    paths[0].unlink()
    (part,) = json.loads(bundler("inspect", tmp_path / "set", "--json").stdout)["volumes"]
    assert (part["here"], part["missing"]) == ([2, 3, 4, 5], [1])
    assert (part["parity_here"], part["parity_missing"]) == ([1, 2], [])


def test_a_file_with_parity_beside_it_is_no_volume(tmp_path):
    paths = make_set(small_blocks(), tmp_path / "set", volumes=5, parity=1, whole=True)
    assert "volumes    one file, which is here; 1 parity volume, all here\n" in (
        bundler("inspect", tmp_path / "set").stdout
    )
    paths[0].unlink()
    assert "one file, which is missing" in bundler("inspect", tmp_path / "set").stdout
