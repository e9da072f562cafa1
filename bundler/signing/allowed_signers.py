"""`allowed_signers` files (ssh-keygen(1), "ALLOWED SIGNERS"), read so that a person hears of mistakes.

`ssh-keygen` skips lines that it cannot read, and a byte order mark silently costs the first one. Here each is
a `Fault` at path `(line number,)`; so is a `cert-authority` line, because certificates are not accepted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

from bundler.core.fault import Fault
from bundler.signing.patterns import matches
from bundler.signing.publickey import PublicKey, looks_like_key_type

MAX_FILE_BYTES = 1 << 20  # about 2000 RSA keys
MAX_LINE = 20 << 10  # characters; a key of 16 Kibit takes 2800
_OPTION = re.compile(r'([A-Za-z-]+)(?:="((?:\\"|\\(?!")|[^"\\])*)")?')
_NAMES = re.compile(r'"([^"]*)"(?=\s|$)|([^\s"]+)(?=\s|$)')
_NOT_BARE = re.compile(
    "\\s|^[#\ufeff]"
)  # blanks; what would make the line a comment, or the file UTF-8 with BOM
_TIME_FORMATS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_OPTIONS = ("cert-authority", "namespaces", "valid-after", "valid-before")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line: this key speaks for these principals, in these namespaces, in this span of time.

    `namespaces` is None where any will do. Times are UTC, both bounds inclusive as in OpenSSH.
    """

    principals: str
    key: PublicKey
    namespaces: str | None = None
    valid_after: datetime | None = None
    valid_before: datetime | None = None
    line: int = 0

    def covers(self, namespace: str) -> bool:
        """Tell whether the rule speaks of `namespace` at all."""
        return self.namespaces is None or matches(namespace, self.namespaces)

    def refusal(self, now: datetime) -> str | None:
        """Return why the rule does not hold at `now`, or None where it does."""
        if self.valid_after and now < self.valid_after:
            return f"valid only after {_show(self.valid_after)}, and it is {_show(now)}"
        if self.valid_before and now > self.valid_before:
            return f"expired {_show(self.valid_before)}, and it is {_show(now)}"
        return None

    def __str__(self) -> str:
        options = [
            '{}="{}"'.format(name, value.replace('"', r"\""))
            for name, value in (
                ("namespaces", self.namespaces),
                ("valid-after", self.valid_after and _show(self.valid_after)),
                ("valid-before", self.valid_before and _show(self.valid_before)),
            )
            if value
        ]
        quoted = _NOT_BARE.search(self.principals) or looks_like_key_type(self.principals)
        principals = f'"{self.principals}"' if quoted else self.principals
        return " ".join(part for part in (principals, ",".join(options), str(self.key)) if part)


def parse_allowed_signers(data: bytes) -> tuple[Rule, ...]:
    """Read a whole file; raises `Fault` whose path is the number of the line that does not fit."""
    rules = []
    for number, line in enumerate(decode_lines(data), start=1):
        if not line or line.startswith("#"):
            continue
        try:
            rules.append(parse_rule(line, number=number))
        except Fault as fault:
            raise fault.under((number,)) from None
    return tuple(rules)


def decode_lines(data: bytes) -> list[str]:
    """Return the lines of a key file without blanks around them; raises `Fault` unless it is plain UTF-8."""
    if len(data) > MAX_FILE_BYTES:
        raise Fault(f"expected at most {MAX_FILE_BYTES} bytes, found more")
    for mark, name in ((b"\xef\xbb\xbf", "UTF-8"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16")):
        if data.startswith(mark):
            raise Fault(
                f"expected plain UTF-8, found a {name} byte order mark",
                hint="save the file as UTF-8 without BOM (ssh-keygen would ignore its first line)",
            )
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise Fault(f"expected UTF-8 text, found byte 0x{data[error.start]:02x}") from None
    if "\0" in data.decode("utf-8"):
        raise Fault("expected text, found a NUL character")
    return [line.strip(" \t\r") for line in lines]


def parse_rule(line: str, *, number: int) -> Rule:
    """Read one line `PRINCIPALS [OPTIONS] TYPE BASE64 [COMMENT]`; raises `Fault`."""
    if len(line) > MAX_LINE:
        raise Fault(f"expected a line of at most {MAX_LINE} characters, found {len(line)}")
    names = _NAMES.match(line)
    principals = (names.group(1) or names.group(2)) if names else None
    if not names or not principals:
        raise Fault("expected PRINCIPALS [OPTIONS] TYPE BASE64, found no principals")
    rest = line[names.end() :].strip()
    options: dict[str, str] = {}
    if not looks_like_key_type(rest.split(None, 1)[0] if rest else ""):
        options, rest = _read_options(rest)
    after, before = (_read_time(options.get(name), name) for name in ("valid-after", "valid-before"))
    if after and before and before < after:
        raise Fault("expected valid-before later than valid-after")
    return Rule(
        principals=principals,
        key=PublicKey.parse(rest),
        namespaces=options.get("namespaces"),
        valid_after=after,
        valid_before=before,
        line=number,
    )


def _read_options(rest: str) -> tuple[dict[str, str], str]:
    """Read comma-separated options up to a blank; return them and what follows."""
    options: dict[str, str] = {}
    at = 0
    while found := _OPTION.match(rest, at):
        name, value = found.group(1).lower(), found.group(2)
        if name not in _OPTIONS:
            break
        if name == "cert-authority":
            raise Fault("expected a plain key, found cert-authority: certificates are not accepted")
        if not value:
            raise Fault(f'expected {name}="…", found no quoted value')
        if name in options:
            raise Fault(f"expected {name} once, found it twice")
        options[name] = value.replace('\\"', '"')
        at = found.end()
        if rest[at : at + 1].isspace():
            return options, rest[at:].strip()
        if rest[at : at + 1] != ",":
            break
        at += 1
    found_word = rest[at:].split(None, 1)
    raise Fault(f"expected an option or a key type, found {repr(found_word[0]) if found_word else 'nothing'}")


def _read_time(text: str | None, name: str) -> datetime | None:
    """Read `YYYYMMDD[HHMM[SS]][Z]`; without Z (or UTC) it is local time, as OpenSSH 9.1 and later take it."""
    if text is None:
        return None
    upper = text.upper()
    utc = upper.endswith(("Z", "UTC"))
    digits = upper.removesuffix("UTC").removesuffix("Z") if utc else upper
    try:
        if not digits.isdecimal() or not digits.isascii():
            raise ValueError  # noqa: TRY301  # strptime takes blanks and signs that OpenSSH does not
        moment = datetime.strptime(digits, _TIME_FORMATS[len(digits)])  # noqa: DTZ007  # the zone is set below
        return moment.replace(tzinfo=timezone.utc) if utc else moment.astimezone(timezone.utc)
    except (ValueError, KeyError, OverflowError, OSError):
        raise Fault(f'expected {name}="YYYYMMDD[HHMM[SS]][Z]", found {text!r}') from None


def _show(moment: datetime) -> str:
    return f"{moment.year:04}{moment:%m%d%H%M%SZ}"  # %Y is not four digits everywhere (glibc)
