"""The one HTTP session of the connected side: proxies, netrc and private CAs as the machine has them set.

Proxies come from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` and credentials from `~/.netrc`
(or `NETRC`) through requests. A private CA is believed beside the public ones, wherever it is set:
the system's store, `SSL_CERT_FILE`, `SSL_CERT_DIR`, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, pip's `cert`.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter

from bundler import __version__
from bundler.connected.pipconfig import pip_setting
from bundler.connected.reasons import reason, shown
from bundler.errors import SourceFault, UsageFault

if TYPE_CHECKING:
    from collections.abc import Iterator

USER_AGENT = f"uv-bundler/{__version__}"
TIMEOUT = (15.0, 60.0)  # seconds: to connect, and without a single byte
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_NEXT_STEPS = {
    401: "put the credentials for this host into ~/.netrc",
    403: "the server refuses these credentials or this address: check ~/.netrc and the proxy",
    404: "check the address: the server answers, but has nothing there",
    407: "the proxy wants credentials: set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT",
    429: "the server asks for patience: try again later",
}


class _Adapter(HTTPAdapter):
    """Connections that believe `context` and never wait forever."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Open direct connections with our context."""
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Open connections through a proxy with our context, a proxy that speaks TLS included."""
        return super().proxy_manager_for(
            proxy, ssl_context=self._context, proxy_ssl_context=self._context, **kwargs
        )

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send, with a time limit where the caller has set none."""
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = TIMEOUT
        return super().send(request, *args, **kwargs)


def open_session() -> requests.Session:
    """Return a session for every HTTP request of a run; the caller closes it.

    Raises `UsageFault` where a private CA is named that cannot be read.
    """
    session = requests.Session()
    session.headers["User-Agent"] = USER_AGENT
    adapter = _Adapter(_context())
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _context() -> ssl.SSLContext:
    """Return the system's trust and the private CAs; OpenSSL heeds `SSL_CERT_FILE` and `SSL_CERT_DIR` itself.

    But it keeps silent about a file that is not there, so the files are read once more here.
    requests adds its own public ones, and those of `REQUESTS_CA_BUNDLE`, when it opens a connection.
    """
    context = ssl.create_default_context()
    places: dict[Path, str] = {}  # one file is often named in several places, and takes time to load
    for place, path in _private_cas():
        places.setdefault(path, place)
    for path, place in places.items():
        _believe(context, path, place)
    return context


def _believe(context: ssl.SSLContext, path: Path, place: str) -> None:
    try:
        if path.is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        what = "it holds no certificates in PEM"
    except OSError as error:
        what = (error.strerror or str(error)).lower()
    else:
        return
    raise UsageFault(f"{path}: named by {place} as private CA, but {what}", hint=f"correct or unset {place}")


def _private_cas() -> Iterator[tuple[str, Path]]:
    for variable in _CA_VARIABLES:
        if value := os.environ.get(variable):
            yield variable, Path(value)
    if setting := pip_setting("cert"):
        yield setting.place, Path(setting.value).expanduser()


def source_fault(error: requests.RequestException, url: str) -> SourceFault:
    """Turn what requests raised about `url` into a fault that shows the URL without its secrets."""
    response = error.response
    if isinstance(error, requests.HTTPError) and response is not None:
        return status_fault(response.status_code, url)
    where = shown(url)
    if isinstance(error, requests.exceptions.ProxyError):
        hint = "check HTTPS_PROXY and NO_PROXY"
    elif isinstance(error, requests.exceptions.SSLError):
        hint = "if a private CA signs for this host, set SSL_CERT_FILE to its certificate"
    elif isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        hint = "expected an http://, https:// or file:// address"
    elif "resolved" in reason(error):
        hint = "check the name and DNS; where only a proxy knows it, set HTTPS_PROXY"
    else:
        hint = "check the network; where a proxy is needed, set HTTPS_PROXY"
    return SourceFault(f"{where}: {reason(error)}", hint=hint)


def status_fault(status: int, url: str) -> SourceFault:
    """Return the fault for an answer that is no success."""
    default = "the server is in trouble: try again later" if status >= 500 else "check the address"
    return SourceFault(
        f"{shown(url)}: answered {status}, expected 200", hint=_NEXT_STEPS.get(status, default)
    )
