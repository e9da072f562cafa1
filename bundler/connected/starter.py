"""The starter manifest that `uv-bundler init` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bundler.errors import HostFault, UsageFault

if TYPE_CHECKING:
    from pathlib import Path

STARTER = """\
# A manifest for uv-bundler: what one bundle is to carry to machines without a network.
# Change what you need, then:
#
#   uv-bundler lock THIS-FILE                               resolve it; review the lock, commit both
#   uv-bundler keygen packer                                once: your signing key, packer and packer.pub
#   uv-bundler pack THIS-FILE -o bundle.uvb --key packer    one signed file to carry
#
# Quote versions: YAML takes 3.10 for the number 3.1.

version: 1

# What these bundles are called: a-z, 0-9 and -. A host takes updates only under the name it knows.
name: my-site

# A label for people.
release: "1"

# The uv to carry: an exact version such as "0.13.8", latest, or a list of versions.
uv: latest

# In uv's own syntax: "3.13" (its newest patch), "3.12.7", "3.13t", "pypy3.11", ">=3.11,<3.14".
pythons:
  - "3.13"
  # - {request: "3.12", patches: 2}       # the two newest patches of 3.12

# Where the bundle is meant to run. `host` is a machine like the one that packs.
platforms:
  - host
  # - linux-x86_64-gnu
  # - linux-aarch64-gnu
  # - windows-x86_64-none
  # - macos-aarch64-none

# No way to the public places? Then say where things come from:
# sources:
#   index: https://index.example/simple
#   pythons: https://mirror.example/python-build-standalone/releases/download

# Interpreters of your own, beside `pythons` or in their place:
# builds:
#   - {path: /opt/python/3.11.7}          # an installed one, for this machine's platform
#   - {archive: archives/cpython-3.13.5.tar.gz, version: "3.13.5", platform: linux-x86_64-gnu}
"""


def write_starter(path: Path) -> None:
    """Write a commented manifest that loads as it is to `path`.

    Never overwrites: raises `UsageFault` where something is there already or the folder is missing,
    and `HostFault` where the file cannot be written.
    """
    try:
        stream = path.open("x", encoding="utf-8", newline="\n")
    except FileExistsError:
        raise UsageFault(
            f"{path}: is there already, expected a new file", hint="name another file, or remove this one"
        ) from None
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError) and not path.parent.is_dir()
        if not missing:
            raise _not_written(path, error) from None
        raise UsageFault(
            f"{path}: expected a folder {path.parent} to write it into, found none",
            hint=f"mkdir {path.parent}",
        ) from None
    try:
        with stream:
            stream.write(STARTER)
    except OSError as error:
        path.unlink(missing_ok=True)  # it is ours, and not whole
        raise _not_written(path, error) from None


def _not_written(path: Path, error: OSError) -> HostFault:
    reason = error.strerror or str(error)
    return HostFault(
        f"{path}: cannot be written: {reason}", hint="name a place with room that you may write to"
    )
