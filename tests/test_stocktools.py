"""A bundle checked and opened with none of our code: FORMAT.md §1's recipe and script, as they stand there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from bundles import PACKER, archive, make_bundle, make_document, small_content
from conftest import SHARED

from bundler.core.platforms import Platform, host_platform
from bundler.offline.isolation import without_network
from bundler.signing.keygen import generate
from bundler.signing.signer import open_signing_key
from bundler.signing.trust import NAMESPACE
from bundler.signing.trustdoc import TRUST_FORMAT

FORMAT = (Path(__file__).parents[1] / "bundler" / "FORMAT.md").read_text(encoding="utf-8")
SECTION = FORMAT.split("\n## 1. Container\n", 1)[1].split("\n## 2.", 1)[0]
BLOCKS = [
    re.sub(r"^ {4}", "", block, flags=re.MULTILINE)
    for block in re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", SECTION, re.MULTILINE)
]
RECIPE = next(block for block in BLOCKS if "tar -xf" in block)
SCRIPT = next(block for block in BLOCKS if "openssl" in block)
REAL = SHARED / "archives" / "cpython-3.11.2-x86_64-linux-install_only_stripped.tar.gz"


def needs(*programs):
    if missing := [one for one in programs if not shutil.which(one)]:
        pytest.skip(f"needs {', '.join(missing)} on PATH")


def sh(script, folder, *, shell="sh"):
    return subprocess.run(
        [*without_network(), shell, "-ec", script], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def desk(tmp_path):
    """A folder with the packer's line, and a function that puts a bundle into it."""
    needs("tar", "ssh-keygen", "sha256sum", "grep")
    (tmp_path / "allowed_signers").write_text(PACKER.line + "\n")

    def place(data):
        (tmp_path / "q4.uvb").write_bytes(data)
        return tmp_path

    return place


@pytest.fixture(scope="module")
def bundle():
    return make_bundle(archives=[archive(small_content()), archive(b"text " * 4000, version=(3, 12, 1))])


def test_the_recipe_checks_a_bundle(desk, bundle):
    done = sh(RECIPE, desk(bundle))
    assert done.returncode == 0, done.stderr
    good, pinned, *files = done.stdout.splitlines()
    assert good == f'Good "{NAMESPACE}" signature for packer@site with ED25519 key {PACKER.key.fingerprint}'
    assert re.search(r'"[0-9a-f]{64}"', pinned)
    sums = [line for line in files if line.startswith("payload/")]
    assert len(sums) == 5
    assert all(line.endswith(": OK") for line in sums)


def test_the_recipe_checks_a_bundle_that_carries_trust_documents(desk):
    folder = desk(make_bundle(chain=(make_document(2), make_document(3))))
    done = sh(RECIPE, folder)
    assert done.returncode == 0, done.stderr
    assert sorted(one.name for one in (folder / "trust").iterdir()) == [
        "2.json", "2.json.sig", "3.json", "3.json.sig",
    ]  # fmt: skip


def test_ssh_keygen_checks_a_trust_document_that_a_bundle_carries(desk):
    folder = desk(make_bundle(chain=(make_document(2),)))
    (folder / "root_signers").write_text(PACKER.line.replace(NAMESPACE, TRUST_FORMAT) + "\n")
    script = (
        "tar -xf q4.uvb; ssh-keygen -Y verify -f root_signers -I packer@site "
        f"-n {TRUST_FORMAT} -s trust/2.json.sig < trust/2.json"
    )
    done = sh(script, folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f'Good "{TRUST_FORMAT}" signature for packer@site with ED25519 key ')


def test_compressed_members_open_with_zstd_to_the_digest_in_the_index(desk, bundle):
    needs("zstd")
    folder = desk(bundle)
    script = "set -- payload/mirror/*/*3.12.1*.zst; grep -c $(zstd -qdc \"$1\" | sha256sum | cut -d' ' -f1) bundle.json"
    done = sh(RECIPE + script, folder)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) >= 1


