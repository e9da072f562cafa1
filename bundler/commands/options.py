"""Options that several commands share, each with its `UV_BUNDLER_…` twin."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.core.fault import nearest
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bundler.signing.signer import SigningKey
    from bundler.signing.trust import Trust


def some_path(text: str) -> Path:
    """Return the path that was typed. An empty word would be the folder one is in: raises `UsageFault`."""
    if not text:
        raise UsageFault(
            "an empty word, expected a file or a folder",
            hint="a variable, or a command in $(…), gave nothing: see to that first",
        )
    return Path(text)


# `readable=False` everywhere: whoever opens the file says better why it cannot be read, with the right code.
Bundles = Annotated[
    list[Path],
    typer.Argument(
        metavar="BUNDLE...",
        parser=some_path,
        help="A .uvb file, volumes in any order, folders that hold them, or - for stdin.",
    ),
]
Manifest = Annotated[Path, typer.Argument(metavar="MANIFEST", readable=False, help="The YAML manifest.")]
Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="BUNDLE...",
        parser=some_path,
        help="A .uvb file, volumes in any order, or folders that hold them.",
    ),
]
TrustOption = Annotated[
    Path | None,
    typer.Option(
        "--trust",
        envvar="UV_BUNDLER_TRUST",
        readable=False,
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
        readable=False,
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
        readable=False,
        help="The signing key: a private key file, or the .pub of a key in ssh-agent.",
    ),
]
CacheDir = Annotated[
    Path | None,
    typer.Option(
        "--cache-dir",
        envvar="UV_BUNDLER_CACHE_DIR",
        readable=False,
        help="Where downloads are kept, by digest.",
    ),
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

Shell = Annotated[
    str | None,
    typer.Option(
        "--shell",
        envvar="UV_BUNDLER_SHELL",
        help="Form of the exports: sh, fish, powershell, cmd, systemd, dotenv or uv-toml.",
    ),
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline",
        envvar="UV_BUNDLER_OFFLINE",
        help="Export UV_OFFLINE=1 too, although it stops uv from installing Pythons by itself.",
    ),
]
Reason = Annotated[
    str | None,
    typer.Option("--reason", envvar="UV_BUNDLER_REASON", help="Why, for the audit log."),
]


def one_of(option: str, value: str, *, known: Sequence[str]) -> str:
    """Return `value` where it is known; raises `UsageFault` with the nearest word that is."""
    if value in known:
        return value
    near = nearest(value, known)
    raise UsageFault(
        f"{option}: expected one of {', '.join(known)}, found {value!r}",
        hint=f"did you mean {near!r}?" if near else f"leave {option} out for the default",
    )


def check_verifier(verifier: str) -> None:
    """Raise `UsageFault` for a word that `--verifier` does not know."""
    from bundler.signing.trust import VERIFIERS

    one_of("--verifier", verifier, known=VERIFIERS)


def load_trust_option(path: Path | None) -> Trust:
    """Load what `--trust` names, or this machine's own store."""
    from bundler.signing.trustload import load_trust, trust_path_to_read

    return load_trust(path or trust_path_to_read())


def typed_trust(trust: Path | str | None) -> list[str]:
    """Return the words by which another command trusts the same: none where it does so without being told."""
    if trust is None or os.environ.get("UV_BUNDLER_TRUST") == str(trust):
        return []
    return ["--trust", str(trust)]


def command_line(context: typer.Context) -> str:
    """Return the command as it was typed, for the audit log, after the options that variables gave."""
    said = (
        f"{one.envvar}={shlex.quote(os.environ.get(one.envvar, ''))}"
        for one in context.command.params
        if isinstance(one.envvar, str) and _comes_from(context, one.name) == "ENVIRONMENT"
    )
    return " ".join((*said, shlex.join(["uv-bundler", *sys.argv[1:]])))


def _comes_from(context: typer.Context, parameter: str | None) -> str | None:
    source = context.get_parameter_source(parameter or "")
    return source.name if source else None


def signing_key(path: Path | None) -> SigningKey:
    """Open the key that `--key` names; a passphrase is asked for on a terminal."""
    from bundler.commands.output import ask_secret, is_terminal
    from bundler.signing.signer import open_signing_key

    if path is None:
        raise UsageFault(
            "--key: missing, expected the key to sign with",
            hint="add --key KEY; if you have none yet: uv-bundler keygen packer",
        )
    return open_signing_key(path, ask=ask_secret if is_terminal() else None)
