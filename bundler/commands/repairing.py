"""Commands for what was lost on the way: missing and repair.

They say on stderr what they found; stdout has the line to read out, or the paths of what was written.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path  # noqa: TC003  # typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.commands.bundles import is_stdin, judging
from bundler.commands.options import (
    Files,
    Quiet,
    TrustOption,
    Verifier,
    check_verifier,
    load_trust_option,
    some_path,
    typed_trust,
)
from bundler.commands.output import emit, say
from bundler.commands.outputs import file_target
from bundler.commands.watch import watch
from bundler.errors import DamagedFault, IncompleteFault, UsageFault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bundler.core.ticket import Ticket
    from bundler.volumes.choosing import Found
    from bundler.volumes.inventory import Inventory
    from bundler.volumes.needed import Need


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    for command in (missing, repair):
        app.command()(command)


def missing(
    bundle: Files,
    *,
    trust: TrustOption = None,
    verifier: Verifier = "builtin",
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            envvar="UV_BUNDLER_OUTPUT",
            help="Write the exact need into this file, or as NAME-SERIAL.ticket into this folder.",
        ),
    ] = None,
    without_parity: Annotated[
        bool,
        typer.Option(
            "--without-parity",
            envvar="UV_BUNDLER_WITHOUT_PARITY",
            help="Ask for all lost blocks, as if there were no parity: where it was made to mislead.",
        ),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Print what the packer has to send once more, as a line short enough for a phone. Writes nothing else.

    Every byte is read. Where nothing is missing, or parity recovers all of it, nothing is printed; the exit
    code is 0 whenever the answer is known.

    \b
    Examples:
      uv-bundler missing /media/usb --trust packer.pub
      uv-bundler missing /media/drive-a /media/drive-b -o plant-7.ticket
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.core.durable import whole_file
    from bundler.core.ticket import SUFFIX
    from bundler.core.ticketfit import exact_ticket, fitting
    from bundler.volumes.losses import balance, losses
    from bundler.volumes.needed import needed

    place = file_target(output) if output is not None else None
    found, inventory, name = _take(bundle, trust=trust, verifier=verifier, quiet=quiet)
    if without_parity:
        inventory = replace(inventory, parity={})
    need = needed(inventory)
    if not quiet:
        for told in losses(inventory, found):
            say(told)
        say(f"{name}: {balance(inventory, need)}")
        if inventory.lost and not need.blocks:
            say("where it cannot be unpacked all the same, parity is false: run this with --without-parity")
    if not need.blocks:
        return
    exact = exact_ticket(need.blocks, layout=need.layout, index=found.signed.digest)
    line = fitting(exact, layout=need.layout)
    if place is not None:
        index = inventory.index
        path = place / f"{index.stem}{SUFFIX}" if place.is_dir() else place
        with whole_file(path) as stream:
            stream.write(exact.to_bytes())
        if not quiet:
            say(f"{path}: carry it to the packer, or read the line out")
    if not quiet:
        _tell_of(line, need=need, found=found)
    emit(f"{line}\n")


def _tell_of(line: Ticket, *, need: Need, found: Found) -> None:
    """Say where a line asks for more than is needed, and what to do with it."""
    from bundler.core.text import counted, size
    from bundler.core.ticketfit import blocks_of
    from bundler.volumes.named import name_folders

    more = set(blocks_of(line, need.layout)).difference(need.blocks)
    if more:
        wider = sum(map(need.layout.blocks.size, more))
        say(
            f"the line asks for {counted(len(more), 'block')} more ({size(wider)}) than is needed, to be "
            "short enough; a ticket file (-o) is exact"
        )
    if found.more:
        say(f"before you ask for it {name_folders(found.more)}")
    say(f'the packer runs: uv-bundler resend BUNDLE --ticket "{line}" -o FOLDER')


def repair(
    bundle: Files,
    *,
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            envvar="UV_BUNDLER_TO",
            parser=some_path,
            metavar="<path>",
            help="A folder elsewhere than the medium, for good copies.",
        ),
    ],
    trust: TrustOption = None,
    verifier: Verifier = "builtin",
    quiet: Quiet = False,
) -> None:
    """Write good copies of what is missing or damaged into a folder. The medium stays as it is.

    \b
    Examples:
      uv-bundler repair /media/usb --to good/ --trust packer.pub
      uv-bundler repair /media/drive-a /media/drive-b --to good/
    """  # noqa: D301  # \b keeps the examples' lines apart in the help text
    from bundler.core.durable import make_folder
    from bundler.volumes.losses import losses
    from bundler.volumes.named import name_folders
    from bundler.volumes.needed import needed
    from bundler.volumes.repairing import check_folder, check_target, write_good
    from bundler.volumes.source import Source

    check_folder(to)
    found, inventory, name = _take(bundle, trust=trust, verifier=verifier, quiet=quiet)
    wanting = inventory.wanting(found.signed.digest)
    absent = set(inventory.absent(found.signed.digest))
    need = needed(inventory)
    if not quiet:
        for told in losses(inventory, found):
            say(told)
    if need.blocks:
        words = shlex.join([*map(str, bundle), *typed_trust(trust)])
        hint = name_folders(found.more) or f"ask the packer for that: uv-bundler missing {words}"
        raise _too_little(inventory, need, is_absent=bool(absent), name=name, hint=hint)
    if not wanting:
        say(f"{name}: nothing to repair{_whole(inventory)}")
        return
    check_target(to, wanting, inventory)
    make_folder(to)
    source = Source.of(found.signed, inventory.index)
    with watch(quiet=quiet) as progress:
        written = write_good(to, wanting=wanting, inventory=inventory, source=source, progress=progress)
    if not quiet:
        for (head, _), path in zip(wanting, written, strict=True):
            what = head.title if head else "the bundle in one file"
            was = "missing" if (head, path.name) in absent else "damaged"
            say(f"{path}: {what}, which was {was}")
    emit("".join(f"{path}\n" for path in written))


def _whole(inventory: Inventory) -> str:
    """Say why nothing has to be written: all files are right, or of each that is not there is a good copy."""
    from bundler.core.text import counted

    bad = sum(one.wrong is not None for one in inventory.copies)
    if not bad:
        return ", every byte is as it was written"
    return f": the bundle is whole without the {counted(bad, 'damaged file')}, which can go"


def _take(
    paths: Sequence[Path], *, trust: Path | None, verifier: str, quiet: bool
) -> tuple[Found, Inventory, str]:
    """Read all files of the bundle, whose index somebody trusted signed."""
    from bundler.volumes.inventory import gather, take_inventory

    check_verifier(verifier)
    if is_stdin(paths):
        raise UsageFault(
            "stdin: expected files, which are read in more than one order", hint="name files or folders"
        )
    judge = judging(load_trust_option(trust), verifier=verifier)
    found, name = gather(paths, judge=judge)
    index = judge(found.signed, name)
    for line in () if quiet else found.notes:
        say(f"note: {line}")
    with watch(quiet=quiet) as progress:
        return found, take_inventory(index, found, progress=progress), name


def _too_little(
    inventory: Inventory, need: Need, *, is_absent: bool, name: str, hint: str
) -> IncompleteFault | DamagedFault:
    """Return the refusal: incomplete where a file is missing or ends too early, else damaged."""
    from bundler.volumes.losses import balance

    incomplete = is_absent or any(one.cut_off for one in inventory.copies)
    kind = IncompleteFault if incomplete else DamagedFault
    return kind(f"{name}: {balance(inventory, need)}", hint=hint)
