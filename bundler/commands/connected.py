"""Commands for the machine with a network: init, keygen, sign, rehearse, demo; and those of `packing`.

They say on stderr what they did; stdout has the path or the fingerprint that a script would want.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bundler.commands.bundles import check_exists, open_bundle
from bundler.commands.options import (
    Bundles,
    CacheDir,
    IndexOption,
    KeyOption,
    MirrorOption,
    Quiet,
    TrustOption,
    load_trust_option,
    one_of,
    signing_key,
    some_path,
)
from bundler.commands.output import ask_secret, emit, is_terminal, say
from bundler.commands.packing import lock, pack
from bundler.commands.watch import watch
from bundler.errors import UsageFault


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    for command in (init, keygen, lock, pack, sign, rehearse, demo):
        app.command()(command)


def init(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", readable=False, help="The manifest to write.")
    ] = Path("bundle.yaml"),
) -> None:
    """Write a starter manifest, commented. Overwrites nothing.

    Example: uv-bundler init plant-7.yaml
    """
    from bundler.connected.starter import write_starter

    write_starter(path)
    say(f"{path}: edit it, then run: uv-bundler lock {path}")
    emit(f"{path}\n")


def keygen(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            readable=False,
            help="The private key to write; the public one goes to PATH.pub.",
        ),
    ],
    *,
    kind: Annotated[
        str, typer.Option("--type", envvar="UV_BUNDLER_KEY_TYPE", help="ecdsa-p256 or ed25519.")
    ] = "ecdsa-p256",
    comment: Annotated[
        str,
        typer.Option("--comment", envvar="UV_BUNDLER_KEY_COMMENT", help="Who signs, such as packer@site."),
    ] = "",
    passphrase: Annotated[
        bool,
        typer.Option(
            "--passphrase", envvar="UV_BUNDLER_ASK_PASSPHRASE", help="Ask for a passphrase on the terminal."
        ),
    ] = False,
) -> None:
    """Make a signing key, and print its fingerprint: the one that other people compare.

    Example: uv-bundler keygen packer --comment packer@plant-7
    """
    from bundler.signing.keygen import KINDS, generate

    one_of("--type", kind, known=KINDS)
    secret = _new_passphrase() if passphrase else None
    public = generate(path, kind=kind, comment=comment, passphrase=secret)
    say(f"{path}: keep it here; give {path}.pub to the machines that unpack")
    say("tell their administrators the fingerprint by another road, such as a phone call")
    emit(f"{public.fingerprint}\n")


def _new_passphrase() -> bytes:
    if not is_terminal():
        raise UsageFault("--passphrase: there is no terminal to ask on", hint="run it on a terminal")
    first = ask_secret("new passphrase")
    if ask_secret("the same again") != first:
        raise UsageFault("the two passphrases differ, expected the same twice", hint="run it again")
    return first.encode()


def sign(
    bundle: Annotated[
        list[Path],
        typer.Argument(
            metavar="BUNDLE...",
            parser=some_path,
            help="The bundle to sign: a file, or its volumes, or a folder.",
        ),
    ],
    *,
    key: KeyOption,
    quiet: Quiet = False,
) -> None:
    """Add a signature to a bundle. Index and payload stay as they are; every byte is checked on the way.

    \b
    Examples:
      uv-bundler sign q4.uvb --key second-person
      uv-bundler sign out/ --key second-person
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.connected.signset import sign_files
    from bundler.core.text import counted

    if any(str(one) == "-" for one in bundle):
        raise UsageFault(
            "stdin: expected a file to sign, which is written anew", hint="name the bundle's file"
        )
    for one in bundle:
        check_exists(one)
    signer = signing_key(key)
    with watch(quiet=quiet) as progress:
        signed = sign_files(bundle, signer, progress=progress)
    if not quiet:
        first, *more = signed.files
        name = f"{first} and {counted(len(more), 'file')} more" if more else str(first)
        say(f"{name}: signed by {signer.public.fingerprint}, {signed.signatures} signatures now")


def rehearse(
    bundle: Bundles,
    *,
    trust: TrustOption = None,
    since: Annotated[
        list[Path] | None,
        typer.Option(
            "--since",
            envvar="UV_BUNDLER_SINCE",
            readable=False,
            help="A bundle that this one builds on, unpacked there first. May be repeated, the oldest first.",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Try the bundle in a scratch prefix without a network, with the uv that it carries.

    \b
    Examples:
      uv-bundler rehearse q4.uvb --trust packer.pub
      uv-bundler rehearse delta.uvb --trust packer.pub --since q3.uvb
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.connected.rehearse import rehearse as run

    rules = load_trust_option(trust)
    with open_bundle(bundle, trust=rules, quiet=quiet) as opened, watch(quiet=quiet) as progress:
        for step in run(opened.source, name=opened.name, trust=rules, progress=progress, since=since or ()):
            if not quiet:
                progress.note(f"{step.what}: {step.result}")
    if not quiet:
        say(f"{opened.name}: works as it should")


def demo(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER",
            readable=False,
            help="Where to put everything. Default: a folder that is removed again.",
        ),
    ] = None,
    *,
    index: IndexOption = None,
    python_mirror: MirrorOption = None,
    cache_dir: CacheDir = None,
) -> None:
    """Do the whole journey here and now: resolve, pack, sign, verify, unpack, run uv without a network.

    Example: uv-bundler demo
    """
    from bundler.connected.demo import run_demo

    run_demo(folder, index=index, python_mirror=python_mirror, cache_dir=cache_dir, tell=say)
