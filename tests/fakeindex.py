"""A package index, a mirror of Pythons and a site's own archive, all tiny and in one folder.

With it the whole connected side runs without a network: `Site(folder).run("pack", …)`. The wheels and the
sdist of uv are real in form (RECORD, scripts, the list of Pythons); their programs are a line of text.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from dataclasses import replace
from urllib.parse import unquote

from cli import bundler
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from uvlists import LINUX, WINDOWS, row, write_index

from bundler.core.digest import Digest
from bundler.core.uvnames import PBS_URL

TAGS = ("manylinux_2_17_x86_64.manylinux2014_x86_64", "win_amd64")
OWN_NAME = "cpython-3.11.9-lto-linux.tar.gz"


def interpreter_archive(version: str) -> bytes:
    """Return a `.tar.gz` with an interpreter where uv looks for it: a script that says its version."""
    packed = io.BytesIO()
    minor = version.rpartition(".")[0]
    files = {
        f"python/bin/python{minor}": b"#!/bin/sh\necho Python " + version.encode() + b"\n",
        f"python/include/python{minor}/patchlevel.h": f'#define PY_VERSION "{version}"\n'.encode(),
        "python/lib/library": b"0123456789" * 400,
    }
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


class Site:
    """A folder with `simple/` (index), `mirror/` (Pythons), `own/` (a ready-made archive) and two keys."""

    def __init__(self, folder, *, uv=("0.13.8",), pythons=("3.12.7", "3.13.5")):
        self.folder, self.cache = folder, folder / "cache"
        self.archives = {}
        rows = []
        for version in pythons:
            for platform in (LINUX, WINDOWS):
                content = interpreter_archive(version) + str(platform).encode()
                one = replace(row(version, platform), sha256=Digest.of(content))
                path = folder / "mirror" / unquote(one.url.removeprefix(PBS_URL))
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                self.archives[one.key] = path
                rows.append(one)
        self.index = write_index(folder, dict.fromkeys(uv, rows), tags=TAGS)
        self.mirror = (folder / "mirror").as_uri()
        self.own = folder / "own" / OWN_NAME
        self.own.parent.mkdir()
        self.own.write_bytes(interpreter_archive("3.11.9"))
        self.key, self.second_key = self._key("packer", 1), self._key("second", 2)

    def _key(self, name, seed):
        key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        path = self.folder / name
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        path.chmod(0o600)
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        path.with_suffix(".pub").write_bytes(public + f" {name}@site\n".encode())
        return path

    @property
    def trust(self):
        """The public half of `key`."""
        return self.key.with_suffix(".pub")

    def manifest(
        self, *, name="plant-7", uv='"0.13.8"', pythons='["3.13"]', platforms="[linux-x86_64-gnu]", more=""
    ):
        """Write `plant.yaml`, with the index and the mirror as its sources; return its path."""
        path = self.folder / "plant.yaml"
        path.write_text(
            f"version: 1\nname: {name}\nrelease: 2026Q4\nuv: {uv}\npythons: {pythons}\nplatforms: {platforms}\n"
            f"sources: {{index: {self.index}, pythons: {self.mirror}}}\n{more}"
        )
        return path

    @property
    def build(self):
        """The manifest's lines for the ready-made archive."""
        return f'builds:\n  - {{archive: own/{OWN_NAME}, version: "3.11.9", platform: linux-x86_64-gnu}}\n'

    def run(self, *words, **env):
        """Run a command in this process, with the cache in this folder."""
        return bundler(*words, **{"UV_BUNDLER_CACHE_DIR": str(self.cache), **env})

    def pack(self, *words, manifest=None, output=None, **env):
        """Pack with `key` into `q4.uvb`."""
        target = output or self.folder / "q4.uvb"
        return self.run("pack", manifest or self.manifest(), "-o", target, "--key", self.key, *words, **env)
