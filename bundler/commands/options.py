"""Options that several commands share, each with its `UV_BUNDLER_…` twin."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.commands.output import say
from bundler.core.durable import host_faults
from bundler.core.fault import nearest
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bundler.core.index import Index
    from bundler.offline.signedindex import SignedIndex
    from bundler.signing.signer import SigningKey
    from bundler.signing.trust import Trust
    from bundler.volumes.choosing import Judge, Wanted
    from bundler.volumes.opening import Opened

# `readable=False` everywhere: whoever opens the file says better why it cannot be read, with the right code.
Bundles = Annotated[
    list[Path],
    typer.Argument(
        metavar="BUNDLE...",
        readable=False,
        help="A .uvb file, volumes in any order, folders that hold them, or - for stdin.",
    ),
]
Manifest = Annotated[Path, typer.Argument(metavar="MANIFEST", readable=False, help="The YAML manifest.")]
Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="BUNDLE...",
        readable=False,
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


def existing_bundle(path: Path) -> Path:
    """Return `path` where there is something; raises `UsageFault` where there is nothing."""
    with host_faults(path):
        if not path.exists():
            raise UsageFault(
                f"{path}: no such file, expected a bundle", hint="check the path, and `ls` the medium"
            )
    return path


@contextlib.contextmanager
def open_bundle(
    paths: Sequence[Path],
    *,
    trust: Trust | None = None,
    verifier: str = "builtin",
    judge: Judge | None = None,
    wanted: Wanted | None = None,
    quiet: bool = False,
) -> Iterator[Opened]:
    """Open the bundle that `paths` name, whatever form it has; `-` is stdin.

    Where files of several bundles lie there, the newest that `trust`, or else `judge`, accepts is meant,
    or that which is `wanted`. What is wrong with files of a set is said, whether the rest was enough or not;
    with `quiet` other files are not spoken of.
    """
    from bundler.offline.folder import FolderReader
    from bundler.volumes.opening import Opened, opened
    from bundler.volumes.setreader import SetReader

    if is_stdin(paths):
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageFault(
                "stdin: expected a bundle, found a terminal" if sys.stdin else "stdin: is closed",
                hint="name the file, or send it in: … < q4.uvb",
            )
        yield Opened(source=sys.stdin.buffer, name="stdin")
        return
    judge = judging(trust, verifier=verifier) if trust else judge
    named = typed_trust(trust.source) if trust and trust.store is None else []
    with opened(paths, judge=judge, trust=named, wanted=wanted) as bundle:
        for line in () if quiet else bundle.notes:
            say(f"note: {line}")
        try:
            yield bundle
        finally:
            if isinstance(bundle.source, SetReader | FolderReader):
                for line in bundle.source.told():
                    say(f"warning: {line}")


def judging(trust: Trust, *, verifier: str) -> Judge:
    """Return what tells whether somebody trusted signed an index, and parses it then."""
    from bundler.offline.signedindex import verify_index

    def judge(signed: SignedIndex, name: str) -> Index:
        return verify_index(signed, trust=trust, name=name, verifier=verifier).index

    return judge


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


def is_stdin(paths: Sequence[Path]) -> bool:
    """Tell whether `-` was named, and nothing else."""
    return [str(path) for path in paths] == ["-"]


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
