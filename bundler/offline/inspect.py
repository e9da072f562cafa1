"""What a bundle says of itself: read from its front, trusting nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

from bundler.core.fault import Fault
from bundler.core.index import FORMAT, Index
from bundler.core.text import counted, numbers, printable, size, span
from bundler.offline.reader import reader_of
from bundler.offline.signedindex import parse_named
from bundler.signing.sshsig import claimed_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bundler.offline.reader import Reader
    from bundler.offline.signedindex import SignedIndex


def describe(stream: BinaryIO | Reader, *, name: str) -> dict[str, Any]:
    """Return what `inspect --json` prints: the index in short, and whose signatures it claims to have.

    Sizes are in bytes; `trust` has the versions of the trust documents, as their members' names say; `base`
    the bundles that a host must have, and each artifact's `how` whether it is `stored` whole, `rebuilt` from
    streams, or `held` by the host. Where the bundle lies in volumes, `volumes` says which of them are here.
    Raises `DamagedFault` where the front of the bundle cannot be read.
    """
    reader = reader_of(stream, name=name)
    signed = reader.read_signed_index()
    index = parse_named(signed, name=name)
    contents = {one.sha256: one.size for one in index.artifacts}
    return {
        "format": FORMAT,
        "requires": index.requires,
        "name": index.name,
        "release": index.release,
        "serial": index.serial,
        "created": index.created,
        "expires": index.expires,
        "tool": index.tool,
        "uv": list(index.uv),
        "platforms": [str(one) for one in index.platforms],
        "base": [one.to_dict() for one in index.base],
        "artifacts": [_artifact(index, number) for number in range(len(index.artifacts))],
        "archives_size": sum(contents.values()),
        "stored_size": reader.stored_size(index),
        "index_sha256": signed.digest,
        "signatures": _signatures(signed),
        "trust": [one.number for one in signed.chain],
        **({"volumes": parts} if (parts := reader.parts()) else {}),
        "verified": False,
    }


def _artifact(index: Index, number: int) -> dict[str, Any]:
    one = index.artifacts[number].to_dict()
    kept = ("path", "size", "sha256", "role", "key", "platform", "uv", "origin")
    how = "stored" if "member" in one else "rebuilt" if "recipe" in one else "held"
    return {name: one[name] for name in kept if name in one} | {"how": how}


def _signatures(signed: SignedIndex) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for signature in signed.signatures:
        try:
            found.append({"fingerprint": claimed_key(signature).fingerprint})
        except Fault as fault:
            found.append({"fingerprint": None, "fault": str(fault)})
    return found


def show(described: dict[str, Any], *, as_json: bool) -> str:
    """Write a description for programs, or for people."""
    if as_json:
        return json.dumps(described, indent=2) + "\n"
    title = "{name} {release}, serial {serial}, packed {created} by {tool}".format(**described)
    lines = [
        title,
        f"uv         {', '.join(described['uv'])}",
        f"platforms  {', '.join(described['platforms'])}",
        *([f"expires    {described['expires']}"] if described["expires"] else []),
        f"size       {size(described['stored_size'])}, content {size(described['archives_size'])}",
        *([f"requires   {', '.join(described['requires'])}"] if described["requires"] else []),
        *(
            "builds on  {name} {release} (serial {serial}), index sha256 {index_sha256}".format(**one)
            for one in described["base"]
        ),
        f"index      sha256 {described['index_sha256']}",
        *(f"signature  {one['fingerprint'] or one['fault']}" for one in described["signatures"]),
        *([f"trust      version {span(described['trust'])} comes with it"] if described["trust"] else []),
        *(f"volumes    {_show_part(one)}" for one in described.get("volumes", ())),
        "",
    ]
    for one in described["artifacts"]:
        how = {"stored": "", "rebuilt": "  (rebuilt)", "held": "  (the host has it)"}[one["how"]]
        lines.append(f"{one['role']:<9}{size(one['size']):>11}  {one.get('key') or one['path']}{how}")
    return "".join(printable(line).rstrip() + "\n" for line in lines)


def _show_part(part: dict[str, Any]) -> str:
    """Write one of them for people: `2 of 40 volumes are here: 3, 7`."""
    lines = [_show_volumes("volume", part["here"], part["missing"])]
    if part["parity_here"] or part["parity_missing"]:
        lines.append(_show_volumes("parity volume", part["parity_here"], part["parity_missing"]))
    if part["whole"]:
        lines[0] = "one file, which is " + ("here" if part["here"] else "missing")
    if part["supplements"]:
        lines.append(counted(part["supplements"], "supplement"))
    return "; ".join(lines)


def _show_volumes(noun: str, here: Iterable[int], missing: Iterable[int]) -> str:
    there, absent = list(here), list(missing)
    said = counted(len(there) + len(absent), noun)
    if not absent:
        return f"{said}, all here"
    if not there:
        return f"{said}, none here"
    return f"{said}, here {numbers(there)}, missing {numbers(absent)}"
