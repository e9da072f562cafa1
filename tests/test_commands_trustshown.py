"""`trust list` and `trust export`: what a store and a document say, to people and to stock ssh-keygen."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from bundles import PACKER, Packer, make_document
from cli import bundler, check_refusal
from threepeople import bundle, installed, ok, people_in, two


@pytest.fixture
def site(tmp_path, monkeypatch):
    return people_in(tmp_path, monkeypatch)


@pytest.mark.parametrize("named", ["store", "store/trust.json", "store/allowed_signers"])
def test_a_store_is_listed_by_any_of_its_names(site, named):
    installed(site)
    listed = ok("trust", "list", "--store", named)
    assert listed.stdout.startswith("trust      plant-7 version 1, sha256 ")
    assert f"signer     {site['ben']}  ben (root, release)\n" in listed.stdout
    assert listed.stderr == ""


def test_an_export_serves_stock_ssh_keygen(site):
    installed(site)
    done = ok("trust", "export", "--allowed-signers", "--store", "store", "-o", "allowed_signers")
    assert done.stdout == ""
    assert (
        done.stderr
        == "uv-bundler: 2 people must sign, and ssh-keygen checks one signature at a time: count them\n"
    )
    assert (
        ok("trust", "export", "--allowed-signers", "--store", "store").stdout
        == Path("allowed_signers").read_text()
    )
    assert (
        ok("trust", "export", "trust.json", "--allowed-signers", "-o", "-").stdout
        == Path("allowed_signers").read_text()
    )
    if not shutil.which("ssh-keygen"):
        pytest.skip("needs ssh-keygen as the outside judge, and it is not on PATH")
    subprocess.run(["tar", "-xf", bundle("anna", "ben")], check=True)
    for person, signature in (("anna", "bundle.json.1.sig"), ("ben", "bundle.json.2.sig")):
        subprocess.run(
            ["ssh-keygen", "-Y", "verify", "-f", "allowed_signers", "-I", person, "-n", "uv-bundler.index.v1", "-s", signature],
            input=Path("bundle.json").read_bytes(), capture_output=True, check=True,
        )  # fmt: skip


@pytest.mark.usefixtures("site")
def test_an_export_says_which_form():
    two()
    check_refusal(
        bundler("trust", "export", "trust.json"), 2, "no form was named, expected --allowed-signers"
    )


@pytest.mark.usefixtures("site")
def test_a_file_that_is_named_comes_before_the_store_of_a_variable():
    two()
    done = ok("trust", "list", "trust.json", UV_BUNDLER_STORE="none")
    assert done.stdout.startswith("trust      plant-7 version 1")


def test_hostile_words_in_a_document_reach_no_terminal(site):
    hostile = "\x1b[2J\u202elost\nall is well"
    signed = make_document(1, people={"packer": PACKER}, revoked={site["ben"]: hostile})
    Path("t.json").write_bytes(signed.raw)
    Path("t.json.sig").write_bytes(signed.signatures[0])
    done = ok("trust", "list", "t.json")
    assert f"revoked    {site['ben']}  \\x1b[2J\\u202elost\\nall is well\n" in done.stdout
    ok("trust", "import", "t.json", "--store", "store", "--expect", PACKER.key.fingerprint)
    done = bundler("verify", bundle("ben"), "--trust", "store")
    assert done.code == 0
    Path("store/trust.json").write_bytes(
        make_document(1, people={"anna": Packer(7)}, revoked={site["ben"]: hostile}).raw
    )
    check_refusal(
        bundler("verify", "q4.uvb", "--trust", "store"),
        3,
        "its key is revoked: \\x1b[2J\\u202elost\\nall is well",
    )