@pytest.mark.parametrize("region", ["bundle.json", "bundle.json.sig", "SHA256SUMS", "payload/"])
def test_the_recipe_fails_on_a_flipped_bit_in(desk, bundle, region):
    needs("tar")
    at = _member(bundle, region)
    folder = desk(bundle[:at] + bytes([bundle[at] ^ 1]) + bundle[at + 1 :])
    assert sh(RECIPE, folder).returncode != 0


def _member(bundle, name):
    """Return the offset of a byte in the middle of the first member whose name begins with `name`."""
    at = 0
    while True:
        found, size = bundle[at : at + 100].rstrip(b"\0").decode(), int(bundle[at + 124 : at + 135], 8)
        if found == name or (name.endswith("/") and found.startswith(name)):
            return at + 512 + size // 2
        at += 512 + size + -size % 512


def test_the_recipe_fails_for_a_stranger_s_key(desk, bundle):
    folder = desk(bundle)
    (folder / "allowed_signers").write_text(PACKER.line.replace("packer@site", "someone@else") + "\n")
    assert sh(RECIPE, folder).returncode != 0


def test_a_real_archive_runs_after_tar_alone(desk):
    if not REAL.exists():
        pytest.skip("needs the interpreter archives in shared/archives, which are not here")
    if host_platform() != Platform.parse("linux-x86_64-gnu"):
        pytest.skip("needs linux-x86_64-gnu, for which the archive is")
    folder = desk(make_bundle(archives=[archive(REAL.read_bytes(), version=(3, 11, 2))]))
    opened = "\nmkdir here; tar -xzf payload/mirror/*/cpython-*.tar.gz -C here; here/python/bin/python3 -VV\n"
    done = sh(RECIPE + opened, folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("Python 3.11.2 ")


# --- the script for hosts whose ssh-keygen is too old ---------------------------------------------------------


@pytest.fixture
def signed(tmp_path):
    """An index signed by a P-256 key: `packer.pub`, `bundle.json`, `bundle.json.sig`, `verify-openssl.sh`."""
    needs("bash", "openssl", "od", "base64", "sha512sum")
    generate(tmp_path / "packer", comment="packer@site")
    raw = b'{"format": "uv-bundler.index.v1"}\n'
    key = open_signing_key(tmp_path / "packer", ask=None)
    (tmp_path / "bundle.json").write_bytes(raw)
    (tmp_path / "bundle.json.sig").write_bytes(key.sign(raw, namespace=NAMESPACE))
    (tmp_path / "git.sig").write_bytes(key.sign(raw, namespace="git"))
    (tmp_path / "verify-openssl.sh").write_text(SCRIPT)
    return tmp_path


def openssl(folder, *, key="packer.pub", signature="bundle.json.sig"):
    return sh(f"bash verify-openssl.sh {key} {signature} < bundle.json", folder)


def test_the_script_is_short_enough_to_be_read_before_it_is_run():
    assert len(SCRIPT.splitlines()) <= 25


def test_the_script_verifies_with_openssl_alone(signed):
    for _ in range(4):  # r and s are of different lengths from one signature to the next
        key = open_signing_key(signed / "packer", ask=None)
        (signed / "bundle.json.sig").write_bytes(
            key.sign((signed / "bundle.json").read_bytes(), namespace=NAMESPACE)
        )
        done = openssl(signed)
        assert (done.returncode, done.stdout) == (0, "Verified OK\n"), done.stderr


def test_the_script_refuses_other_content(signed):
    (signed / "bundle.json").write_bytes(b"{}\n")
    done = openssl(signed)
    assert done.returncode != 0
    assert "Verified OK" not in done.stdout


def test_the_script_refuses_another_key_and_another_namespace(signed):
    generate(signed / "other", comment="other")
    for arguments in ({"key": "other.pub"}, {"signature": "git.sig"}):
        done = openssl(signed, **arguments)
        assert done.returncode != 0
        assert done.stderr == "not by this key, or for something else\n"
