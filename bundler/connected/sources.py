"""Where a download can be had: its canonical URL, mirrors as people lay them out, folders of files by digest.

Mirrors replace the canonical place of python-build-standalone, as uv's own mirror setting does; whoever
wants GitHub as well names it among the sources. PyPy and GraalPy are looked for in the mirrors too and then
at their own place, because hardly any mirror has them.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from bundler.core.digest import Digest, hash_file
from bundler.core.fault import Fault
from bundler.core.uvnames import PBS_URL, cache_name, file_name, mirror_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_OWN = f"{PBS_URL}own-"  # core.uvnames.own_build_url: listed there, never fetched from there


def local_path(place: str) -> Path | None:
    """Return the path that a `file://` URL or a bare path means; None for other URLs."""
    parts = urlsplit(place)
    if parts.scheme == "file":
        host = "" if parts.netloc in ("", "localhost") else f"//{parts.netloc}"  # a share on Windows
        return Path(url2pathname(host + parts.path))
    return None if "://" in place else Path(place)


def candidates(url: str, *, mirrors: Sequence[str], sha256: Digest | None) -> tuple[str, ...]:
    """Return the URLs to try for the download with this canonical URL, in order, without repetition."""
    try:
        relative = mirror_path(url).partition("/")[2]
    except Fault:  # neither python-build-standalone nor PyPy nor GraalPy: no mirror layout is known
        return (url,)
    found: list[str] = []
    for mirror in mirrors:
        folder = local_path(mirror)
        if folder is None:
            # Most servers want the canonical %2B; some object stores and proxies only know the literal one.
            encoded = relative.replace("+", "%2B")
            found += [f"{mirror.rstrip('/')}/{encoded}", f"{mirror.rstrip('/')}/{relative}"]
        else:
            found += _in_folder(folder, relative, url, sha256)
    canonical = not mirrors or not url.startswith(PBS_URL)
    if canonical and not url.startswith(_OWN):
        found.append(url)
    return tuple(dict.fromkeys(found))


def folders(mirrors: Iterable[str]) -> tuple[Path, ...]:
    """Return the local folders among the mirrors, in which files are also found by their digest."""
    return tuple(path for path in map(local_path, mirrors) if path is not None)


def _in_folder(folder: Path, relative: str, url: str, sha256: Digest | None) -> Iterator[str]:
    """Yield the existing files that may be the one; where there is none, the place where it is expected."""
    places = [folder / relative.replace("+", plus) for plus in ("+", "%2B", "-")]
    places += [folder / file_name(url).replace("+", plus) for plus in ("+", "%2B", "-")]
    if sha256:
        places.append(folder / cache_name(url, sha256))
    existing = [place for place in places if place.is_file()]
    for place in existing or places[:1]:
        yield place.absolute().as_uri()


class FolderIndex:
    """Files below some folders, found by digest; each file is hashed at most once, and only when asked."""

    def __init__(self, roots: Iterable[Path]) -> None:
        self._roots = tuple(roots)
        self._lock = threading.Lock()
        self._unread: dict[Path, int] | None = None  # path : size
        self._known: dict[Digest, Path] = {}

    def find(self, digest: Digest, *, size: int | None = None) -> Path | None:
        """Return a file with this digest; where the size is known, only files of that size are read."""
        with self._lock:
            if self._unread is None:
                self._unread = dict(self._files())
            for path, found_size in list(self._unread.items()):
                if digest in self._known:
                    break
                if size in (None, found_size):
                    del self._unread[path]
                    self._read(path)
            return self._known.get(digest)

    def _read(self, path: Path) -> None:
        try:
            self._known.setdefault(hash_file(path)[0], path)
        except OSError:  # unreadable: it is none of the candidates, and the failure names the others
            return

    def _files(self) -> Iterator[tuple[Path, int]]:
        for root in self._roots:
            for parent, subfolders, names in os.walk(root):
                subfolders.sort()
                for name in sorted(names):
                    path = Path(parent, name)
                    if path.is_file():
                        yield path.absolute(), path.stat().st_size
