"""Why a request failed, in few words and without secrets."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import requests
from urllib3 import exceptions as low

from bundler.core.text import printable


def shown(url: str) -> str:
    """Return `url` without user name, password, query and fragment, as messages show it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return printable(url, limit=200)
    host = parts.netloc.rpartition("@")[2]
    return printable(urlunsplit((parts.scheme, host, parts.path, "", "")), limit=500)


def reason(error: BaseException) -> str:
    """Say in few words what a request met; requests' own texts repeat URLs and memory addresses."""
    chain = _chain(error)
    for kind, words in (
        (requests.exceptions.ProxyError, "the proxy refused or is not reachable"),
        (low.NameResolutionError, "the name of the host cannot be resolved"),
        (low.NewConnectionError, ""),  # a kind of ConnectTimeoutError, but refused or unroutable: see below
        (low.ConnectTimeoutError, "no connection in time"),
        (low.ReadTimeoutError, "stalled, no byte in time"),
        (low.IncompleteRead, "cut off before its end"),
        (requests.TooManyRedirects, "redirected in circles"),
    ):
        if any(isinstance(link, kind) for link in chain):
            if words:
                return words
            break
    if isinstance(error, requests.exceptions.SSLError):
        return f"TLS failed: {printable(str(chain[-1]), limit=200)}"
    for link in reversed(chain):
        if isinstance(link, OSError) and link.strerror:
            return link.strerror.lower()
    return printable(str(chain[-1]) or type(error).__name__, limit=200)


def _chain(error: BaseException) -> list[BaseException]:
    """Return the error and what it wraps: urllib3 and requests put causes into `args` and `reason`."""
    links: list[BaseException] = []
    following: list[BaseException | None] = [error]
    while following and len(links) < 20:
        link = following.pop(0)
        if link is None or link in links:
            continue
        links.append(link)
        inner = [
            item for item in (*link.args, getattr(link, "reason", None)) if isinstance(item, BaseException)
        ]
        following += [*inner, link.__cause__, link.__context__]
    return links
