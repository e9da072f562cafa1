"""`log`: what was done on this host, by whom, from a log that was verified first."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  # typer reads it from the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bundler.commands.options import PrefixOption  # noqa: TC001  # the same
from bundler.commands.output import emit, say
from bundler.core.durable import host_faults
from bundler.core.text import counted, printable
from bundler.errors import UsageFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bundler.offline.auditlog import Entry, Stump
    from bundler.offline.auditread import Verified

_BATCH = 1 << 16  # characters written to stdout at once


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("log")(show_log)


def show_log(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", readable=False, help="An audit log. Default: that of the prefix."),
    ] = None,
    *,
    prefix: PrefixOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", envvar="UV_BUNDLER_JSON", help="Print the lines as they are: JSON.")
    ] = False,
    last: Annotated[
        int | None,
        typer.Option("--last", envvar="UV_BUNDLER_LAST", min=1, help="Show this many events only."),
    ] = None,
    noted: Annotated[
        str | None,
        typer.Option(
            "--noted",
            envvar="UV_BUNDLER_NOTED",
            help="The sha256 that `log` told you of earlier: check that all that stood then still does.",
        ),
    ] = None,
) -> None:
    """Show the audit log: who unpacked what, when, and what came of it. Verifies its chain first.

    \b
    Examples:
      uv-bundler log --last 5
      uv-bundler log --noted 30eb93f2…
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.offline.auditread import opened, read_verified, verify_log

    path = file or _default_path(prefix)
    digest = None if noted is None else _digest(noted)
    with host_faults(path):
        if not path.exists() and not path.is_symlink():
            raise UsageFault(f"{path}: no such file, expected an audit log", hint=_where_else(file, prefix))
    with opened(path) as stream:
        verified = verify_log(stream, path, noted=digest)
        lines = _chosen(read_verified(stream, verified), first=verified.entries - (last or verified.entries))
        _emit_all(_as_json(lines) if as_json else _for_people(lines))
    _say_verdict(verified, noted=digest is not None)


def _default_path(prefix: Path | None) -> Path:
    from bundler.offline.prefix import Prefix, default_prefix

    return Prefix(prefix or default_prefix()).log


def _where_else(file: Path | None, prefix: Path | None) -> str:
    from bundler.offline.prefix import Prefix, default_prefix, system_prefix

    shared = system_prefix()
    if not (file or prefix) and default_prefix() != shared and Prefix(shared).log.exists():
        return f"this machine has one for all users: add --prefix {shared}"
    return "unpack a bundle first, or name its --prefix, or the file itself"


def _digest(text: str) -> str:
    from bundler.core.digest import Digest
    from bundler.core.fault import Fault

    try:
        return Digest.parse(text.strip().lower()).hex
    except Fault as fault:
        raise UsageFault(f"--noted: {fault}", hint="give the sha256 that `log` printed") from None


def _chosen(lines: Iterable[Entry | Stump], *, first: int) -> Iterator[Entry | Stump]:
    """Leave out the first entries, and what stands before the others."""
    from bundler.offline.auditlog import Entry

    begun = first <= 0
    for line in lines:
        begun = begun or (isinstance(line, Entry) and line.number > first)
        if begun:
            yield line


def _emit_all(texts: Iterable[str]) -> None:
    """Write to stdout in flat memory."""
    batch, size = [], 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size > _BATCH:
            emit("".join(batch))
            batch, size = [], 0
    if batch:
        emit("".join(batch))


def _as_json(lines: Iterable[Entry | Stump]) -> Iterator[str]:
    from bundler.offline.auditlog import Entry

    for line in lines:
        if isinstance(line, Entry):
            yield line.raw.decode("ascii") + "\n"


def _for_people(lines: Iterable[Entry | Stump]) -> Iterator[str]:
    from bundler.offline.auditlog import Entry

    for line in lines:
        first, *more = (
            _described(line.number, line.facts)
            if isinstance(line, Entry)
            else (f"-  {counted(line.size, 'byte')} of a line that was cut off",)
        )
        yield "".join(f"{printable(text)}\n" for text in (first, *(f"   {one}" for one in more)))


def _described(number: int, facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield one line for the event and further ones for what is known of it; the text is still foreign."""
    sudo = f", by {facts['sudo_user']}" if facts["sudo_user"] else ""
    code = f", exit code {facts['exit_code']}" if facts["exit_code"] else ""
    yield (
        f"{number}  {facts['time']}  {facts['event']} {facts['outcome']}{code}  "
        f"{facts['user']}{sudo}, on {facts['host']}"
    )
    if bundle := facts["bundle"]:
        come = f", from {bundle['file']}" if bundle["file"] else ""
        yield f"{bundle['name']} {bundle['release']}, serial {bundle['serial']}{come}"
        yield f"index sha256 {bundle['index_sha256']}"
    if changes := [*_changes(facts)]:
        yield "; ".join(changes)
    for signer in facts["signers"] or ():
        yield f"signed by {signer['name']} with {signer['fingerprint']}"
    if facts["event"] == "trust":  # which file it was about is nowhere else
        yield f"command: {facts['command']}"
    if facts["scan"]:
        yield f"scan: {facts['scan']}"
    if facts["reason"]:
        yield f"reason: {facts['reason']}"
    if facts["message"]:
        yield f"message: {facts['message']}"


def _changes(facts: Mapping[str, Any]) -> Iterator[str]:
    for what in ("serial", "generation", "trust"):
        before, after = (_short(facts[f"{what}_{when}"]) for when in ("before", "after"))
        if after is not None:
            yield f"{what} {before or 'none'} -> {after}"
        elif before is not None:
            yield f"{what} {before} before"


def _short(value: Any) -> str | None:
    if value is None:
        return None
    return f"{value['name']} version {value['version']}" if isinstance(value, dict) else str(value)


def _say_verdict(verified: Verified, *, noted: bool) -> None:
    last = verified.last_stump
    if covered := verified.stumps - bool(last):
        say(f"{verified.path}: {counted(covered, 'line')} cut off by a crash; what follows covers that too")
    if last:
        say(f"{verified.path}: line {last.line} is cut off: a crash, or it is being written now")
    kept = ", and all that you noted still stands" if noted else ""
    say(f"{verified.path}: {counted(verified.entries, 'event')}, each fits what stands before it{kept}")
    say(f"sha256 of the last line {verified.head}: note it elsewhere, for --noted")
