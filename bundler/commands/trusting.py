"""`trust`: whom this machine believes; brought by another road than the bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bundler.commands.output import confirm, emit, is_terminal, say

app = typer.Typer(help="Whom this machine believes.")
_Store = Annotated[
    Path | None,
    typer.Option(
        "--store",
        envvar="UV_BUNDLER_STORE",
        readable=False,
        help="The trust store. Default: this machine's own.",
    ),
]


@app.command("import")
def import_key(
    source: Annotated[
        Path,
        typer.Argument(metavar="FILE", readable=False, help="A public key file, or an allowed_signers file."),
    ],
    *,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            "--expect",
            envvar="UV_BUNDLER_EXPECT",
            help="A fingerprint that you were told by another road. May be repeated.",
        ),
    ] = None,
    store: _Store = None,
) -> None:
    """Trust a packer's key from now on. Compare its fingerprint with one that came by another road.

    Without a terminal --expect is the only answer: there is no flag that waves a key through.

    Example: uv-bundler trust import packer.pub --expect SHA256:2Zo…
    """
    from bundler.signing.trustload import default_trust_path
    from bundler.signing.truststore import import_key as run

    target = store or default_trust_path()
    added = run(source, store=target, expect=tuple(expect or ()), confirm=confirm if is_terminal() else None)
    for signer in added:
        say(f"{target}: trusts {signer}")
    if not added:
        say(f"{target}: trusts all of {source} already")


@app.command("list")
def list_trusted(*, store: _Store = None) -> None:
    """List the keys that this machine trusts.

    Example: uv-bundler trust list
    """
    from bundler.core.text import printable
    from bundler.signing.trustload import trust_path_to_read
    from bundler.signing.truststore import list_keys

    target = store or trust_path_to_read()
    emit("".join(printable(f"{one.fingerprint}  {one.principal}") + "\n" for one in list_keys(target)))
