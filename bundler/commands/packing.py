"""Commands that make a bundle of a manifest: lock, pack.

They say on stderr what they did; stdout has the path that a script would want.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.commands.options import (
    CacheDir,
    IndexOption,
    Manifest,
    MirrorOption,
    Quiet,
    one_of,
    signing_key,
)
from bundler.commands.output import emit, say
from bundler.commands.outputs import ParityOption, VolumeSize, emit_paths, target, warn_others, wishes
from bundler.commands.watch import watch
from bundler.core.text import counted
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bundler.connected.packing import Packed
    from bundler.signing.publickey import PublicKey
    from bundler.signing.trustdoc import SignedDocument


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
        str,
        typer.Option(
            "--level",
            envvar="UV_BUNDLER_LEVEL",
            # uv and one Python: 32.4, 29.4 and 24.1 MiB; compressed and proved in 4.3, 4.6 and 100 s
            help="How hard to compress: fast, default, or best, which is about a fifth smaller and takes "
            "some twenty times as long. Hosts unpack all of them equally fast. No effect with --plain.",
        ),
    ] = "default",
    plain: Annotated[
        bool,
        typer.Option(
            "--plain",
            envvar="UV_BUNDLER_PLAIN",
            help="Carry the upstream files themselves, neither recompressed nor compressed: for gates that "
            "must open every file. Not with --since.",
        ),
    ] = False,
    valid_days: Annotated[
        int | None,
        typer.Option(
            "--valid-days",
            envvar="UV_BUNDLER_VALID_DAYS",
            min=1,
            max=3660,  # as in the manifest
            help="For how many days the bundle should be unpacked. Default: the manifest's, or for ever.",
        ),
    ] = None,
    carry_trust: Annotated[
        list[Path] | None,
        typer.Option(
            "--carry-trust",
            envvar="UV_BUNDLER_CARRY_TRUST",
            readable=False,
            help="A trust document with its signatures beside it, or a folder of them, to bring to hosts "
            "that have an earlier version. May be repeated.",
        ),
    ] = None,
    since: Annotated[
        list[Path] | None,
        typer.Option(
            "--since",
            envvar="UV_BUNDLER_SINCE",
            readable=False,
            help="An earlier bundle, its bundle.json, or a folder with one of them: pack only what it did "
            "not bring. May be repeated; every host must have unpacked all of them.",
        ),
    ] = None,
    volume_size: VolumeSize = None,
    parity: ParityOption = None,
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
      uv-bundler pack plant-7.yaml -o out/ --key packer --valid-days 200 --carry-trust trust/
      uv-bundler pack plant-7.yaml -o out/ --key packer --since out/plant-7-2026082001.uvb
      uv-bundler pack plant-7.yaml -o out/ --key packer --plain
      uv-bundler pack plant-7.yaml -o out/ --key packer --volume-size fat32 --parity 10%
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.connected.bundlewriter import LEVELS
    from bundler.connected.carrytrust import load_chain
    from bundler.connected.workshop import Workshop
    from bundler.core.text import printable

    one_of("--level", level, known=tuple(LEVELS))
    if plain and since:
        raise UsageFault(
            "--plain: expected without --since, whose bundles hold parts of files",
            hint="leave one of them out: a gate that must open every file needs a full bundle",
        )
    wanted = None if plain else level
    wished = wishes(volume_size, parity)
    place = target(output, several=bool(wished), streams=not dry_run)
    chain = load_chain(carry_trust or ())
    earlier = [_earlier(one) for one in since or ()]
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
            lines = shop.plan(level=wanted, since=earlier, wished=wished)
        else:
            signer = signing_key(key)
            packed = shop.pack(
                place,
                key=signer,
                level=wanted,
                valid_days=valid_days,
                chain=chain,
                since=earlier,
                wished=wished,
            )
    if dry_run:
        emit("".join(printable(line) + "\n" for line in lines))
        return
    if not quiet:
        _tell(packed, signer.public, chain)
    if packed.cut:
        warn_others(packed.files)
    if output != "-":
        emit_paths(packed.files)


def _earlier(path: Path) -> Path:
    """Return what `--since` names: a bundle or an index; of a folder without bundles its index.

    So `PREFIX/current` of a host will do, or a copy of it.
    """
    from bundler.core.durable import host_faults
    from bundler.core.index import INDEX_NAME

    with host_faults(path):
        if (path / INDEX_NAME).is_file() and not any(path.glob("*.[uU][vV][bB]")):
            return path / INDEX_NAME
    return path


def _tell(packed: Packed, key: PublicKey, chain: Sequence[SignedDocument]) -> None:
    from bundler.connected.packing import table
    from bundler.core.text import span

    for line in table(packed):
        say(line)
    index = packed.index
    expires = f", expires {index.expires[:10]}" if index.expires else ""
    say(f"{packed.name}: {index.title}{expires}, signed by {key.fingerprint}")
    if chain:
        say(f"carries the trust document, version {span([one.number for one in chain])}")
    say(f"index sha256 {packed.index_sha256}")
