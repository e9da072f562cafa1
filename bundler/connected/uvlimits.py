"""What older versions of uv cannot do with a bundle's list of Pythons (measured, uv 0.6.13 to 0.13.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from bundler.errors import UsageFault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bundler.core.metadata import Row

FIRST_LIST = Version("0.6.13")  # reads a list of Pythons from a file
_FIRST_GRAALPY = Version(
    "0.7.0"
)  # has UV_PYTHON_CACHE_DIR, the one way to GraalPy until its mirror in 0.12.24
_FIRST_DEBUG = Version("0.8.18")  # reads rows of debug builds; 0.8.17 leaves them out


def check_versions(versions: Sequence[Version]) -> None:
    """Raise `UsageFault` for a version of uv that cannot be given a list of Pythons at all."""
    for version in versions:
        if version < FIRST_LIST:
            raise UsageFault(
                f"uv {version}: cannot be given a list of Pythons, expected {FIRST_LIST} or newer",
                hint=f"name uv {FIRST_LIST} or newer in the manifest",
            )


def unusable(versions: Sequence[Version], rows: Sequence[Row]) -> list[str]:
    """Say for each of the versions which of the rows it will not install, one line for each kind."""
    lines = []
    for version in sorted(versions):
        debug = [row.key for row in rows if "debug" in row.variant and version < _FIRST_DEBUG]
        graalpy = [row.key for row in rows if row.name == "graalpy" and version < _FIRST_GRAALPY]
        for keys, since in ((debug, _FIRST_DEBUG), (graalpy, _FIRST_GRAALPY)):
            if keys:
                lines.append(f"uv {version} will not install {', '.join(keys)}: only {since} and newer do")
    return lines
