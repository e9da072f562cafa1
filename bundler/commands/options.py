"""Options that several commands share, each with its `UV_BUNDLER_…` twin."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from bundler.core.durable import host_faults
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bundler.signing.trust import Trust

Bundle = Annotated[Path, typer.Argument(help="A .uvb file, a folder that holds one, or - for stdin.")]
Bundles = Annotated[
    list[Path], typer.Argument(metavar="BUNDLE", help="A .uvb file, a folder that holds one, or - for stdin.")
]
Manifest = Annotated[Path, typer.Argument(help="The YAML manifest.")]
TrustOption = Annotated[
    Path | None,
    typer.Option(
        "--trust",
        envvar="UV_BUNDLER_TRUST",
        help="Who may sign: a public key file, an allowed_signers file, or a trust store. "
        "Default: this machine's own store (`uv-bundler trust import`).",
    ),
]
Verifier = Annotated[
    str,
    typer.Option(
        "--verifier",
        envvar="UV_BUNDLER_VERIFIER",
        help="What checks signatures: builtin, ssh-keygen (the system's), or both.",
    ),
]
PrefixOption = Annotated[
    Path | None,
    typer.Option(
        "--prefix",
        envvar="UV_BUNDLER_PREFIX",
        help="Where bundles are unpacked. Default: /opt/uv-bundler for root, else your data folder.",
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", envvar="UV_BUNDLER_QUIET", help="Say nothing unless something is wrong."),
]
KeyOption = Annotated[
    Path,
    typer.Option(
        "--key",
        envvar="UV_BUNDLER_KEY",
        help="The signing key: a private key file, or the .pub of a key in ssh-agent.",
    ),
]
CacheDir = Annotated[
    Path | None,
    typer.Option("--cache-dir", envvar="UV_BUNDLER_CACHE_DIR", help="Where downloads are kept, by digest."),
]
IndexOption = Annotated[
    str | None,
    typer.Option(
        "--index", envvar="UV_BUNDLER_INDEX", help="The package index: https://…/simple or file://…"
    ),
]
MirrorOption = Annotated[
    str | None,
    typer.Option(
        "--python-mirror",
        envvar="UV_BUNDLER_PYTHON_MIRROR",
        help="Where archives come from: a mirror of python-build-standalone's releases, https:// or file://.",
    ),
]


def find_bundle(path: Path) -> Path:
    """Return the one bundle that `path` names: itself, or the only .uvb in that folder."""
    if str(path) == "-" or not path.is_dir():
        return path
    found = sorted(one for one in path.glob("*.uvb") if not one.name.startswith("._"))
    if len(found) != 1:
        raise UsageFault(
            f"{path}: expected one .uvb file in this folder, found {len(found)}",
            hint=f"name one of them: {', '.join(one.name for one in found)}"
            if found
            else "name the bundle itself",
        )
    return found[0]


@contextlib.contextmanager
def open_bundle(path: Path) -> Iterator[BinaryIO]:
    """Open a bundle for reading, once; `-` is stdin."""
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    with host_faults(path):
        if not path.exists():
            raise UsageFault(
                f"{path}: no such file, expected a bundle", hint="check the path, and `ls` the medium"
            )
        stream = path.open("rb", buffering=0)
    with stream:
        yield stream


def bundle_name(path: Path) -> str:
    """Return what messages call the bundle."""
    return "stdin" if str(path) == "-" else str(path)


def load_trust_option(path: Path | None) -> Trust:
    """Load what `--trust` names, or this machine's own store."""
    from bundler.signing.trust import default_trust_path, load_trust

    return load_trust(path or default_trust_path())
