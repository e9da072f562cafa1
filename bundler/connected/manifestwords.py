"""The words of a manifest: versions, requests, platforms, URLs and paths, each read on its own.

Each function takes the text of one value and raises `Fault` for what does not fit.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from bundler.connected.pyrequest import PythonRequest
from bundler.core.fault import Fault
from bundler.core.platforms import Platform
from bundler.core.text import printable

LATEST: Final = "latest"
HOST: Final = "host"
ARCHIVE_SUFFIXES: Final = (".tar.gz", ".tgz", ".tar.zst", ".tar", ".zip")  # uv 0.12.0 dropped .xz and .bz2
_UV_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(?:(?:a|b|rc)[0-9]+)?")


def release(text: str) -> str:
    """Return a label for people."""
    if printable(text) != text or text != text.strip():
        raise Fault(f"expected printable text without blanks around it, found {text!r}")
    return text


def uv_version(text: str) -> str:
    """Return an exact uv version, or `latest`."""
    if text != LATEST and not _UV_VERSION.fullmatch(text):
        hint = "list several versions instead of a range" if re.match(r"[<>=~!^]", text) else None
        raise Fault(f"expected an exact version such as 0.13.8, or latest, found {text!r}", hint=hint)
    return text


def request(text: str) -> str:
    """Return the text of a Python request that `PythonRequest` reads."""
    PythonRequest.parse(text)
    return text.strip()


def platform(text: str) -> Platform | None:
    """Return the platform, or None for `host`, which only the reader can resolve."""
    return None if text == HOST else Platform.parse(text)


def url(text: str) -> str:
    """Return an http(s):// or file:/// URL without credentials, query and fragment."""
    parts = urlsplit(text)
    if "@" in parts.netloc:
        raise Fault(
            f"expected a URL without a password in it, found one for {parts.hostname}",
            hint="put the user name and password into ~/.netrc",
        )
    if not text.startswith(("https://", "http://", "file:///")) or re.search(r"[\s\\<>\"]", text):
        raise Fault(f"expected a URL that begins with https://, http:// or file:///, found {text!r}")
    if parts.query or parts.fragment:
        raise Fault(f"expected a URL without ? and #, found {text!r}", hint="write %3F for ? and %23 for #")
    if parts.scheme != "file" and not parts.hostname:
        raise Fault(f"expected a URL with a host name, found {text!r}")
    if printable(text) != text or parts.port == 0:  # asking for the port raises ValueError for no number
        raise Fault(f"expected a URL, found {text!r}")
    return text


def path(text: str) -> str:
    """Return a path as it is written: absolute, or relative to the manifest."""
    if not text or printable(text) != text:
        raise Fault(f"expected a path, found {text!r}")
    if text.startswith("~"):
        raise Fault(
            f"expected a path that is absolute or relative to the manifest, found {text!r}",
            hint="write the home folder out: a manifest means the same to everybody who packs it",
        )
    return text


def archive(text: str) -> str:
    """Return the path of an archive that every supported uv unpacks."""
    if not text.endswith(ARCHIVE_SUFFIXES):
        raise Fault(
            f"expected a file that ends in {', '.join(ARCHIVE_SUFFIXES)}, found {text!r}",
            hint="uv from 0.12 on does not unpack .tar.xz and .tar.bz2: recompress it as .tar.gz",
        )
    return path(text)
