"""`trust new` and `trust sign`: the people of a site write down who may sign, and put their names to it."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  # typer reads it from the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.commands.options import KeyOption, one_of
from bundler.commands.output import emit, say
from bundler.commands.trustwords import PERSON, expiry_time, people, revocation
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from bundler.signing.trustdoc import TrustDocument
    from bundler.signing.trustmake import Wishes


def register(app: typer.Typer) -> None:
    """Add the commands to `trust`."""
    app.command("new")(new_document)
    app.command("sign")(sign_document)


def new_document(
    target: Annotated[
        Path, typer.Argument(metavar="FILE", readable=False, help="The file to write, such as trust.json.")
    ],
    *,
    name: Annotated[
        str | None,
        typer.Option("--name", envvar="UV_BUNDLER_TRUST_NAME", help="The series, such as plant-7."),
    ] = None,
    before: Annotated[
        Path | None,
        typer.Option(
            "--from",
            envvar="UV_BUNDLER_TRUST_FROM",
            readable=False,
            help="The version before; everything is taken over from it that is not named here.",
        ),
    ] = None,
    signer: Annotated[
        list[str] | None,
        typer.Option(
            "--signer",
            envvar="UV_BUNDLER_TRUST_SIGNER",
            metavar=PERSON,
            help="Somebody who signs bundles and trust documents. May be repeated, with another key too.",
        ),
    ] = None,
    root: Annotated[
        list[str] | None,
        typer.Option(
            "--root",
            envvar="UV_BUNDLER_TRUST_ROOT",
            metavar=PERSON,
            help="Somebody who signs trust documents.",
        ),
    ] = None,
    release: Annotated[
        list[str] | None,
        typer.Option(
            "--release",
            envvar="UV_BUNDLER_TRUST_RELEASE",
            metavar=PERSON,
            help="Somebody who signs bundles.",
        ),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(
            "--remove", envvar="UV_BUNDLER_TRUST_REMOVE", metavar="NAME", help="Somebody who leaves."
        ),
    ] = None,
    revoke: Annotated[
        list[str] | None,
        typer.Option(
            "--revoke",
            envvar="UV_BUNDLER_TRUST_REVOKE",
            metavar="FINGERPRINT=REASON",
            help="A key that never counts again; it is taken from whoever holds it.",
        ),
    ] = None,
    root_threshold: Annotated[
        int | None,
        typer.Option(
            "--root-threshold",
            envvar="UV_BUNDLER_TRUST_ROOT_THRESHOLD",
            min=1,
            help="How many people must sign a trust document. Default: 2, or 1 where there is one.",
        ),
    ] = None,
    release_threshold: Annotated[
        int | None,
        typer.Option(
            "--release-threshold",
            envvar="UV_BUNDLER_TRUST_RELEASE_THRESHOLD",
            min=1,
            help="How many people must sign a bundle. Default: 2, or 1 where there is one.",
        ),
    ] = None,
    algorithm: Annotated[
        list[str] | None,
        typer.Option(
            "--algorithm",
            envvar="UV_BUNDLER_TRUST_ALGORITHM",
            metavar="TYPE",
            help="A key type that counts, such as ssh-ed25519. May be repeated. Default: all that are known.",
        ),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires",
            envvar="UV_BUNDLER_TRUST_EXPIRES",
            metavar="DATE",
            help="2027-06-30, 2027-06-30T12:00:00Z, or never (the default).",
        ),
    ] = None,
    expiry: Annotated[
        str | None,
        typer.Option(
            "--expiry",
            envvar="UV_BUNDLER_TRUST_EXPIRY",
            help="What hosts do about what is expired: warn (the default) or enforce.",
        ),
    ] = None,
    enforce_expiry: Annotated[
        bool,
        typer.Option(
            "--enforce-expiry", envvar="UV_BUNDLER_TRUST_ENFORCE_EXPIRY", help="The same as --expiry enforce."
        ),
    ] = False,
    first_install: Annotated[
        str | None,
        typer.Option(
            "--first-install",
            envvar="UV_BUNDLER_TRUST_FIRST_INSTALL",
            help="any (the default), or expected: a blank host takes a bundle only with --expect-serial or "
            "--expect-index.",
        ),
    ] = None,
) -> None:
    """Write a trust document: version 1, or with --from the next one. Prints its sha256.

    \b
    Examples:
      uv-bundler trust new trust.json --name plant-7 --signer anna=anna.pub --signer ben=ben.pub
      uv-bundler trust new trust-2.json --from trust.json --signer carl=carl.pub --remove ben
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.connected.labels import packing_time
    from bundler.core.times import write_time
    from bundler.signing.trustdoc import EXPIRY, FIRST_INSTALL, RELEASE, ROOT
    from bundler.signing.trustmake import Wishes, successor
    from bundler.signing.trustsign import read_document, write_document

    wishes = Wishes(
        signers=(
            *people("--signer", signer, (ROOT, RELEASE)),
            *people("--root", root, (ROOT,)),
            *people("--release", release, (RELEASE,)),
        ),
        remove=tuple(remove or ()),
        revoke=tuple(revocation(text) for text in revoke or ()),
        root_threshold=root_threshold,
        release_threshold=release_threshold,
        algorithms=tuple(algorithm or ()),
        expires=expiry_time(expires),
        never_expires=expires == "never",
        expiry="enforce" if enforce_expiry else expiry and one_of("--expiry", expiry, known=EXPIRY),
        first_install=first_install and one_of("--first-install", first_install, known=FIRST_INSTALL),
    )
    created = write_time(packing_time())
    old = read_document(before)[1] if before else None
    document = successor(old, wishes, created=created) if old else _first(name, wishes, created)
    if name is not None and document.name != name:
        raise UsageFault(
            f"--name: {name}, expected {document.name}, which the version before has", hint="leave --name out"
        )
    digest = write_document(target, document)
    _say_needs(target, document, old, before)
    emit(f"{digest}\n")


