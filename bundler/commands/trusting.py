"""`trust`: whom this machine believes; brought by another road than the bundle."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.commands import trustmaking
from bundler.commands.options import command_line
from bundler.commands.output import confirm, emit, is_terminal, say
from bundler.commands.trustlog import recorded
from bundler.core.durable import host_faults, whole_file
from bundler.errors import BundlerError, UsageFault

if TYPE_CHECKING:
    from bundler.signing.documentstore import Change
    from bundler.signing.trust import Trust

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
_File = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]",
        readable=False,
        help="A key, an allowed_signers file or a trust document. Default: the trust store.",
    ),
]
trustmaking.register(app)


@app.command("import")
def import_trust(
    context: typer.Context,
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            readable=False,
            help="A public key file, an allowed_signers file, trust documents, or a folder of these.",
        ),
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
    """Trust a packer's key, or the people of a trust document, from now on.

    Compare fingerprints with what came by another road. Without a terminal --expect is the only answer:
    there is no flag that waves a key through. Later versions of an installed trust document need neither:
    they are signed by the people of the version before.

    \b
    Examples:
      uv-bundler trust import packer.pub --expect SHA256:2Zo…
      uv-bundler trust import trust.json --expect SHA256:2Zo… --expect SHA256:k9F…
      uv-bundler trust import trust-2.json
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.signing.trustimport import import_trust as run
    from bundler.signing.trustload import default_trust_path, store_folder

    target = store or default_trust_path()
    with recorded(store_folder(target), command=command_line(context)) as entry:
        change = run(
            sources, store=target, expect=tuple(expect or ()), confirm=confirm if is_terminal() else None
        )
        entry.changed(change)
    if change.after:
        _say_document(change)
        return
    for signer in change.added:
        say(f"{target}: trusts {signer}")
    if not change.added:
        say(f"{target}: trusts all of {sources[0]} already")


def _say_document(change: Change) -> None:
    from bundler.signing.trustload import STORE_NAME

    for step in change.steps:
        signers = dict.fromkeys(map(str, (*step.old_signers, *step.new_signers)))
        say(f"version {step.version}: signed by {', '.join(signers)}")
    if not change.steps:
        say(f"{change.store}: trusts {change.after} already")
        return
    in_place = f" in place of version {change.before.version}" if change.before else ""
    say(f"{change.store}: trusts {change.after}{in_place}")
    keys = change.store / STORE_NAME
    with host_faults(keys):
        if change.before is None and keys.exists():
            say(f"{keys}: does not count any more beside a trust document; it was left as it is")


@app.command("list")
def list_trusted(source: _File = None, *, store: _Store = None) -> None:
    """List whom this machine trusts, or what a file says.

    \b
    Examples:
      uv-bundler trust list
      uv-bundler trust list trust-2.json
    """  # noqa: D301
    from bundler.core.text import printable
    from bundler.signing.trustlist import describe_trust

    trust, raw, notes = _named(source, store)
    emit("".join(printable(line) + "\n" for line in describe_trust(trust, raw=raw)))
    for note in notes:
        say(note)


def _named(source: Path | None, store: Path | None) -> tuple[Trust, bytes | None, list[str]]:
    """Return what a file, else a store says, the bytes of its document, and how far that is signed."""
    from bundler.signing.trustload import (
        is_document,
        load_trust,
        read_store_document,
        revoked_here,
        signed_document,
        store_to_read,
        trust_path_to_read,
    )

    if source is None:
        trust = load_trust(store_to_read(store) if store else trust_path_to_read())
        found = read_store_document(trust.store) if trust.store and trust.document else None
        return trust, found[0] if found else None, []
    from bundler.signing.trust import trust_in
    from bundler.signing.trustfile import ANY, read_trust_file
    from bundler.signing.trustsign import read_document, tally

    if source.is_dir() or not is_document(read_trust_file(source, expected=ANY)):
        return load_trust(source), None, []
    raw, document = read_document(source)
    signed = signed_document(source, raw)
    notes = [str(one) for one in tally(raw, signed.signatures, document=document, before=None)]
    return trust_in(document, source=str(source), revoked_keys=revoked_here()), raw, notes


@app.command("export")
def export_trust(
    source: _File = None,
    *,
    allowed_signers: Annotated[
        bool,
        typer.Option(
            "--allowed-signers",
            envvar="UV_BUNDLER_ALLOWED_SIGNERS",
            help="As an allowed_signers file, the one form there is.",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            envvar="UV_BUNDLER_TRUST_OUTPUT",
            readable=False,
            help="A file. Default: stdout.",
        ),
    ] = None,
    store: _Store = None,
) -> None:
    """Write the keys that may sign bundles for stock ssh-keygen, which knows no thresholds.

    Example: uv-bundler trust export --allowed-signers -o allowed_signers
    """
    from bundler.signing.trustlist import export_lines

    if not allowed_signers:
        raise UsageFault(
            "trust export: no form was named, expected --allowed-signers", hint="add --allowed-signers"
        )
    trust, _, _ = _named(source, store)
    lines, left_out = export_lines(trust)
    data = "".join(f"{line}\n" for line in lines)
    if output is None or str(output) == "-":
        emit(data)
    else:
        with whole_file(output, mode=0o644) as stream:
            stream.write(data.encode())
    for one in left_out:
        say(f"left out {one}")
    if trust.threshold > 1:
        say(f"{trust.threshold} people must sign, and ssh-keygen checks one signature at a time: count them")


@app.command("revoke")
def revoke_key(
    context: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="FINGERPRINT|KEY.pub", help="The key: SHA256:…, or its public half.")
    ],
    *,
    reason: Annotated[
        str,
        typer.Option("--reason", envvar="UV_BUNDLER_REASON", help="Why, for those who read it later."),
    ],
    store: _Store = None,
) -> None:
    """Never count signatures by this key again on this machine, whatever else names it. Works at once.

    Example: uv-bundler trust revoke SHA256:2Zo… --reason "laptop lost"
    """
    from bundler.signing.revocation import revoke
    from bundler.signing.trustload import default_trust_path, store_folder

    folder = store_folder(store or default_trust_path())
    with recorded(folder, command=command_line(context)) as entry:
        done = revoke(target, reason=reason, folder=folder)
        entry.outcome = "done" if done.is_new else "nothing"
        entry.facts.update(message=f"revoked {done.fingerprint}", reason=done.reason)
    if done.is_new:
        say(f"{done.path}: {done.fingerprint} does not count any more: {done.reason}")
        _say_if_unknown(done.fingerprint, store)
    else:
        say(f"{done.path}: {done.fingerprint} is revoked already: {done.reason}")


def _say_if_unknown(fingerprint: str, store: Path | None) -> None:
    """Tell where the store trusts no such key: a fingerprint that was mistyped revokes nothing."""
    from bundler.signing.trustload import load_trust, store_to_read, trust_path_to_read

    with contextlib.suppress(BundlerError):  # no store yet, or one that cannot be read: the key is revoked
        trust = load_trust(store_to_read(store) if store else trust_path_to_read())
        known = {rule.key.fingerprint for rule in trust.rules}
        if fingerprint not in known and not (trust.document and fingerprint in dict(trust.document.revoked)):
            say(f"warning: {trust.source} names no such key; if it was typed, compare: uv-bundler trust list")
