"""`trust`: whom this machine believes; brought by another road than the bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.commands.output import confirm, emit, is_terminal, say

if TYPE_CHECKING:
    from collections.abc import Callable

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
    yes: Annotated[
        bool,
        typer.Option("--yes", envvar="UV_BUNDLER_YES", help="Ask nothing: you have compared it yourself."),
    ] = False,
    store: _Store = None,
) -> None:
    """Trust a packer's key from now on. Compare its fingerprint with one that came by another road.

    Example: uv-bundler trust import packer.pub --expect SHA256:2Zo…
    """
    from bundler.signing.trust import default_trust_path
    from bundler.signing.truststore import import_key as run

    target = store or default_trust_path()
    added = run(source, store=target, expect=tuple(expect or ()), confirm=_asking(yes=yes))
    for signer in added:
        say(f"{target}: trusts {signer.principal} with {signer.fingerprint}")
    if not added:
        say(f"{target}: trusts all of {source} already")


def _asking(*, yes: bool) -> Callable[[str], bool] | None:
    if yes:
        return lambda _: True
    return confirm if is_terminal() else None


@app.command("list")
def list_trusted(*, store: _Store = None) -> None:
    """List the keys that this machine trusts.

    Example: uv-bundler trust list
    """
    from bundler.core.text import printable
    from bundler.signing.trust import trust_path_to_read
    from bundler.signing.truststore import list_keys

    target = store or trust_path_to_read()
    emit("".join(printable(f"{one.fingerprint}  {one.principal}") + "\n" for one in list_keys(target)))