def _first(name: str | None, wishes: Wishes, created: str) -> TrustDocument:
    from bundler.signing.trustmake import first_document

    if name is None:
        raise UsageFault(
            "--name: missing, expected the name of the series",
            hint="add --name plant-7 for version 1, or --from OLD.json for the next version",
        )
    if not wishes.signers:
        raise UsageFault(
            "--signer: missing, expected at least one person",
            hint="add --signer NAME=KEY.pub for everybody who signs bundles and trust documents",
        )
    return first_document(name, wishes, created=created)


def _say_needs(target: Path, document: TrustDocument, old: TrustDocument | None, before: Path | None) -> None:
    from bundler.signing.trustdoc import RELEASE, ROOT
    from bundler.signing.trustlist import threshold_of

    say(f"{target}: {document.title}: bundles need signatures of {threshold_of(document, RELEASE)}")
    say(f"next it must be signed by {threshold_of(document, ROOT)}")
    after, roots = "", len(document.people(ROOT))
    if roots > 1 and document.root_threshold == roots:
        say(f"all {roots} must sign: when one of these keys is lost, no host can be led to a successor")
    if old:
        say(f"and, for hosts that have {old.title}, by {threshold_of(old, ROOT)}")
        after = f" --after {before}"
    say(f"each of them: uv-bundler trust sign {target} --key KEY{after}")


def sign_document(
    target: Annotated[
        Path, typer.Argument(metavar="FILE", readable=False, help="The trust document to sign.")
    ],
    *,
    key: KeyOption,
    after: Annotated[
        Path | None,
        typer.Option(
            "--after",
            envvar="UV_BUNDLER_TRUST_AFTER",
            readable=False,
            help="The version before, whose people must sign as well.",
        ),
    ] = None,
) -> None:
    """Sign a trust document, into FILE.sig, FILE.1.sig and so on; says who is still missing.

    \b
    Examples:
      uv-bundler trust sign trust.json --key anna
      uv-bundler trust sign trust-2.json --key ben --after trust.json
    """  # noqa: D301
    from bundler.commands.options import signing_key
    from bundler.signing.trustsign import add_signature, check_successor, read_document

    document = read_document(target)[1]
    before = read_document(after)[1] if after else None
    if before and after:
        check_successor(document, before=before, path=target, old=after)
    place, tallies = add_signature(target, signing_key(key), before=before)
    for one in tallies:
        say(f"{target}: {one}")
    if document.version > 1 and before is None:
        say(
            f"{target}: the people of version {document.version - 1} must sign it too; "
            "--after OLD.json tells who of them is missing"
        )
    emit(f"{place}\n")
