"""The size of a file that is not here yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from pathlib import Path

    from bundler.connected.patience import Patience


def local_size(path: Path) -> int | None:
    """Return the size of a local file in bytes; None where there is no such file."""
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def remote_size(session: requests.Session, url: str, patience: Patience) -> int | None:
    """Return the size in bytes that the server tells for `url`, redirects followed; None where it tells none.

    Asks with HEAD, then with a GET for the first byte: some object stores sign their URLs for GET alone.
    """
    options: dict[str, Any] = {
        "timeout": (patience.connect_timeout, patience.stall_timeout),
        "allow_redirects": True,
        "stream": True,
    }
    plain = {"Accept-Encoding": "identity"}
    try:
        with session.head(url, headers=plain, **options) as response:
            size = _whole(response.headers.get("Content-Length"))
            if response.ok and size is not None and "Content-Encoding" not in response.headers:
                return size
        with session.get(url, headers={**plain, "Range": "bytes=0-0"}, **options) as response:
            if response.status_code == requests.codes.partial_content:
                return _whole(response.headers.get("Content-Range", "").rpartition("/")[2])
            return _whole(response.headers.get("Content-Length")) if response.ok else None
    except requests.RequestException:
        return None


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) <= 18 else None
