"""The names that uv gives things on disk (facts measured with uv 0.6.17 to 0.13.8).

A download is known by its URL's last segment: `%2B` stays in the metadata, is a literal `+` in a
mirror tree and a `-` in `UV_PYTHON_CACHE_DIR`. Keep the three apart and nothing else goes wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from bundler.core.fault import Fault

if TYPE_CHECKING:
    from bundler.core.digest import Digest

PBS_URL = "https://github.com/astral-sh/python-build-standalone/releases/download/"
_MIRRORS = (  # a download below this URL : lies below this folder of a generation, with the rest of its path
    (PBS_URL, "mirror"),
    ("https://github.com/indygreg/python-build-standalone/releases/download/", "mirror"),
    ("https://downloads.python.org/pypy/", "mirror-pypy"),
    ("https://github.com/oracle/graalpython/releases/download/", "mirror-graalpy"),
)


def file_name(url: str) -> str:
    """Return the file's name on disk: the last segment of `url`, decoded."""
    return unquote(url.rsplit("/", 1)[-1])


def cache_name(url: str, sha256: Digest) -> str:
    """Return the file's name in `UV_PYTHON_CACHE_DIR` (uv 0.7.0 to 0.13.8).

    uv replaces `%2B` and nothing else; a URL that holds a literal `+` would keep it.
    """
    return f"{sha256.short}-{url.rsplit('/', 1)[-1].replace('%2B', '-')}"


def mirror_path(url: str) -> str:
    """Return where the download lies in a generation: `mirror/TAG/FILE`; raises `Fault` for other sites."""
    for prefix, folder in _MIRRORS:
        if url.startswith(prefix):
            return f"{folder}/{unquote(url.removeprefix(prefix))}"
    raise Fault(f"expected a download of python-build-standalone, PyPy or GraalPy, found {url!r}")


def own_build_url(name: str, sha256: Digest) -> str:
    """Return the canonical URL under which a site's own build is listed.

    It is never fetched: uv replaces its beginning by the mirror. It must begin like
    python-build-standalone's, because uv refuses any other beside a mirror setting (uv 0.6.13 to 0.13.8).
    """
    return f"{PBS_URL}own-{sha256.short}/{quote(name, safe='')}"
