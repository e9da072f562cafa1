"""What a package index has of a project: over HTTP as PEP 691 JSON or PEP 503 HTML, or in a folder.

Artifactory, Nexus and devpi answer in HTML, with relative addresses, sometimes with an MD5 alone or no hash
at all: then `sha256` is None, and whoever fetches the file pins what came.
"""

from __future__ import annotations

import json
import re
import time
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
from pypi_simple import ACCEPT_ANY, ProjectPage, UnsupportedRepoVersionError

from bundler.connected.http import source_fault, status_fault
from bundler.connected.patience import RETRYABLE, Patience
from bundler.connected.reasons import shown
from bundler.connected.sources import local_path
from bundler.core.digest import Digest
from bundler.core.fault import Fault
from bundler.errors import SourceFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pypi_simple import DistributionPackage

MAX_PAGE = 64 << 20  # bytes; the public index's page of uv has 2 MB
_JSON = ("application/vnd.pypi.simple.v1+json", "application/json")
_HTML = ("application/vnd.pypi.simple.v1+html", "text/html", "application/xhtml+xml", "")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*\.(?:whl|tar\.gz|zip)")
_TRANSIENT = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
_ATTEMPTS = 3  # an index that is down should be reported soon


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """One file that an index has; `url` may hold the index's credentials, `size` is in bytes."""

    name: str
    url: str
    sha256: Digest | None
    size: int | None
    yanked: bool


def list_files(
    index: str, project: str, *, session: requests.Session, patience: Patience | None = None
) -> tuple[IndexFile, ...]:
    """Return the files of `project` at the index with this URL, each name once, in the index's order.

    Raises `SourceFault` where the index cannot be reached, has no such project or is no index.
    """
    folder = local_path(index)
    page = (
        _ask(
            f"{index.rstrip('/')}/{project}/",
            session=session,
            patience=patience or Patience(),
            project=project,
        )
        if folder is None
        else _read_folder(folder, project)
    )
    files = {file.name: file for file in page}
    if not files:
        raise SourceFault(
            f"{shown(index)}: has no files of {project}, expected wheels and sdists",
            hint="check the address: an index usually ends in /simple, and a login page is no index",
        )
    return tuple(files.values())


def _ask(url: str, *, session: requests.Session, patience: Patience, project: str) -> list[IndexFile]:
    for attempt in range(1, _ATTEMPTS + 1):
        last, asked = attempt == _ATTEMPTS, None
        try:
            with session.get(url, headers={"Accept": ACCEPT_ANY}, stream=True) as response:
                if response.status_code not in RETRYABLE or last:
                    return _read_answer(response, url, project)
                asked = response.headers.get("Retry-After")
        except requests.RequestException as error:
            if last or not isinstance(error, _TRANSIENT) or isinstance(error, requests.exceptions.SSLError):
                raise source_fault(error, url) from None
        pause = patience.wait_after(attempt, asked)
        if pause is None:
            break
        time.sleep(pause)
    raise status_fault(requests.codes.too_many_requests, url)


def _read_answer(response: requests.Response, url: str, project: str) -> list[IndexFile]:
    if response.status_code != requests.codes.ok:
        raise status_fault(response.status_code, url)
    body = bytearray()
    for chunk in response.iter_content(1 << 16):
        body += chunk
        if len(body) > MAX_PAGE:
            raise SourceFault(f"{shown(url)}: more than {MAX_PAGE} bytes, expected a list of files")
    kind, _, parameters = response.headers.get("Content-Type", "").partition(";")
    charset = re.search(r"charset=\"?([\w-]+)", parameters)
    page = parse_page(
        bytes(body),
        kind=kind.strip().lower(),
        base=response.url,
        project=project,
        charset=charset and charset[1],
    )
    return list(_files(page, index=url))


def parse_page(data: bytes, *, kind: str, base: str, project: str, charset: str | None = None) -> ProjectPage:
    """Read an index's answer of content type `kind`; raises `SourceFault` for what is no list of files."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a newer minor version of the format is fine, says PEP 629
            if kind in _JSON:
                return ProjectPage.from_json_data(json.loads(data), base)
            if kind in _HTML:
                return ProjectPage.from_html(project, data, base, charset)
    except UnsupportedRepoVersionError as error:
        what = f"version {error.declared_version} of the format of indexes"
        raise SourceFault(
            f"{shown(base)}: {what}, expected version 1", hint="use a newer uv-bundler"
        ) from None
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        why = str(error).partition("\n")[0]
        raise SourceFault(
            f"{shown(base)}: cannot be read as the answer of a package index: {why}",
            hint="check the address: an index usually ends in /simple",
        ) from None
    raise SourceFault(
        f"{shown(base)}: expected an index in HTML or JSON, found {kind}",
        hint="check the address: an index usually ends in /simple",
    )


def _files(page: ProjectPage, *, index: str) -> Iterator[IndexFile]:
    for package in page.packages:
        name = _name_of(package)
        if name:
            yield IndexFile(
                name=name,
                url=_with_credentials(package.url, index),
                sha256=_sha256(package.digests),
                size=package.size,
                yanked=package.is_yanked,
            )


def _name_of(package: DistributionPackage) -> str:
    """Return the file's name; the text of a link may be cut short, so its address counts first."""
    for name in (unquote(urlsplit(package.url).path.rpartition("/")[2]), package.filename):
        if _FILE.fullmatch(name):
            return name
    return ""


def _sha256(digests: dict[str, str]) -> Digest | None:
    try:
        return Digest.parse(digests.get("sha256", "").lower())
    except Fault:
        return None  # no hash, another kind of hash, or none that one could check


def _with_credentials(url: str, index: str) -> str:
    """Take user name and password of the index's address along to a file on the same host, as pip does."""
    file, asked = urlsplit(url), urlsplit(index)
    userinfo, _, host = asked.netloc.rpartition("@")
    if not userinfo or (file.scheme, file.netloc) != (asked.scheme, host):
        return url
    return urlunsplit(file._replace(netloc=asked.netloc))


def _read_folder(folder: Path, project: str) -> list[IndexFile]:
    """Read a PEP 503 tree of pages, a tree of folders without pages, or a plain folder of files."""
    if not folder.is_dir():
        raise SourceFault(f"{folder}: no such folder, expected a package index", hint="check the address")
    try:
        for place in (folder / project, folder / "simple" / project):
            for name, kind in (("index.json", _JSON[0]), ("index.html", _HTML[1])):
                page = place / name
                if page.is_file():
                    read = parse_page(page.read_bytes(), kind=kind, base=page.as_uri(), project=project)
                    return [_with_local_size(file) for file in _files(read, index=page.as_uri())]
        for place in (folder / project, folder / "simple" / project, folder):
            if files := list(_plain_files(place, project)):
                return files
    except OSError as error:
        why = error.strerror or str(error)
        raise SourceFault(f"{folder}: cannot be read as a package index: {why}", hint="check it") from None
    return []


def _with_local_size(file: IndexFile) -> IndexFile:
    path = local_path(file.url) if file.size is None else None
    return replace(file, size=path.stat().st_size) if path and path.is_file() else file


def _plain_files(folder: Path, project: str) -> Iterator[IndexFile]:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(f"{project}-") and _FILE.fullmatch(path.name) and path.is_file():
            size = path.stat().st_size
            yield IndexFile(name=path.name, url=path.as_uri(), sha256=None, size=size, yanked=False)
