"""README.md kept true: its commands are run in their order, and say what it shows.

Fences marked `<!-- run: ROLE -->` are run as they stand, with the replacements of `SITE`; `<!-- file: NAME -->`
marks a file that they need. What a `text` fence after one shows must be in its output, numbers aside. The package
index and the mirror are local folders, with the real uv and an own build of the Python that runs the tests.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ownbuild_fixture import host_build
from readmetext import FENCES, ROOT
from uvlists import sdist_of

from bundler.core.digest import Digest
from bundler.core.platforms import host_platform
from bundler.core.uvnames import PBS_URL, mirror_path
from bundler.offline.isolation import without_network

_PRINT = re.compile(r"^SHA256:\S{43}$", re.MULTILINE)
OFFLINE_ROLES = ("admin", "user", "stock")
UV = "0.13.8"


def uv_wheel(uv):
    """Return the name and the path-to-bytes of a wheel with the real programs, as uv's own wheels have them."""
    files = {
        f"uv-{UV}.data/scripts/{name}": (Path(uv).with_name(name)).read_bytes() for name in ("uv", "uvx")
    }
    record = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')},{len(data)}"
        for path, data in files.items()
    ]
    return {**files, f"uv-{UV}.dist-info/RECORD": "\n".join(record).encode()}


def write_index(folder, uv, row):
    project = folder / "uv"
    project.mkdir(parents=True)
    libc = "musllinux_1_1" if host_platform().libc == "musl" else "manylinux_2_17"
    wheel = project / f"uv-{UV}-py3-none-{libc}_{host_platform().family}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in uv_wheel(uv).items():
            archive.writestr(path, data)
    (project / f"uv-{UV}.tar.gz").write_bytes(sdist_of(UV, [row]))
    links = [
        f'<a href="{file.name}#sha256={Digest.of(file.read_bytes())}">x</a>'
        for file in sorted(project.iterdir())
    ]
    (project / "index.html").write_text("\n".join(links))


def upstream_row(own):
    """Return the row of an own build as if it came from upstream."""
    name = f"cpython-{own.row.version_text}%2B20261110-{host_platform()}-install_only.tar.gz"
    return dataclasses.replace(own.row, url=f"{PBS_URL}20261110/{name}", build="20261110")


class Site:
    """A machine with a network, a medium and a host, as folders; runs blocks of the README in them."""

    def __init__(self, folder, own):
        self.folder = folder
        minor = ".".join(map(str, own.row.version[:2]))
        self.replacements = {
            '"3.13"': f'"{minor}"',
            "-p 3.13": f"-p {minor}",
            "install 3.13": f"install {minor}",
            "linux-x86_64-gnu": str(host_platform()),
            "/media/usb": f"{folder}/usb",
            "/etc/": f"{folder}/etc/",
            "/srv/": f"{folder}/srv/",
            "/var/spool/": f"{folder}/var/spool/",
        }
        self.env = {
            "PATH": f"{folder}/programs:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "UV_BUNDLER_INDEX": (folder / "simple").as_uri(),
            "UV_BUNDLER_PYTHON_MIRROR": (folder / "mirror").as_uri(),
            "UV_BUNDLER_CACHE_DIR": f"{folder}/cache",
            "UV_BUNDLER_PREFIX": f"{folder}/opt/uv-bundler",
            "UV_BUNDLER_LEVEL": "fast",
            "UV_BUNDLER_POLL": "0.1",
            "UV_BUNDLER_STORE": f"{folder}/etc/uv-bundler/allowed_signers",
            "UV_BUNDLER_TRUST": f"{folder}/etc/uv-bundler",
        }

    def adapt(self, text):
        for old, new in self.replacements.items():
            text = text.replace(old, new)
        return text

    def run(self, role, script):
        """Run a block as `role`; what `keygen` prints is what everybody is told by telephone from then on."""
        isolated = without_network() if role in OFFLINE_ROLES else ()
        done = subprocess.run(
            [*isolated, "sh", "-ec", self.adapt(script)],
            cwd=self.folder / role,
            env={**self.env, "HOME": f"{self.folder}/{role}"},
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        made = zip(re.findall(r"keygen (\S+)", script), _PRINT.findall(done.stdout), strict=False)
        for name, fingerprint in made:
            self.env["FINGERPRINT"] = self.env[name.upper().replace("-", "_")] = fingerprint
        return done


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if sys.platform != "linux":
        pytest.skip("needs Linux: namespaces, and an own build of an installed prefix")
    if not without_network():
        pytest.skip("needs a network namespace (unshare -n), which this machine does not allow")
    if os.geteuid():
        pytest.skip(
            "needs root: in a user's own namespace root's folders are nobody's, and trust import refuses"
        )
    if missing := [name for name in ("ssh-keygen", "zstd") if not shutil.which(name)]:
        pytest.skip(f"needs {' and '.join(missing)}")
    from uv import find_uv_bin

    folder, own = tmp_path_factory.mktemp("readme"), host_build()
    for name in (
        "packer",
        "second",
        "desk",
        "admin",
        "user",
        "stock",
        "usb",
        "etc/uv-bundler",
        "etc/profile.d",
        "srv/diode/drop",
        "programs",
    ):
        (folder / name).mkdir(parents=True)
    (folder / "srv/diode/in").symlink_to("drop")  # a diode that loses nothing and takes no time
    row = upstream_row(own)
    mirrored = folder / mirror_path(row.url)
    mirrored.parent.mkdir(parents=True)
    shutil.copyfile(own.path, mirrored)
    write_index(folder / "simple", find_uv_bin(), row)
    command = folder / "programs" / "uv-bundler"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bundler "$@"\n')
    command.chmod(0o755)
    place = Site(folder, own)
    for marker, name, _, text in FENCES:
        if marker == "file":
            (folder / "packer" / name).write_text(place.adapt(text))
    return place


def shape(line):
    """Return a line without what differs from run to run: numbers, units, digests, places, people, spacing."""
    line = re.sub(r"SHA256:\S+", "SHA256:X", line)
    line = re.sub(r"  \S+(, by \S+)?, on \S+$", "  WHO", line)
    line = re.sub(r"\b[0-9a-f]{16,64}\b", "X", line)
    line = re.sub(
        r"(\S*(/media/usb|/opt/uv-bundler|/usb|/etc|/srv/diode|/var/spool|/packer|/second|/admin|/user)|~)(?=[/:\s]|$)",
        "P",
        line,
    )
    line = re.sub(r"\b\d[\d.]*( min \d+)? (B|KiB|MiB|GiB|s|ms)\b|\b\d[\d.]*(ms|s|MiB)\b", "N", line)
    return re.sub(r"\s+", " ", re.sub(r"\d[\d.]*", "9", line)).strip()


def test_the_commands_of_the_readme_work_in_their_order_and_say_what_it_shows(site):
    ran, said, missing = 0, "", []
    for marker, role, kind, text in FENCES:
        if marker == "run":
            done = site.run(role, text)
            said = done.stdout
            assert done.returncode == 0, f"{role}: {text}\nended with {done.returncode}:\n{said}"
            ran += 1
        elif kind == "text" and ran:
            shapes = {shape(line) for line in said.splitlines()}
            missing += [
                line
                for line in text.splitlines()
                if line.strip() not in ("", "…") and shape(line) not in shapes
            ]
            if missing:
                pytest.fail("the README shows\n" + "\n".join(missing) + "\nbut what came was\n" + said)
    assert ran >= 8
