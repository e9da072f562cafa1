"""Commands for the machine with a network: init, keygen, lock, pack, sign, rehearse, demo.

They say on stderr what they did; stdout has the path or the fingerprint that a script would want.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.commands.options import (
    Bundle,
    CacheDir,
    IndexOption,
    KeyOption,
    Manifest,
    MirrorOption,
    Quiet,
    TrustOption,
    bundle_name,
    existing_bundle,
    find_bundle,
    load_trust_option,
    one_of,
    open_bundle,
)
from bundler.commands.output import ask_secret, emit, is_terminal, say
from bundler.commands.watch import watch
from bundler.core.text import counted
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from bundler.signing.signer import SigningKey


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


def lock(
    manifest: Manifest,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            envvar="UV_BUNDLER_LOCK",
            readable=False,
            help="The lock. Default: MANIFEST with .lock.",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", envvar="UV_BUNDLER_CHECK", help="Only tell whether the lock is current."),
    ] = False,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", envvar="UV_BUNDLER_UPGRADE", help="Resolve `latest` anew.")
    ] = False,
    index: IndexOption = None,
    python_mirror: MirrorOption = None,
    cache_dir: CacheDir = None,
    quiet: Quiet = False,
) -> None:
    """Resolve a manifest to exact artifacts: what will be packed, for review before it is fetched.

    Example: uv-bundler lock manifests/quickstart.yaml
    """
    from bundler.connected.workshop import Workshop

    with watch(quiet=quiet) as progress:
        shop = Workshop.open(
            manifest,
            lock_path=output,
            index=index,
            python_mirror=python_mirror,
            cache_dir=cache_dir,
            progress=progress,
        )
        if check:
            differences = shop.check()
        else:
            shop.lock(upgrade=upgrade)
            differences = []
    if differences:
        for line in differences:
            say(line)
        raise UsageFault(
            f"{shop.lock_path}: is not current: {counted(len(differences), 'difference')}",
            hint=f"uv-bundler lock {manifest}, review what changed, commit it",
        )
    if not quiet:
        say(f"{shop.lock_path}: is current" if check else f"{shop.lock_path}: {shop.summary()}")
    if not check:
        emit(f"{shop.lock_path}\n")


def pack(
    manifest: Manifest,
    *,
    output: Annotated[
        str,
        typer.Option("--output", "-o", envvar="UV_BUNDLER_OUTPUT", help="A file, a folder, or - for stdout."),
    ],
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            envvar="UV_BUNDLER_KEY",
            readable=False,
            help="The signing key: a private key file, or the .pub of a key in ssh-agent.",
        ),
    ] = None,
    lock_file: Annotated[
        Path | None,
        typer.Option(
            "--lock", envvar="UV_BUNDLER_LOCK", readable=False, help="The lock. Default: MANIFEST with .lock."
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", envvar="UV_BUNDLER_DRY_RUN", help="Say what would be packed; fetch no archive."
        ),
    ] = False,
    level: Annotated[
        str, typer.Option("--level", envvar="UV_BUNDLER_LEVEL", help="fast, default or best.")
    ] = "default",
    index: IndexOption = None,
    python_mirror: MirrorOption = None,
    cache_dir: CacheDir = None,
    quiet: Quiet = False,
) -> None:
    """Build the bundle: lock if needed, fetch, store, sign.

    \b
    Examples:
      uv-bundler pack manifests/quickstart.yaml -o out/ --key packer
      uv-bundler pack manifests/quarterly.yaml -o - --dry-run
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.connected.bundlewriter import LEVELS
    from bundler.connected.workshop import Workshop
    from bundler.core.text import printable

    one_of("--level", level, known=tuple(LEVELS))
    target = _target(output, dry_run=dry_run)
    with watch(quiet=quiet) as progress:
        shop = Workshop.open(
            manifest,
            lock_path=lock_file,
            index=index,
            python_mirror=python_mirror,
            cache_dir=cache_dir,
            progress=progress,
        )
        if dry_run:
            lines = shop.plan()
        else:
            signer = _signing_key(key)
            packed = shop.pack(target, key=signer, level=level)
    if dry_run:
        emit("".join(printable(line) + "\n" for line in lines))
        return
    from bundler.connected.packing import table

    if not quiet:
        for line in table(packed):
            say(line)
        say(f"{packed.path or 'stdout'}: {packed.index.title}, signed by {signer.public.fingerprint}")
        say(f"index sha256 {packed.index_sha256}")
    if packed.path:
        emit(f"{packed.path}\n")


def _target(output: str, *, dry_run: bool) -> Path:
    """Return where the bundle goes; raises `UsageFault` for a folder or a stream that is not there."""
    if output.endswith((os.sep, os.altsep or os.sep)) and not Path(output).is_dir():
        raise UsageFault(
            f"{output}: no such folder, expected one for the bundle", hint=f"mkdir {output}, or name a file"
        )
    if output == "-" and not dry_run and (sys.stdout is None or sys.stdout.isatty()):
        raise UsageFault(
            "stdout: expected a pipe or a file for the bundle, found a terminal or nothing",
            hint="name a file or a folder with -o, or add: > q4.uvb",
        )
    return Path(output)


def sign(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", readable=False, help="The bundle to sign.")],
    *,
    key: KeyOption,
    quiet: Quiet = False,
) -> None:
    """Add a signature to a bundle. Index and payload stay as they are; every byte is checked on the way.

    Example: uv-bundler sign q4.uvb --key second-person
    """
    from bundler.connected.addsignature import add_signature

    if str(bundle) == "-":
        raise UsageFault(
            "stdin: expected a file to sign, which is written anew", hint="name the bundle's file"
        )
    path = existing_bundle(find_bundle(bundle))
    signer = _signing_key(key)
    with watch(quiet=quiet) as progress:
        count = add_signature(path, signer, progress=progress)
    if not quiet:
        say(f"{path}: signed by {signer.public.fingerprint}, {count} signatures now")


def rehearse(bundle: Bundle, *, trust: TrustOption = None, quiet: Quiet = False) -> None:
    """Try the bundle in a scratch prefix without a network, with the uv that it carries.

    Example: uv-bundler rehearse q4.uvb --trust packer.pub
    """
    from bundler.connected.rehearse import rehearse as run

    path = find_bundle(bundle)
    rules = load_trust_option(trust)
    with open_bundle(path) as stream, watch(quiet=quiet) as progress:
        for step in run(stream, name=bundle_name(path), trust=rules, progress=progress):
            if not quiet:
                progress.note(f"{step.what}: {step.result}")
    if not quiet:
        say(f"{bundle_name(path)}: works as it should")


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


def _signing_key(path: Path | None) -> SigningKey:
    from bundler.signing.signer import open_signing_key

    if path is None:
        raise UsageFault(
            "--key: missing, expected the key to sign with", hint="make one: uv-bundler keygen packer"
        )
    return open_signing_key(path, ask=ask_secret if is_terminal() else None)
