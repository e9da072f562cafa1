"""Manifests, locks, indexes, mirrors and keys that do not fit: each refused in one line, with no bundle left."""

import socket
import subprocess

import pytest
from bundles import tree
from cli import check_refusal, process
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from fakeindex import Site


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def outcome(site):
    """Return what a refused command must not have left: bundles, locks and half-written files."""
    own = ("cache", "plant.yaml")
    return {path: facts for path, facts in tree(site.folder).items() if not path.startswith(own)}


@pytest.fixture(autouse=True)
def _nothing_is_left(site):
    before = outcome(site)
    yield
    assert outcome(site) == before


HEAD = "version: 1\nname: plant-7\nrelease: Q4\n"
MANIFESTS = {
    "empty": ("", "plant.yaml:1:1: expected a mapping, found nothing", "uv-bundler init"),
    "no mapping": ("- a\n", "plant.yaml:1:1: expected a mapping, found a list", ""),
    "no YAML": ("version: [1\n", "plant.yaml:2:1: ", ""),
    "not UTF-8": (b"version: \xff\n", "plant.yaml:1:10: expected UTF-8, found byte 0xff", "save the file as UTF-8"),
    "an unknown key": (f"{HEAD}pythonz: []\n", "plant.yaml:4:1: pythonz: unknown key", "did you mean 'pythons'?"),
    "a key twice": (f"{HEAD}name: x\n", "plant.yaml:4:1: ", ""),
    "an unquoted version": (f'{HEAD}uv: "0.13.8"\npythons: [3.10]\nplatforms: [host]\n', 'plant.yaml:5:11: pythons[0]: expected a string, found the number 3.10 (quote it: "3.10")', ""),
    "a name that does not fit": (f'{HEAD.replace("plant-7", "Plant 7")}uv: "0.13.8"\npythons: ["3.13"]\nplatforms: [host]\n', "plant.yaml:2:7: name: ", ""),
    "an unknown platform": (f'{HEAD}uv: "0.13.8"\npythons: ["3.13"]\nplatforms: [linux-x86-64-gnu]\n', "plant.yaml:6:13: platforms[0]: ", "linux-x86_64-gnu"),
    "an alias": ("version: &a 1\nname: *a\n", "plant.yaml:", ""),
    "hostile text": (f'{HEAD}"\\e[2J\\u202e": 1\n', r"\x1b[2J\u202e: unknown key", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", MANIFESTS)
@pytest.mark.parametrize("command", ["lock", "pack"])
def test_a_manifest_that_does_not_fit_is_refused_with_its_place(site, case, command):
    text, message, hint = MANIFESTS[case]
    path = site.folder / "plant.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = site.run(command, path) if command == "lock" else site.pack(manifest=path)
    check_refusal(done, 2, message, hint)


UNRESOLVED = {  # what the manifest asks for : the message and the next step
    "an unknown uv": ({"uv": '"0.13.99"'}, "uv 0.13.99: the index has no such version", "it has 0.13.8"),
    "a uv that reads no list": ({"uv": '"0.4.0"'}, "uv 0.4.0: ", "0.13.8"),
    "an unknown Python": ({"pythons": '["3.14"]'}, "uv 0.13.8 knows no such Python for linux-x86_64-gnu", "3.13, 3.12"),
    "an unknown patch": ({"pythons": '["3.13.99"]'}, "pythons[0]: 3.13.99: uv 0.13.8 knows no such Python", "3.13.5"),
    "no build for a platform": ({"platforms": "[linux-x86_64-gnu, linux-s390x-gnu]"}, "linux-s390x-gnu", ""),
    "an archive that is not there": ({"pythons": "[]", "more": 'builds:\n  - {archive: none.tar.gz, version: "3.11.9", platform: host}\n'}, "none.tar.gz: no such file", "relative to the manifest"),
    "an archive with another version": ({"pythons": "[]", "more": 'builds:\n  - {archive: own/cpython-3.11.9-lto-linux.tar.gz, version: "3.11.8", platform: linux-x86_64-gnu}\n'}, "holds Python 3.11.9, expected 3.11.8", "correct `version`"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNRESOLVED)
@pytest.mark.parametrize("command", ["lock", "pack", "dry-run"])
def test_a_wish_that_nothing_fulfils_is_refused(site, case, command):
    changes, message, hint = UNRESOLVED[case]
    manifest = site.manifest(**changes)
    done = {
        "lock": lambda: site.run("lock", manifest),
        "pack": lambda: site.pack(manifest=manifest),
        "dry-run": lambda: site.run("pack", manifest, "-o", "-", "--dry-run"),
    }[command]()
    check_refusal(done, 2, message, hint)


@pytest.fixture
def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_an_index_that_is_down_is_told(site, closed_port):
    done = site.run(
        "lock", site.manifest(), "--index", f"http://person:secret@127.0.0.1:{closed_port}/simple"
    )
    check_refusal(done, 7, f"http://127.0.0.1:{closed_port}/simple/uv/: ", "")
    assert "refused" in done.stderr
    assert "secret" not in done.stderr


def test_a_folder_that_is_no_index_is_told(site):
    done = site.run("lock", site.manifest(), "--index", (site.folder / "own").as_uri())
    check_refusal(done, 7, f"{(site.folder / 'own').as_uri()}: has no files of uv", "/simple")
    done = site.run("lock", site.manifest(), "--index", (site.folder / "none").as_uri())
    check_refusal(done, 7, f"{site.folder / 'none'}: no such folder, expected a package index", "")


def test_an_index_that_is_no_address_is_a_usage_fault(site):
    check_refusal(
        site.run("lock", site.manifest(), "--index", "gopher://x"),
        2,
        "--index: expected the http://",
        "/simple",
    )


def test_a_wheel_with_another_digest_is_told_and_not_packed(site):
    wheel = next((site.folder / "simple" / "uv").glob("*manylinux*.whl"))
    done = pack_with_changed(wheel, site)
    check_refusal(done, 7, "uv-0.13.8-py3-none-manylinux", "--python-mirror")
    assert "sha256" in done.stderr.splitlines()[-2]


def pack_with_changed(path, site):
    """Flip a bit of a file, pack, flip it back, and put the lock away."""
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    done = site.pack()
    path.write_bytes(data)
    (site.folder / "plant.lock").unlink()
    return done


def test_an_archive_with_another_digest_is_told_and_neither_cached_nor_packed(site):
    done = pack_with_changed(site.archives["cpython-3.13.5-linux-x86_64-gnu"], site)
    check_refusal(done, 7, "cpython-3.13.5-linux-x86_64-gnu: ", "--python-mirror")
    assert "sha256" in done.stderr.splitlines()[-2]
    cached = [one.name for one in (site.cache / "sha256").rglob("*") if one.is_file()]
    assert len(cached) == 2  # the sdist and the wheel


def test_an_archive_that_the_mirror_does_not_have_is_told(site):
    archive = site.archives["cpython-3.13.5-linux-x86_64-gnu"]
    archive.rename(site.folder / "away")
    check_refusal(site.pack(), 7, "cpython-3.13.5-linux-x86_64-gnu: ", "--python-mirror")
    (site.folder / "away").rename(archive)
    (site.folder / "plant.lock").unlink()


def test_there_is_no_lock_to_check(site):
    check_refusal(
        site.run("lock", site.manifest(), "--check"), 2, "plant.lock: no such lock", "uv-bundler lock"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "line 1 column 1"), (b"{}", "missing, but required"), (b"[1]", "expected a mapping")],
)
def test_a_lock_that_does_not_fit_is_told(site, content, message):
    lock = site.folder / "plant.lock"
    for words in (("lock",), ("lock", "--check"), ("pack", "-o", "q4.uvb", "--key", site.key)):
        lock.write_bytes(content)
        done = site.run(*words, site.manifest())
        assert lock.read_bytes() == content
        lock.unlink()
        check_refusal(done, 2, "plant.lock: ", "writes it anew")
        assert message in done.stderr


KEYS = {
    "no such file": (None, "no such key"),
    "nothing": (b"", "expected an OpenSSH or PEM key"),
    "no key": (b"hello\n", "expected an OpenSSH or PEM key"),
    "a damaged key": (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", ""),
}


@pytest.mark.parametrize("case", KEYS)
@pytest.mark.parametrize("command", ["pack", "sign"])
def test_a_key_that_cannot_sign_is_refused_before_anything_is_fetched(site, case, command):
    content, message = KEYS[case]
    key, bundle = site.folder / "cache-key", site.folder / "cache.uvb"
    if content is not None:
        key.write_bytes(content)
        key.chmod(0o600)
    site.manifest()
    if command == "sign":
        bundle.write_bytes(b"")
        check_refusal(site.run("sign", bundle, "--key", key), 2, message)
    else:
        check_refusal(site.run("pack", site.folder / "plant.yaml", "-o", bundle, "--key", key), 2, message)
        assert not site.cache.exists()


def test_an_encrypted_key_without_a_terminal_says_where_to_put_it(site):
    key = site.folder / "cache-key"
    key.write_bytes(
        generate_private_key(SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.OpenSSH, BestAvailableEncryption(b"secret")
        )
    )
    key.chmod(0o600)
    done = process(
        "pack", site.manifest(), "-o", site.folder / "q4.uvb", "--key", key, stdin=subprocess.DEVNULL,
        env={"UV_BUNDLER_CACHE_DIR": site.cache, "SSH_AUTH_SOCK": ""},
    )  # fmt: skip
    check_refusal(done, 2, "needs a passphrase, and there is no terminal to ask on", "ssh-agent")


def test_no_key_says_how_to_make_one(site):
    done = site.run("pack", site.manifest(), "-o", site.folder / "q4.uvb")
    check_refusal(done, 2, "--key: missing, expected the key to sign with", "uv-bundler keygen")


def test_an_output_that_cannot_be_is_refused_before_anything_is_fetched(site):
    check_refusal(
        site.pack(output=site.folder / "new out" / "q4.uvb"),
        2,
        "out: no such folder, expected one for the bundle",
        f"mkdir -p '{site.folder / 'new out'}'",
    )
    assert not site.cache.exists()


def test_source_date_epoch_must_be_a_number(site):
    done = site.pack(SOURCE_DATE_EPOCH="yesterday")
    (site.folder / "plant.lock").unlink(missing_ok=True)
    check_refusal(done, 2, "SOURCE_DATE_EPOCH: expected seconds since 1970, found 'yesterday'", "unset it")


@pytest.mark.parametrize("command", ["init", "keygen"])
def test_nothing_is_overwritten(site, command):
    (site.folder / "cache-file").write_text("precious")
    done = site.run(command, site.folder / "cache-file")
    check_refusal(done, 2, "cache-file: ", "another")
    assert (site.folder / "cache-file").read_text() == "precious"
