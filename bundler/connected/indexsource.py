"""Which package index to ask, and who said so.

The order: `--index`, the manifest, `UV_DEFAULT_INDEX`, `UV_INDEX_URL`, `PIP_INDEX_URL`, pip's
configuration files, the public index. The first that says something wins.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pypi_simple import PYPI_SIMPLE_ENDPOINT

from bundler.connected.pipconfig import pip_setting
from bundler.connected.reasons import shown
from bundler.errors import UsageFault

_UV_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")
_NAMED = re.compile(r"[A-Za-z0-9_.-]+=(?=[a-z]+:|/|\.)")  # uv takes NAME=URL since 0.4.23
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSource:
    """The address of a package index, which may hold credentials, and the place that named it.

    `str()` is for people: it shows neither user name nor password.
    """

    url: str
    place: str

    def __str__(self) -> str:
        return f"{shown(self.url)} (from {self.place})"


def find_index(*, option: str | None = None, manifest: str | None = None) -> IndexSource:
    """Return the index to ask; `option` is the command line's, `manifest` what `sources.index` says.

    Folders become `file://` URLs. Raises `UsageFault` for an address that is neither http, https nor a file.
    """
    if option:
        return _checked(option, "--index")
    if manifest:
        return _checked(manifest, "sources.index in the manifest")
    for variable in _UV_VARIABLES:
        if value := os.environ.get(variable, "").strip():
            return _checked(_NAMED.sub("", value, count=1), variable)
    if setting := pip_setting("index-url"):
        return _checked(setting.value, setting.place)
    return IndexSource(url=PYPI_SIMPLE_ENDPOINT, place="the default")


def _checked(value: str, place: str) -> IndexSource:
    scheme = "" if _DRIVE.match(value) else urlsplit(value).scheme
    if not scheme:
        return IndexSource(url=Path(value).expanduser().absolute().as_uri(), place=place)
    if scheme == "file" or (scheme in ("http", "https") and urlsplit(value).hostname):
        return IndexSource(url=value, place=place)
    raise UsageFault(
        f"{place}: expected the http://, https:// or file:// address of a package index, "
        f"found {shown(value)!r}",
        hint="it usually ends in /simple",
    )
